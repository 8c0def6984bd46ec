// What pages can do beyond HTML. Without it everything works, only less comfortably.
import { initAll } from "./govuk.js";

document.body.classList.add("js-enabled", "govuk-frontend-supported");
document.addEventListener("htmx:after:swap", () => localTimes(document));
initAll();
localTimes(document);
closeMenus();
drafts();

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

// What is being written survives a reload, a lost connection and a session that ends: kept in this browser, for its
// writer only, until it was sent. It is kept with its command id, so that sending it again after no answer came has
// one effect; and with what was sent, so that what is written after that is not taken for it.
function drafts() {
  const prefix = "casetrail-draft:";
  if (document.querySelector("[data-forget-drafts]")) {
    for (const key of keysOf(prefix)) keep(key, null);
  }
  const own = `${prefix}${document.body.dataset.person}:`;
  for (const key of keysOf(own)) {
    const kept = read(key);
    if (!kept?.command || !document.querySelector(`[data-command="${CSS.escape(kept.command)}"]`)) continue;
    keep(key, kept.text === kept.sent ? null : { text: kept.text }); // it arrived; what was added will be another
  }
  for (const form of document.querySelectorAll("form[data-draft]")) {
    const key = own + form.dataset.draft;
    const text = form.querySelector("textarea");
    const command = form.elements.command_id;
    const kept = read(key);
    if (text.defaultValue) keep(key, { text: text.value, command: command.value });
    else if (kept && !text.value) {
      text.value = kept.text;
      if (kept.command) command.value = kept.command;
      const told = form.querySelector("[data-draft-restored]");
      if (told) told.hidden = false;
    }
    text.addEventListener("input", () => {
      const draft = { text: text.value, command: command.value, sent: read(key)?.sent };
      keep(key, text.value ? draft : null);
    });
    form.addEventListener("submit", () => {
      if (text.value) keep(key, { text: text.value, command: command.value, sent: text.value });
    });
  }
}

// The store of the browser, which may be forbidden, full or written by others: then there are no drafts.
function keysOf(beginning) {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(beginning));
  } catch {
    return [];
  }
}

function read(key) {
  try {
    const kept = JSON.parse(localStorage.getItem(key));
    return typeof kept?.text === "string" ? kept : null;
  } catch {
    return null;
  }
}

function keep(key, draft) {
  try {
    if (draft) localStorage.setItem(key, JSON.stringify(draft));
    else localStorage.removeItem(key);
  } catch {
    // What is typed stays on the page, and nowhere else.
  }
}
