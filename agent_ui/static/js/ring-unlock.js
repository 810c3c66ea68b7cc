// <ring-unlock><form>: the click that signs an agent in at a phone also lets the browser ring: it asks
// for notifications and plays the tone for 200 ms. Then the form goes its way, whatever was answered;
// what is missing the desk says. A button with data-try plays the ring tone once.

import { FULL, beep } from "./tone.js";

const TEST = 0.2; // seconds
const TRY = 1.0;
const PATIENCE = 15_000; // a question that nobody answers does not keep anybody from work

class RingUnlock extends HTMLElement {
  #audio = null;
  #asked = false;

  connectedCallback() {
    this.addEventListener("submit", (event) => this.#submit(event));
    this.addEventListener("click", ({ target }) => {
      if (target.closest("[data-try]")) this.#sound(TRY);
    });
  }

  async #submit(event) {
    if (this.#asked) return;
    event.preventDefault();
    const form = event.target;
    if (form.getAttribute("aria-busy") === "true") return;
    form.setAttribute("aria-busy", "true");
    await Promise.all([this.#sound(TEST), permission()]);
    this.#asked = true;
    form.requestSubmit(event.submitter);
  }

  /** Resolves when the tone is over; at once where the browser makes no sound. */
  async #sound(seconds) {
    this.#audio ??= new AudioContext();
    await Promise.race([this.#audio.resume(), after(TEST * 1000)]);
    if (this.#audio.state !== "running") return;
    beep(this.#audio, FULL, seconds);
    await after(seconds * 1000);
  }
}

function permission() {
  if (!isSecureContext || globalThis.Notification?.permission !== "default") return null;
  return Promise.race([Notification.requestPermission(), after(PATIENCE)]);
}

function after(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

customElements.define("ring-unlock", RingUnlock);
