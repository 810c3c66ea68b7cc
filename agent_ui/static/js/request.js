// POST to our own server: CSRF token and idempotency key in headers, so that sending twice is once.

/** A key that names one wish of one person; also where the page is not a secure context. */
export function idempotency_key() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Send a form's data. Resolves to the response, whatever its status; rejects when nothing came. */
export function post(action, data, { key = idempotency_key(), keepalive = false } = {}) {
  const token = document.querySelector('meta[name="csrf-token"]')?.content ?? "";
  return fetch(action, {
    method: "POST",
    body: new URLSearchParams(data),
    headers: { "X-CSRF-Token": token, "Idempotency-Key": key, Accept: "application/problem+json" },
    credentials: "same-origin",
    redirect: "error",
    keepalive,
  });
}

/** What a refusal says to people: the problem's own sentence, else none. */
export async function problem(response) {
  try {
    return (await response.json()).detail ?? null;
  } catch {
    return null;
  }
}
