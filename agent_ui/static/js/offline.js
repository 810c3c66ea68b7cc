// A page for when the server is away: kept beforehand by the service worker, which stands in for a page
// that cannot be had. <offline-page> on it asks until the server answers, then loads what was wanted.

const ASK_AGAIN = 3_000;

class OfflinePage extends HTMLElement {
  #asking = null;

  connectedCallback() {
    this.#asking = setInterval(() => this.#ask(), ASK_AGAIN);
    addEventListener("online", () => this.#ask());
    this.addEventListener("click", () => location.reload());
  }

  disconnectedCallback() {
    clearInterval(this.#asking);
  }

  async #ask() {
    try {
      const response = await fetch("/healthz", { cache: "no-store" });
      if (response.ok) location.reload();
    } catch {
      // Still away: the page says so already.
    }
  }
}

customElements.define("offline-page", OfflinePage);

/** The page in this language and of this release; there are no workers on plain http. */
async function keep() {
  const { lang, dataset } = document.documentElement;
  await navigator.serviceWorker.register("/offline-worker.js");
  const { active } = await navigator.serviceWorker.ready;
  active.postMessage(`/offline/${lang}?${dataset.icons}`);
}

// A browser that keeps nothing (a private window, a policy) shows its own page: no more is lost.
if ("serviceWorker" in navigator) keep().catch(() => {});
