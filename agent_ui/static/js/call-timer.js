// <call-timer since="2026-11-18T07:20:07.000Z" warn="60" late="180">: a stopwatch from an instant;
// <call-timer until="…">: down to an instant, then the time over, in amber and with a word.
//
// Drawn in a shadow root, or a morph would put the server's text back. Two levels, in seconds: past
// `warn` the colour changes, past `late` a word stands beside it as well.

import { each_second, now, span } from "./clock.js";
import { t } from "./messages.js";

const sheet = new CSSStyleSheet();
sheet.replaceSync(`
  :host { font-variant-numeric: tabular-nums; white-space: nowrap; }
  :host([level="warn"]) span, :host([level="late"]) span { color: var(--color-warn); }
`);

class CallTimer extends HTMLElement {
  static observedAttributes = ["since", "until", "warn", "late"];
  #stop = null;
  #text = document.createElement("span");

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    root.append(this.#text);
  }

  connectedCallback() {
    this.#stop = each_second(() => this.#draw());
    this.#draw();
  }

  disconnectedCallback() {
    this.#stop?.();
  }

  attributeChangedCallback() {
    if (this.isConnected) this.#draw();
  }

  #draw() {
    const until = this.getAttribute("until");
    const past = now() - Date.parse(until ?? this.getAttribute("since"));
    if (!Number.isFinite(past)) return;
    const left = until !== null && past < 0;
    const level = until !== null ? (left ? null : "late") : this.#level(past / 1000);
    // A second that has begun counts whole on the way down, or 0:00 would stand there for a second.
    const shown = span(left ? 999 - past : past);
    const text = level === "late" ? `${t("overdue")} ${shown}` : shown;
    if (this.#text.textContent !== text) this.#text.textContent = text;
    if (level) this.setAttribute("level", level);
    else this.removeAttribute("level");
  }

  #level(seconds) {
    const over = (name) => this.hasAttribute(name) && seconds > Number(this.getAttribute(name));
    return over("late") ? "late" : over("warn") ? "warn" : null;
  }
}

customElements.define("call-timer", CallTimer);
