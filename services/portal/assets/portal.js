// What pages can do beyond HTML. Without it everything works, only less comfortably.
import { initAll } from "./govuk.js";

document.body.classList.add("js-enabled", "govuk-frontend-supported");
initAll();
localTimes(document);
closeMenus();
drafts();
document.addEventListener("htmx:after:swap", () => localTimes(document));

// Times, in the zone of whoever reads them.
function localTimes(root) {
  const language = document.documentElement.lang;
  const exact = new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "long", hourCycle: "h23" });
  for (const element of root.querySelectorAll("time[data-local]")) {
    const at = new Date(element.dateTime);
    element.title = exact.format(at);
    if (element.dataset.local === "moment") {
      const today = new Date();
      const isToday = at.toDateString() === today.toDateString();
      const options = isToday ? {} : { day: "numeric", month: "short" };
      if (at.getFullYear() !== today.getFullYear()) options.year = "numeric";
      element.textContent = at.toLocaleString(language, { ...options, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    }
  }
}

// A menu closes by Escape, and when something else is clicked or focused.
function closeMenus() {
  for (const menu of document.querySelectorAll("details[data-menu]")) {
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      menu.open = false;
      menu.querySelector("summary").focus();
    });
    for (const kind of ["click", "focusin"]) {
      document.addEventListener(kind, (event) => {
        if (!menu.contains(event.target)) menu.open = false;
      });
    }
  }
}

// What is being written survives a reload and a lost connection: kept in this browser until it was sent. It is
// kept with its command id, so that sending it again after no answer came has one effect.
function drafts() {
  const prefix = "casetrail-draft:";
  if (document.querySelector("[data-forget-drafts]")) {
    for (const key of Object.keys(localStorage)) if (key.startsWith(prefix)) localStorage.removeItem(key);
  }
  for (const form of document.querySelectorAll("form[data-draft]")) {
    const key = prefix + form.dataset.draft;
    const text = form.querySelector("textarea");
    const command = form.elements.command_id;
    const kept = JSON.parse(localStorage.getItem(key) ?? "null");
    if (kept && document.querySelector(`[data-command="${CSS.escape(kept.command)}"]`)) {
      localStorage.removeItem(key); // it arrived
    } else if (kept && !text.value) {
      text.value = kept.text;
      command.value = kept.command;
      const told = form.querySelector("[data-draft-restored]");
      if (told) told.hidden = false;
    }
    text.addEventListener("input", () => {
      if (text.value) localStorage.setItem(key, JSON.stringify({ text: text.value, command: command.value }));
      else localStorage.removeItem(key);
    });
  }
}
