// <queue-choice>: shows the agents of one queue only. A click on a queue's name chooses it, a second one
// or Escape ends that; J and K go from queue to queue.
//
// What is chosen is a style sheet and not an attribute of the tiles: a redraw would put those back.

const FIELDS = "input, textarea, select, [contenteditable]";

class QueueChoice extends HTMLElement {
  #chosen = null;
  #sheet = new CSSStyleSheet();
  #stop = null;

  connectedCallback() {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    document.adoptedStyleSheets.push(this.#sheet);
    this.addEventListener("click", (event) => this.#clicked(event), { signal });
    document.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    document.addEventListener("live:region", () => this.#mark(), { signal });
    this.#mark();
  }

  disconnectedCallback() {
    this.#stop.abort();
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((s) => s !== this.#sheet);
  }

  #clicked({ target }) {
    const button = target.closest("[data-choose]");
    if (button) this.#choose(button.dataset.choose === this.#chosen ? null : button.dataset.choose);
  }

  #choose(queue) {
    this.#chosen = queue;
    const name = queue === null ? "" : CSS.escape(queue);
    this.#sheet.replaceSync(
      queue === null ? "" : `.agent-tile:not([data-queues~="${name}"]) { display: none; }`,
    );
    this.#mark();
  }

  /** Say which one it is: also after a redraw, which does not know. */
  #mark() {
    for (const button of this.#buttons()) {
      button.setAttribute("aria-pressed", String(button.dataset.choose === this.#chosen));
    }
  }

  #buttons() {
    return [...this.querySelectorAll("[data-choose]")];
  }

  #pressed(event) {
    if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.target.closest?.(FIELDS) || document.querySelector("dialog[open]")) return;
    if (event.code === "Escape") this.#choose(null);
    const step = { KeyJ: 1, KeyK: -1 }[event.code];
    if (!step) return;
    const buttons = this.#buttons();
    const at = buttons.indexOf(document.activeElement);
    const next = at < 0 && step < 0 ? buttons.length - 1 : at + step;
    buttons[Math.min(Math.max(next, 0), buttons.length - 1)]?.focus();
  }
}

customElements.define("queue-choice", QueueChoice);
