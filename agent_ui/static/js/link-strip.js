// <link-strip>: one line under the top bar that says which link is lost, since when, and what still works.
//
// Up to 2 s nothing, to 10 s amber, then red; a lost PBX or phone is red at once. Live numbers are hatched
// meanwhile by [data-live] on the root element: what is not known must not look like what is.

import { each_second, now, span } from "./clock.js";
import { t } from "./messages.js";

const QUIET = 2_000;
const AMBER = 10_000;
const GOOD_NEWS = 3_000;
const CATCHING_UP = 700; // what comes this soon after the link is back was missed before

class LinkStrip extends HTMLElement {
  #link = { state: "connecting" };
  #back = null;
  #stop = null;
  #shown = "";

  connectedCallback() {
    const abort = new AbortController();
    const { signal } = abort;
    document.addEventListener("live:state", ({ detail }) => this.#changed(detail), { signal });
    document.addEventListener("live:region", () => this.#frame(), { signal });
    const ticking = each_second(() => this.#draw());
    this.#stop = () => (abort.abort(), ticking());
    this.#draw();
  }

  disconnectedCallback() {
    this.#stop();
  }

  #changed(link) {
    this.#link = link;
    if (link.state === "open" && link.was_lost) {
      this.#back = { at: Date.now(), frames: 0 };
      setTimeout(() => this.#draw(), CATCHING_UP);
    }
    this.#draw();
  }

  #frame() {
    if (this.#back && Date.now() - this.#back.at < CATCHING_UP) this.#back.frames += 1;
    this.#draw();
  }

  #draw() {
    const [live, kind, text] = this.#state();
    document.documentElement.dataset.live = live;
    hold(live === "lost");
    if (text === this.#shown) return;
    this.#shown = text;
    if (!text) {
      this.replaceChildren();
      return;
    }
    const line = this.firstElementChild ?? document.createElement("p");
    line.className = `strip strip-${kind}`;
    line.setAttribute("role", kind === "danger" ? "alert" : "status");
    line.textContent = text;
    if (!line.isConnected) this.append(line);
  }

  /** [how live the page is, the strip's kind, its text or ""] */
  #state() {
    const { state, since, attempts } = this.#link;
    if (state === "ended") {
      return ["lost", "danger", t("Your session has ended. Load the page again and sign in.")];
    }
    const lost_for = state === "stale" ? Date.now() - since : 0;
    if (lost_for > AMBER) {
      const text = t("No connection to the server for %(time)s. Calls go on at your phone; what stands here is the last known state.", { time: span(lost_for) });
      return ["lost", "danger", text];
    }
    if (lost_for > QUIET) {
      return ["stale", "warn", t("Reconnecting … (attempt %(count)s)", { count: attempts })];
    }
    const pbx = document.getElementById("connection")?.dataset;
    if (pbx?.link && pbx.link !== "up") {
      const time = span(now() - Date.parse(pbx.since));
      return ["stale", "danger", t("No connection to the PBX for %(time)s: states and counts may be wrong. Calls go on.", { time })];
    }
    if (pbx?.phone === "down") {
      return ["ok", "danger", t("Your phone is not connected: no call can reach you. Check its power and network, or sign in at another one. Notes and customers' files work.")];
    }
    if (this.#back && Date.now() - this.#back.at < GOOD_NEWS) {
      return ["ok", "good", t("The connection is back; what was missed has been drawn (%(count)s).", { count: this.#back.frames })];
    }
    return ["ok", "", ""];
  }
}

/** What only the server can do is disabled while it is away; the page itself says why beside it. */
function hold(lost) {
  for (const button of document.querySelectorAll(lost ? "[data-needs-server]:enabled" : "[data-held]")) {
    button.disabled = lost;
    button.toggleAttribute("data-held", lost);
  }
}

customElements.define("link-strip", LinkStrip);
