// <connection-light>: the link between this browser and the server, as colour, icon and word.
//
// The other light, server to PBX, is a region that the server draws.

import { t } from "./messages.js";

const STALE_AFTER = 2_000; // a blink is no news

const LOOKS = {
  open: { text: () => t("Server OK"), icon: "server", colour: "ready" },
  connecting: { text: () => t("Connecting"), icon: "refresh", colour: "paused" },
  stale: { text: () => t("Reconnecting"), icon: "refresh", colour: "paused" },
  ended: { text: () => t("Signed out"), icon: "lock", colour: "offline" },
};

const sheet = new CSSStyleSheet();
sheet.replaceSync(`
  :host { display: inline-flex; }
  span.light { display: inline-flex; align-items: center; gap: 6px; padding: 2px 10px;
    line-height: 1.6; border-radius: 999px; font-size: var(--text-meta); font-weight: 600; white-space: nowrap; }
  svg { width: 1.15em; height: 1.15em; fill: none; stroke: currentcolor; stroke-width: 1.75;
    stroke-linecap: round; stroke-linejoin: round; }
  .ready { color: var(--color-ready); background: var(--color-ready-tint); }
  .paused { color: var(--color-paused); background: var(--color-paused-tint); }
  .offline { color: var(--color-offline); background: var(--color-offline-tint); }
`);

class ConnectionLight extends HTMLElement {
  #stop = null;
  #later = null;

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet];
  }

  connectedCallback() {
    this.setAttribute("role", "status");
    this.#stop = new AbortController();
    document.addEventListener("live:state", ({ detail }) => this.#changed(detail.state), {
      signal: this.#stop.signal,
    });
    this.#draw("connecting");
  }

  disconnectedCallback() {
    this.#stop.abort();
    clearTimeout(this.#later);
  }

  #changed(state) {
    if (state !== "stale") {
      clearTimeout(this.#later);
      this.#later = null;
      this.#draw(state);
    } else {
      this.#later ??= setTimeout(() => this.#draw(state), STALE_AFTER);
    }
  }

  #draw(state) {
    const { text, icon, colour } = LOOKS[state];
    const light = document.createElement("span");
    light.className = `light ${colour}`;
    light.append(picture(icon), text());
    this.shadowRoot.replaceChildren(light);
  }
}

function picture(name) {
  const [svg, use] = ["svg", "use"].map((tag) =>
    document.createElementNS("http://www.w3.org/2000/svg", tag),
  );
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `${document.documentElement.dataset.icons}#${name}`);
  svg.append(use);
  return svg;
}

customElements.define("connection-light", ConnectionLight);
