// What makes the page live. Everything works without it: links, forms, and a reload.
const root = document.documentElement;
const up = document.body.dataset.up;
const connection = document.getElementById("connection");

// Light and dark, by preference until somebody switches; kept in this browser.
const theme = document.getElementById("theme");
const dark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
const named = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
try { root.dataset.theme = localStorage.getItem("theme") ?? ""; } catch { /* where nothing may be kept */ }
if (!root.dataset.theme) delete root.dataset.theme;
theme.hidden = false;
theme.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* as above */ }
  named();
});
dark.addEventListener("change", named);
named();

// What has been asked for once is not asked for twice, and what is needed most has the focus.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", () => {
    const button = form.querySelector("button");
    setTimeout(() => { button.disabled = true; button.textContent = "Asked for …"; });
  });
}
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
document.getElementById("outcome")?.focus();

// The parts of the first page, as they change. A part that has the focus keeps it, by the id of what has it.
function show(name, html) {
  const part = document.getElementById(name);
  if (!part) return;
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const where = focused?.id || focused?.getAttribute("href");
  part.innerHTML = html;
  if (where) {
    const again = [...part.querySelectorAll("a, button, [tabindex]")];
    again.find((one) => one.id === where || one.getAttribute("href") === where)?.focus({ preventScroll: true });
  }
}
function say(name, text) {
  const place = document.getElementById(name);
  if (place && place.textContent !== text) place.textContent = text;
}

let source = null;
function follow() {
  if (source || document.hidden || !document.querySelector("[data-live]")) return;
  source = new EventSource(`${up}events`);
  source.addEventListener("state", (event) => {
    const { title, told, alert, ...parts } = JSON.parse(event.data);
    for (const [name, html] of Object.entries(parts)) show(name, html);
    if (title !== undefined) document.title = title;
    if (told !== undefined) say("told", told);
    if (alert !== undefined) say("alert", alert);
    connection.textContent = "";
    document.body.classList.remove("lost");
  });
  source.addEventListener("error", () => {
    const ended = source?.readyState === EventSource.CLOSED;
    connection.textContent = ended ? "This page is no longer open: spark-mode page link prints another link" : "Not connected; what is shown may be old. Trying again …";
    document.body.classList.add("lost");
    if (ended) leave();
  });
}
function leave() {
  source?.close();
  source = null;
}
document.addEventListener("visibilitychange", () => (document.hidden ? leave() : follow()));
addEventListener("pagehide", leave);
follow();

// The budget builder reckons at each tick: with the page that the form would lead to.
const ticks = document.getElementById("ticks");
let latest = 0;
ticks?.addEventListener("change", async () => {
  const mine = ++latest;
  const names = new URLSearchParams(new FormData(ticks));
  const result = document.getElementById("reckoned");
  result.classList.add("stale");
  try {
    const answer = await fetch(`${up}budget?${names}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine === latest) result.innerHTML = page.getElementById("reckoned")?.innerHTML ?? "";
  } catch {
    connection.textContent = "Not connected; what is shown may be old.";
  }
  if (mine === latest) result.classList.remove("stale");
});
