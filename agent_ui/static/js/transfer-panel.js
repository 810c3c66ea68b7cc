// <transfer-panel popover data-list="/desk/targets">: where a call can go. Opened by what carries
// data-transfer (the call), it reads the list and, while it is open, reads it again: states change.
// Typing filters, the arrows choose, Enter sends; while an input method composes every key is its own.

const EVERY = 2_000;
const NUMBER = /^[+0-9][0-9 ()-]{2,30}$/;

class TransferPanel extends HTMLElement {
  #call = null;
  #chosen = null;
  #stop = null;
  #ticking = null;

  connectedCallback() {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    document.addEventListener("click", (event) => this.#clicked(event), { signal });
    this.addEventListener("toggle", (event) => this.#toggled(event), { signal });
    this.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    this.addEventListener("input", () => this.#filter(), { signal });
    this.addEventListener("submit", (event) => this.#submit(event), { signal, capture: true });
  }

  disconnectedCallback() {
    this.#stop.abort();
    clearInterval(this.#ticking);
  }

  #clicked({ target }) {
    const opener = target.closest("[data-transfer]");
    if (opener) {
      this.#call = opener.dataset.transfer;
      this.togglePopover();
      return;
    }
    const option = this.contains(target) && target.closest("[role=option]");
    if (option) this.#choose(option);
  }

  #toggled({ newState }) {
    clearInterval(this.#ticking);
    if (newState !== "open") return;
    this.#search.value = "";
    this.#chosen = null;
    const form = this.querySelector("form");
    form.action = `/calls/${this.#call}/transfer`;
    form.removeAttribute("aria-busy"); // nothing redraws the panel, as it does a button of the bar
    this.querySelector(".refusal")?.remove();
    this.#search.focus();
    this.#filter(); // of the list as it was last, until the present one is here
    this.#read();
    this.#ticking = setInterval(() => this.#read(), EVERY);
  }

  async #read() {
    if (!document.getElementById(`bar-${this.#call}`)) {
      this.hidePopover(); // the call is over
      return;
    }
    try {
      const response = await fetch(this.dataset.list, { credentials: "same-origin" });
      if (!response.ok || !this.matches(":popover-open")) return;
      this.#list.innerHTML = await response.text();
      this.#filter();
    } catch {
      // the link is lost, and the page says so; the list stays as it was
    }
  }

  /** Show what is found by the words that were typed, and choose the first unless one is chosen; before
   *  anything was typed the first who can take a call, or Enter would send it to somebody who talks. */
  #filter() {
    const words = this.#search.value.trim().toLowerCase().split(/\s+/);
    const template = this.querySelector("template");
    this.#list.querySelector("[data-kind=number]")?.remove();
    if (template && NUMBER.test(this.#search.value.trim())) {
      const outside = template.content.firstElementChild.cloneNode(true);
      outside.dataset.exten = this.#search.value.trim();
      outside.dataset.words = this.#search.value.toLowerCase();
      outside.querySelector("b").textContent = outside.dataset.exten;
      this.#list.append(outside);
    }
    for (const option of this.#list.children) {
      option.hidden = !words.every((word) => option.dataset.words.includes(word));
    }
    this.querySelector(".transfer-none").hidden = this.#options.length > 0;
    const options = this.#options;
    const first = words[0] ? options[0] : options.find((option) => "takes" in option.dataset);
    this.#choose(options.find((option) => option.id === this.#chosen) ?? first);
  }

  #choose(option) {
    this.#chosen = option?.id ?? null;
    for (const each of this.#list.children) {
      each.setAttribute("aria-selected", String(each === option));
    }
    option?.scrollIntoView({ block: "nearest" });
    if (option) this.#search.setAttribute("aria-activedescendant", option.id);
    else this.#search.removeAttribute("aria-activedescendant");
    this.querySelector("[name=kind]").value = option?.dataset.kind ?? "";
    this.querySelector("[name=exten]").value = option?.dataset.exten ?? "";
  }

  #pressed(event) {
    if (event.isComposing || event.keyCode === 229) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = this.#options.findIndex((option) => option.id === this.#chosen);
    this.#choose(this.#options[Math.min(Math.max(at + step, 0), this.#options.length - 1)]);
  }

  /** What was chosen goes out by auto-form; the panel stays until that was done, to say why not. */
  #submit(event) {
    if (!this.#chosen) {
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    this.addEventListener("auto-form:done", () => this.hidePopover(), { once: true });
  }

  get #search() {
    return this.querySelector("[role=combobox]");
  }

  get #list() {
    return this.querySelector("[role=listbox]");
  }

  get #options() {
    return [...this.#list.children].filter((option) => !option.hidden);
  }
}

customElements.define("transfer-panel", TransferPanel);
