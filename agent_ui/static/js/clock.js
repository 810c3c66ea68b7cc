// The server's time, as well as the browser can know it; and how a span reads.

let offset = null;

/** Learn from a stamp that the server made just now. Late arrival makes a stamp look old, so the
 *  largest difference seen is the nearest to the truth. */
export function learn(stamp) {
  const seen = Date.parse(stamp) - Date.now();
  if (Number.isFinite(seen)) offset = offset === null ? seen : Math.max(offset, seen);
}

/** Forget what was learnt: after sleep or a new connection the clock may have been set. */
export function forget() {
  offset = null;
}

/** Milliseconds since the epoch, by the server's clock. */
export function now() {
  return Date.now() + (offset ?? 0);
}

/** mm:ss, from one hour h:mm:ss. */
export function span(milliseconds) {
  const whole = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const rest = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}

const watchers = new Set();
let ticking = null;

/** Call `draw` each second, with all others, until the returned function is called. */
export function each_second(draw) {
  watchers.add(draw);
  ticking ??= setInterval(() => watchers.forEach((each) => each()), 1000);
  return () => {
    watchers.delete(draw);
    if (watchers.size === 0) {
      clearInterval(ticking);
      ticking = null;
    }
  };
}
