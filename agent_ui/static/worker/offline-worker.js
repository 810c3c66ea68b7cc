// The service worker: where the server does not answer a page, a page of ours says so and what still
// works, in place of the browser's own. It keeps that one page and touches nothing else.

const STORE = "offline-page";

self.addEventListener("install", (event) => event.waitUntil(prepare(event)));
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("message", (event) => event.waitUntil(keep(event.data)));
self.addEventListener("fetch", (event) => {
  if (event.request.mode === "navigate" && event.request.method === "GET") {
    event.respondWith(fetch(event.request).catch(kept));
  }
});

/** Everything but pages goes past the worker: what a page sends while it is being left (the last words
 *  of a note) would die with it here. A browser that cannot do that gets no worker: this then fails. */
async function prepare(event) {
  await event.addRoutes([
    { condition: { requestMode: "cors" }, source: "network" },
    { condition: { requestMode: "same-origin" }, source: "network" },
    { condition: { requestMode: "no-cors" }, source: "network" },
    { condition: { requestMethod: "POST" }, source: "network" },
  ]);
  await self.skipWaiting();
}

/** Keep the page at this address, and no other: language and release are in it. */
async function keep(address) {
  const store = await caches.open(STORE);
  if (await store.match(address)) return;
  await store.add(address);
  for (const other of await store.keys()) {
    if (!other.url.endsWith(address)) await store.delete(other);
  }
}

async function kept() {
  const store = await caches.open(STORE);
  const [page] = await store.keys();
  return (page && (await store.match(page))) ?? Response.error();
}
