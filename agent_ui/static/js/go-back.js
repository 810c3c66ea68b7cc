// <go-back hidden><button>: back to the page before, shown where there is one.

class GoBack extends HTMLElement {
  connectedCallback() {
    this.hidden = history.length < 2;
    this.addEventListener("click", () => history.back());
  }
}

customElements.define("go-back", GoBack);
