// <note-editor call revision><form>: the note of a call. Saved 2 s after the last key and on leaving a
// field; submitted by Ctrl+Enter. Each save carries a higher revision, so one that arrives late
// changes nothing. Nothing typed is lost: a save that fails is tried again.

import { post, problem } from "./request.js";
import { t } from "./messages.js";

const PAUSE = 2_000;
const AGAIN = 5_000;

class NoteEditor extends HTMLElement {
  #timer = null;
  #revision = 0;
  #sending = Promise.resolve();
  #dirty = false;
  #stop = null;

  connectedCallback() {
    this.#revision = Number(this.getAttribute("revision"));
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.addEventListener("input", () => this.#changed(), { signal });
    this.addEventListener("focusout", () => this.#dirty && this.#save(), { signal });
    this.addEventListener("submit", (event) => this.#submit(event), { signal });
    addEventListener("pagehide", () => this.#dirty && this.#save({ keepalive: true }), { signal });
  }

  disconnectedCallback() {
    this.#stop.abort();
    clearTimeout(this.#timer);
    if (this.#dirty) this.#save({ keepalive: true });
  }

  #changed() {
    this.#dirty = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#save(), PAUSE);
  }

  #submit(event) {
    event.preventDefault();
    this.#save({ submitted: true });
  }

  /** One save after the other, never two at once: the last word is the one that stays. */
  #save(how = {}) {
    clearTimeout(this.#timer);
    this.#sending = this.#sending.then(() => this.#send(how));
  }

  async #send({ submitted = false, keepalive = false }) {
    const form = this.querySelector("form");
    if (!form || (!this.#dirty && !submitted)) return;
    const data = new FormData(form);
    this.#revision = Math.max(this.#revision, Number(this.getAttribute("revision"))) + 1;
    data.set("revision", this.#revision);
    if (submitted) data.set("submit", "1");
    this.#dirty = false;
    if (submitted) form.setAttribute("aria-busy", "true");
    try {
      const response = await post(form.action, data, { keepalive });
      if (!response.ok) throw new Error((await problem(response)) ?? "");
      this.#say(t("Saved at"), "saved", new Date().toLocaleTimeString("sv-SE"));
    } catch (wrong) {
      this.#dirty = true;
      this.#say(wrong.message || t("Not saved; trying again"), "failed");
      if (!submitted && this.isConnected) this.#timer = setTimeout(() => this.#save(), AGAIN);
    } finally {
      form.removeAttribute("aria-busy");
    }
  }

  #say(text, state, time = "") {
    const line = this.querySelector("[data-saved]");
    if (!line) return;
    line.dataset.state = state;
    line.textContent = time ? `${text} ${time}` : text;
  }
}

customElements.define("note-editor", NoteEditor);
