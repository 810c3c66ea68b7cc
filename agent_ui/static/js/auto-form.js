// <auto-form><form method="post" action="…">: a command. Sent by fetch, answered by 204; the event that
// follows redraws the page, so the button only shows that it is busy. A refusal is told in words.

import { idempotency_key, post, problem } from "./request.js";
import { t } from "./messages.js";

const FORGET_BUSY = 5_000; // no event came: the button may be tried again
const SHORTEST_PAUSE = 1_000; // a key that bounces shall not hang up the next call as well

class AutoForm extends HTMLElement {
  #sent_at = new WeakMap(); // form → when

  connectedCallback() {
    this.addEventListener("submit", this);
  }

  async handleEvent(submit) {
    submit.preventDefault();
    const form = submit.target;
    if (form.getAttribute("aria-busy") === "true") return;
    if (performance.now() - (this.#sent_at.get(form) ?? -Infinity) < SHORTEST_PAUSE) return;
    this.#sent_at.set(form, performance.now());
    form.setAttribute("aria-busy", "true");
    const data = new FormData(form, submit.submitter);
    try {
      const response = await post(form.action, data, { key: idempotency_key() });
      if (!response.ok) this.#say((await problem(response)) ?? t("It was not done. Try again."));
      else {
        this.#say("");
        form.dispatchEvent(new CustomEvent("auto-form:done", { bubbles: true }));
      }
      setTimeout(() => form.removeAttribute("aria-busy"), response.ok ? FORGET_BUSY : 0);
    } catch {
      form.removeAttribute("aria-busy");
      this.#say(t("The server could not be reached. Use your phone."));
    }
  }

  #say(text) {
    let line = this.querySelector(":scope > .refusal");
    if (!text) {
      line?.remove();
      return;
    }
    if (!line) {
      line = document.createElement("p");
      line.className = "refusal problem";
      line.setAttribute("role", "alert");
      this.append(line);
    }
    line.textContent = text;
  }
}

customElements.define("auto-form", AutoForm);
