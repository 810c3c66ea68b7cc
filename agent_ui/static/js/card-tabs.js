// <card-tabs>: the cards of several calls, one shown at a time. A new call never takes the place of the
// one somebody is writing about: its tab stands beside it until it is chosen, or until that one goes.

class CardTabs extends HTMLElement {
  #chosen = null;
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
    const chosen = cards.find((card) => card.id === this.#chosen) ?? this.#next(cards);
    this.#chosen = chosen?.id ?? null;
    for (const card of cards) card.hidden = card !== chosen;
    for (const tab of this.querySelectorAll("[role=tab]")) {
      const selected = tab.getAttribute("aria-controls") === this.#chosen;
      tab.setAttribute("aria-selected", selected);
      tab.tabIndex = selected ? 0 : -1;
    }
  }

  /** Without a choice: the call that is talked with, else the oldest. */
  #next(cards) {
    return cards.find((card) => card.dataset.state === "talking") ?? cards[0];
  }
}

customElements.define("card-tabs", CardTabs);
