// <live-socket page="desk" since="SEQ">: the one socket, /api/v1/events, for as long as the page lives.
//
// A frame is JSON {seq, at, type, …}. `region` {id, html} is drawn into the page; then every frame
// becomes a CustomEvent `live:<type>` on document with the frame as detail (`live:call.offered`
// rings). How the link stands is `live:state`, detail {state, since, attempts}:
// connecting → open ⇄ stale (lost, trying) → ended (the session is over; nothing is tried).
// Commands never travel here: a late "hang up" would hit the next call.

import { forget, learn } from "./clock.js";
import { morph } from "./morph.js";

const FIRST_DELAY = 500;
const LONGEST_DELAY = 10_000;
const DEAD_AFTER = 30_000; // the server's heart beats more often
const STEADY_AFTER = 5_000; // a link that held this long starts again with the first delay
const SESSION_ENDED = 4401;

class LiveSocket extends HTMLElement {
  #socket = null;
  #since = "";
  #attempts = 0;
  #lost_at = null;
  #timers = {};
  #stop = null;

  connectedCallback() {
    this.#since = this.getAttribute("since") ?? "";
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    addEventListener("online", () => this.#try_now(), { signal });
    document.addEventListener("visibilitychange", () => document.hidden || this.#try_now(), {
      signal,
    });
    this.#connect();
  }

  disconnectedCallback() {
    this.#stop.abort();
    Object.values(this.#timers).forEach(clearTimeout);
    this.#drop();
  }

  #connect() {
    const address = new URL("/api/v1/events", location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    address.searchParams.set("page", this.getAttribute("page"));
    if (this.#since) address.searchParams.set("since", this.#since);
    this.#drop();
    const socket = (this.#socket = new WebSocket(address));
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.#opened();
    };
    socket.onmessage = (message) => this.#heard(JSON.parse(message.data));
    socket.onclose = async ({ code }) => {
      if (socket !== this.#socket) return;
      const ended = !opened && this.#attempts > 0 && (await signed_out());
      this.#closed(ended ? SESSION_ENDED : code);
    };
    this.#expect_a_frame();
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #opened() {
    forget();
    clearTimeout(this.#timers.steady);
    this.#timers.steady = setTimeout(() => (this.#attempts = 0), STEADY_AFTER);
    const was_lost = this.#lost_at !== null;
    this.#lost_at = null;
    this.#tell("open", { was_lost });
  }

  #closed(code) {
    clearTimeout(this.#timers.steady);
    clearTimeout(this.#timers.dead);
    this.#socket = null;
    if (code === SESSION_ENDED) {
      this.#tell("ended");
      return;
    }
    this.#lost_at ??= Date.now();
    this.#attempts += 1;
    this.#tell("stale");
    const longest = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (this.#attempts - 1));
    // Jitter: two hundred desks shall not come back in the same instant.
    const delay = longest * (0.5 + Math.random() / 2);
    clearTimeout(this.#timers.again);
    this.#timers.again = setTimeout(() => this.#connect(), delay);
  }

  #try_now() {
    if (this.#socket || this.#lost_at === null) return;
    clearTimeout(this.#timers.again);
    this.#connect();
  }

  #expect_a_frame() {
    clearTimeout(this.#timers.dead);
    this.#timers.dead = setTimeout(() => {
      this.#drop();
      this.#closed(1006);
    }, DEAD_AFTER);
  }

  #heard(frame) {
    this.#expect_a_frame();
    if (frame.seq) this.#since = frame.seq;
    // Of these two `at` is the moment of sending; of all others the moment of the fact.
    if (frame.type === "heartbeat" || frame.type === "region") learn(frame.at);
    if (frame.type === "region") draw(frame);
    document.dispatchEvent(new CustomEvent(`live:${frame.type}`, { detail: frame }));
  }

  #tell(state, more = {}) {
    const detail = { state, since: this.#lost_at, attempts: this.#attempts, ...more };
    document.dispatchEvent(new CustomEvent("live:state", { detail }));
  }
}

/** Draw a region anew; one that this page does not have is not for it. */
function draw({ id, html }) {
  const old = document.getElementById(id);
  if (old) morph(old, html);
}

/** Is there nobody signed in any more? A refused handshake looks to a browser like a dead server. */
async function signed_out() {
  try {
    const response = await fetch("/api/v1/live", { headers: { Accept: "application/json" } });
    return response.status === 401;
  } catch {
    return false;
  }
}

customElements.define("live-socket", LiveSocket);
