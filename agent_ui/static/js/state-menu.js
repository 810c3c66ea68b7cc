// <state-menu popover>: the reasons for a pause. It closes once one is chosen; what comes of it, or why
// not, is said beside it.

class StateMenu extends HTMLElement {
  connectedCallback() {
    this.addEventListener("submit", () => this.hidePopover());
  }
}

customElements.define("state-menu", StateMenu);
