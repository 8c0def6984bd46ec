// What becomes of streams of news. It comes before htmx, whose first event may be a failure.
document.addEventListener("gone", () => location.reload()); // access is gone, and so is the page
for (const kind of ["htmx:error", "htmx:response:error", "htmx:sse:error"]) {
  document.addEventListener(kind, (event) => {
    const { target, detail } = event;
    if (!target.matches?.("[hx-sse\\:connect]")) return;
    const status = detail.status ?? detail.ctx?.response?.status;
    if ([401, 403, 404].includes(status)) location.reload();
    // A stream that was there comes back by itself; one that never began is asked for again.
    else if (kind !== "htmx:sse:error") setTimeout(() => htmx.trigger(target, "again"), 3000);
  });
}

// What is fetched because of news shows at least that: the page says up to where it has heard.
let heard = 0;
document.addEventListener("news", (event) => (heard = Math.max(heard, Number(event.detail.data))), true);
document.addEventListener("htmx:config:request", (event) => {
  if (heard) event.detail.ctx.request.headers["Casetrail-Heard"] = String(heard);
});
