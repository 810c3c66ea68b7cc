// <card-tabs>: the cards of several calls, one shown at a time. A call that is answered comes to the
// front, but never in place of another conversation, or while somebody is writing about a past one: then
// its tab stands beside until it is chosen, or until that one goes.

const FIELDS = "input, textarea, select";

class CardTabs extends HTMLElement {
  #chosen = null;
  #seen = new Set();
  #stop = null;

  connectedCallback() {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.addEventListener("click", (event) => this.#clicked(event), { signal });
    this.addEventListener("keydown", (event) => this.#arrow(event), { signal });
    document.addEventListener("live:region", () => this.#show(), { signal });
    // While the page is still being read the cards are not here yet.
    document.addEventListener("DOMContentLoaded", () => this.#show(), { signal });
    this.#show();
  }

  disconnectedCallback() {
    this.#stop.abort();
  }

  #cards() {
    return [...this.querySelectorAll(".call-card")];
  }

  #clicked(event) {
    const tab = event.target.closest("[role=tab]");
    if (tab) this.#choose(tab.getAttribute("aria-controls"));
  }

  #arrow(event) {
    const tab = event.target.closest("[role=tab]");
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!tab || !step) return;
    const tabs = [...this.querySelectorAll("[role=tab]")];
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    this.#choose(next.getAttribute("aria-controls"));
    next.focus();
  }

  #choose(card) {
    this.#chosen = card;
    this.#show();
  }

  #show() {
    const cards = this.#cards();
    const former = cards.find((card) => card.id === this.#chosen);
    const chosen = this.#answered(cards, former) ?? former ?? this.#next(cards);
    this.#seen = new Set(cards.filter(talks).map((card) => card.id));
    this.#chosen = chosen?.id ?? null;
    for (const card of cards) card.hidden = card !== chosen;
    for (const tab of this.querySelectorAll("[role=tab]")) {
      const selected = tab.getAttribute("aria-controls") === this.#chosen;
      tab.setAttribute("aria-selected", selected);
      tab.tabIndex = selected ? 0 : -1;
    }
  }

  /** A call that has just been answered, if it may come to the front. */
  #answered(cards, former) {
    const writes = former?.contains(document.activeElement) && document.activeElement.matches(FIELDS);
    if (!former || writes || talks(former)) return undefined;
    return cards.find((card) => talks(card) && !this.#seen.has(card.id));
  }

  /** Without a choice: the call that is talked with, else the oldest. */
  #next(cards) {
    return cards.find(talks) ?? cards[0];
  }
}

function talks(card) {
  return card.dataset.state === "talking";
}

customElements.define("card-tabs", CardTabs);
