// <hot-keys>: keys press what carries data-key. "Alt+KeyQ" and "Ctrl+Enter" work everywhere, a bare
// "Digit1" or "?" only outside fields. By physical key (event.code), so that no input method and no
// layout changes it; while an input method composes, every key is its own. An open menu takes the bare
// keys first. Escape leaves a field, so that after typing the digits are keys again.

const FIELDS = "input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable]";

class HotKeys extends HTMLElement {
  #stop = null;

  connectedCallback() {
    this.#stop = new AbortController();
    document.addEventListener("keydown", (event) => this.#pressed(event), {
      signal: this.#stop.signal,
    });
  }

  disconnectedCallback() {
    this.#stop.abort();
  }

  #pressed(event) {
    if (event.isComposing || event.keyCode === 229 || event.repeat) return;
    const key = name_of(event);
    if (!key) return;
    const bare = !event.altKey && !event.ctrlKey;
    const field = event.target.closest?.(FIELDS);
    if (bare && field) {
      if (key === "Escape") field.blur();
      return;
    }
    if (key === "?") {
      document.getElementById("keys")?.showModal();
      return;
    }
    if (bare && document.querySelector("dialog[open]")) return;
    const within = (bare && document.querySelector(":popover-open")) || document;
    const target = [...within.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)].find(in_sight);
    if (!target) return;
    event.preventDefault();
    if (target.matches("textarea")) target.focus();
    else target.click();
  }
}

function name_of(event) {
  if (event.metaKey || (event.altKey && event.ctrlKey)) return null;
  if (event.ctrlKey) return event.code === "Enter" ? "Ctrl+Enter" : null;
  if (event.altKey) return `Alt+${event.code}`;
  if (event.key === "?") return "?";
  return event.code.replace(/^Numpad(?=\d$)/, "Digit");
}

/** Shown, and in the card that is chosen: the same key on a hidden card is another call's. */
function in_sight(element) {
  return element.checkVisibility();
}

customElements.define("hot-keys", HotKeys);
