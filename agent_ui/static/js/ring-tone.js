// <ring-tone>: the phone rings in the loudspeaker too, and says in an amber strip when it cannot, or
// when the browser shows no notifications: both are asked for by the click that signs the agent in.
//
// Browsers make no sound before somebody touched the page. While the agent talks a second call is one
// soft beep, not a ring.

import { t } from "./messages.js";
import { FULL, SOFT, beep, ring } from "./tone.js";

const POPS = "screen-pops";
const BEEP = 0.4; // seconds

class RingTone extends HTMLElement {
  #audio = null;
  #ringing = new Map(); // call → its tone, null while the browser allows no sound
  #stop = null;

  connectedCallback() {
    this.#audio = new AudioContext();
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    const unlock = () => this.#audio.resume();
    addEventListener("pointerdown", unlock, { signal });
    addEventListener("keydown", unlock, { signal });
    this.#audio.addEventListener("statechange", () => this.#awake(), { signal });
    document.addEventListener("live:call.offered", ({ detail }) => this.#ring(named(detail)), { signal });
    for (const type of ["call.withdrawn", "call.answered", "call.ended"]) {
      document.addEventListener(`live:${type}`, ({ detail }) => this.#silence(named(detail)), { signal });
    }
    // The desk as the server draws it is the truth: a ring that is no longer there is silent.
    document.addEventListener("live:region", ({ detail }) => this.#drawn(detail.id), { signal });
    document.addEventListener("DOMContentLoaded", () => this.#drawn(POPS), { signal });
    this.#drawn(POPS);
    this.#draw();
  }

  disconnectedCallback() {
    this.#stop.abort();
    this.#audio.close();
  }

  #awake() {
    for (const [call, tone] of this.#ringing) if (!tone) this.#sound(call);
    this.#draw();
  }

  // --- the tone ----------------------------------------------------------------------------------

  #ring(call) {
    if (!call || this.#ringing.has(call)) return;
    this.#ringing.set(call, null);
    this.#sound(call);
  }

  #sound(call) {
    if (this.#audio.state !== "running") return;
    const talks = document.querySelector("#call-bar:not([hidden])") !== null;
    this.#ringing.set(call, talks ? beep(this.#audio, SOFT, BEEP) : ring(this.#audio, FULL));
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

  // --- the strip ---------------------------------------------------------------------------------

  #draw() {
    const strips = [];
    if (this.#audio.state === "suspended") {
      strips.push(
        this.#strip(t("The browser makes no sound yet: you would not hear a call."), t("Switch on the ring tone"), () =>
          this.#audio.resume(),
        ),
      );
    }
    // On plain http there are no notifications at all, and another strip says that it is plain http.
    const permission = isSecureContext ? globalThis.Notification?.permission : "granted";
    if (permission === "default") {
      strips.push(
        this.#strip(t("In another tab you would see no call."), t("Allow notifications"), async () => {
          await Notification.requestPermission();
          this.#draw();
        }),
      );
    } else if (permission === "denied") {
      strips.push(
        this.#strip(t("The browser blocks notifications: in another tab you see no call. Allow them in the site settings beside the address.")),
      );
    }
    this.replaceChildren(...strips);
  }

  #strip(text, act, clicked) {
    const line = document.createElement("p");
    line.className = "strip strip-warn";
    line.setAttribute("role", "status");
    line.append(text);
    if (act) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button";
      button.textContent = act;
      button.addEventListener("click", clicked);
      line.append(" ", button);
    }
    return line;
  }
}

/** The call's id in a frame: `call` is the id, or the call's JSON. */
function named(frame) {
  return typeof frame.call === "string" ? frame.call : frame.call?.call_id;
}

customElements.define("ring-tone", RingTone);
