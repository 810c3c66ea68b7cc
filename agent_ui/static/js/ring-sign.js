// While it rings, for those who look elsewhere: ☎ and who calls in the tab's title, a red dot on its
// icon, and, where the tab is hidden, a notification that brings it back. Taken from the desk as the
// server draws it; a hidden tab's timers are slow, so nothing here is timed.

const POPS = ".screen-pop";

const title = document.title;
const icon = document.querySelector('link[rel="icon"]');
const shown = new Map(); // call → its notification

document.addEventListener("live:region", look);
document.addEventListener("DOMContentLoaded", look);

function look() {
  const pops = [...document.querySelectorAll(POPS)];
  const who = pops[0] && said(pops[0], "h2");
  document.title = who ? `☎ ${who}` : title;
  badge(Boolean(who));
  const calls = new Set(pops.map((pop) => pop.dataset.call));
  for (const [call, notification] of shown) {
    if (calls.has(call)) continue;
    notification?.close();
    shown.delete(call);
  }
  for (const pop of pops) if (!shown.has(pop.dataset.call)) shown.set(pop.dataset.call, notify(pop));
}

function badge(rings) {
  const wanted = rings ? icon?.dataset.ringing : icon?.dataset.quiet;
  if (wanted && icon.getAttribute("href") !== wanted) icon.setAttribute("href", wanted);
}

/** A notification, if this tab is not to be seen and the browser may show one; else null. */
function notify(pop) {
  if (!document.hidden || globalThis.Notification?.permission !== "granted") return null;
  const notification = new Notification(`☎ ${said(pop, "h2")}`, {
    body: said(pop, ".screen-pop-why"),
    tag: pop.dataset.call,
    icon: icon?.dataset.quiet,
    requireInteraction: true,
  });
  notification.addEventListener("click", () => {
    focus();
    notification.close();
  });
  return notification;
}

function said(pop, selector) {
  return pop.querySelector(selector)?.textContent.trim().replace(/\s+/g, " ") ?? "";
}
