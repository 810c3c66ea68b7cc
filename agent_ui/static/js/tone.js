// The sound of a ringing phone, made by WebAudio: 450 Hz, what a Chinese caller hears when it rings.

const PITCH = 450; // Hz
const RING = 1.0; // seconds of tone …
const PERIOD = 5.0; // … in each of these
const RAMP = 3; // seconds until a ring is as loud as it gets
export const FULL = 0.22; // of full scale
export const SOFT = 0.06;

/** Rings without end, until it is stopped. One buffer: a hidden tab slows timers, not the audio clock. */
export function ring(audio, volume) {
  return play(audio, wave(audio, RING, PERIOD), { volume, from: volume / 3, again: true });
}

/** One tone of so many seconds. */
export function beep(audio, volume, seconds) {
  return play(audio, wave(audio, seconds, seconds), { volume, from: volume });
}

function wave(audio, sounding, whole) {
  const rate = audio.sampleRate;
  const buffer = audio.createBuffer(1, Math.round(rate * whole), rate);
  const samples = buffer.getChannelData(0);
  const length = Math.min(samples.length, rate * sounding);
  for (let i = 0; i < length; i += 1) {
    const edge = Math.min(1, i / 400, (length - i) / 400); // no click at either end
    samples[i] = Math.sin((2 * Math.PI * PITCH * i) / rate) * edge;
  }
  return buffer;
}

function play(audio, buffer, { volume, from, again = false }) {
  const source = audio.createBufferSource();
  source.buffer = buffer;
  source.loop = again;
  const gain = audio.createGain();
  gain.gain.setValueAtTime(from, audio.currentTime);
  if (again) gain.gain.linearRampToValueAtTime(volume, audio.currentTime + RAMP);
  source.connect(gain).connect(audio.destination);
  source.start();
  return source;
}
