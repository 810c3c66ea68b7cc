// <ring-tone>: the phone rings in the loudspeaker too. Made by WebAudio: 450 Hz, one second in five.
//
// Browsers make no sound before somebody touched the page: until then a button says so. While the
// agent talks a second call is one soft beep, not a ring. With the attribute `test` it is a button
// that plays the tone once (the page where the device is chosen).

import { t } from "./messages.js";

const PITCH = 450; // Hz, what a Chinese caller hears when it rings
const RING = 1.0; // seconds of tone …
const PERIOD = 5.0; // … in each of these
const FULL = 0.22; // of full scale, reached at the second ring
const SOFT = 0.06;
const POPS = "screen-pops";

const sheet = new CSSStyleSheet();
sheet.replaceSync(`
  :host { display: inline-flex; }
  button { display: inline-flex; align-items: center; min-height: 32px; padding: 0 12px; font: inherit;
    color: var(--color-warn); background: var(--color-warn-tint); cursor: pointer;
    border: 1px solid currentcolor; border-radius: var(--radius); white-space: nowrap; }
  :host([test]) button { color: var(--color-text); background: var(--color-panel);
    border-color: var(--color-line); min-height: 44px; }
  button:focus-visible { outline: 2px solid var(--color-accent); outline-offset: 2px; }
`);

class RingTone extends HTMLElement {
  #audio = null;
  #ringing = new Map(); // call → its tone, null while the browser allows no sound
  #button = document.createElement("button");
  #stop = null;

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet];
    this.#button.type = "button";
  }

  connectedCallback() {
    this.#audio = new AudioContext();
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    const unlock = () => this.#audio.resume();
    addEventListener("pointerdown", unlock, { signal });
    addEventListener("keydown", unlock, { signal });
    this.#audio.addEventListener("statechange", () => this.#awake(), { signal });
    this.#button.addEventListener("click", () => this.#clicked(), { signal });
    if (!this.hasAttribute("test")) {
      document.addEventListener("live:call.offered", ({ detail }) => this.#ring(named(detail)), { signal });
      for (const type of ["call.withdrawn", "call.answered", "call.ended"]) {
        document.addEventListener(`live:${type}`, ({ detail }) => this.#silence(named(detail)), { signal });
      }
      // The desk as the server draws it is the truth: a ring that is no longer there is silent.
      document.addEventListener("live:region", ({ detail }) => this.#drawn(detail.id), { signal });
      document.addEventListener("DOMContentLoaded", () => this.#drawn(POPS), { signal });
      this.#drawn(POPS);
    }
    this.#draw();
  }

  disconnectedCallback() {
    this.#stop.abort();
    this.#audio.close();
  }

  #draw() {
    const test = this.hasAttribute("test");
    const needed = test || this.#audio.state === "suspended";
    this.#button.textContent = test ? this.dataset.label : t("Switch on the ring tone");
    this.shadowRoot.replaceChildren(...(needed ? [this.#button] : []));
  }

  async #clicked() {
    await this.#audio.resume();
    if (this.hasAttribute("test")) this.#tone(FULL, false);
  }

  #awake() {
    for (const [call, tone] of this.#ringing) if (!tone) this.#sound(call);
    this.#draw();
  }

  #ring(call) {
    if (!call || this.#ringing.has(call)) return;
    this.#ringing.set(call, null);
    this.#sound(call);
  }

  #sound(call) {
    if (this.#audio.state !== "running") return;
    const talks = document.querySelector("#call-bar:not([hidden])") !== null;
    this.#ringing.set(call, this.#tone(talks ? SOFT : FULL, !talks));
  }

  #silence(call) {
    this.#ringing.get(call)?.stop();
    this.#ringing.delete(call);
  }

  #drawn(region) {
    if (region !== POPS) return;
    const calls = [...document.querySelectorAll(`#${POPS} .screen-pop`)].map((pop) => pop.dataset.call);
    for (const call of this.#ringing.keys()) if (!calls.includes(call)) this.#silence(call);
    for (const call of calls) this.#ring(call);
  }

  /** One ring, or rings without end, as one buffer: a hidden tab slows timers, not the audio clock. */
  #tone(volume, again) {
    const rate = this.#audio.sampleRate;
    const buffer = this.#audio.createBuffer(1, Math.round(rate * PERIOD), rate);
    const wave = buffer.getChannelData(0);
    const length = RING * rate * (again ? 1 : 0.4);
    for (let i = 0; i < length; i += 1) {
      const edge = Math.min(1, i / 400, (length - i) / 400); // no click at either end
      wave[i] = Math.sin((2 * Math.PI * PITCH * i) / rate) * edge;
    }
    const source = this.#audio.createBufferSource();
    source.buffer = buffer;
    source.loop = again;
    const gain = this.#audio.createGain();
    gain.gain.setValueAtTime(again ? volume / 3 : volume, this.#audio.currentTime);
    if (again) gain.gain.linearRampToValueAtTime(volume, this.#audio.currentTime + 3);
    source.connect(gain).connect(this.#audio.destination);
    source.start();
    return source;
  }
}

/** The call's id in a frame: `call` is the id, or the call's JSON. */
function named(frame) {
  return typeof frame.call === "string" ? frame.call : frame.call?.call_id;
}

customElements.define("ring-tone", RingTone);
