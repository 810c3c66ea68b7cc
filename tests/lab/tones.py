"""Tones as the telephone carries them: digits as DTMF in G.711 µ-law, and what tones a sound holds.

Pure Python: a second of sound is eight thousand numbers, and only a few frequencies are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

RATE = 8000
PACKET = 160
"""Samples of 20 ms: one RTP packet."""

LOW, HIGH = (697, 770, 852, 941), (1209, 1336, 1477)
KEYS = ("123", "456", "789", "*0#")
DIGITS = {
    key: (LOW[row], HIGH[column])
    for row, keys in enumerate(KEYS)
    for column, key in enumerate(keys)
}

BLOCK = 205
"""Samples that a DTMF receiver looks at: 25 ms, at which the eight frequencies stand apart."""


def tone(frequencies: Iterable[int], seconds: float, level: float = 6000) -> list[int]:
    """Signed 16-bit samples of sines together."""
    steps = [2 * math.pi * frequency / RATE for frequency in frequencies]
    return [
        round(sum(level * math.sin(step * place) for step in steps))
        for place in range(round(seconds * RATE))
    ]


def dialled(digits: str, on: float = 0.1, off: float = 0.08) -> list[int]:
    """The digits as sound, as a keypad makes them."""
    samples: list[int] = []
    for digit in digits:
        samples += tone(DIGITS[digit], on) + [0] * round(off * RATE)
    return samples


def power(samples: Sequence[int], frequency: int) -> float:
    """Goertzel: the mean square that this frequency has in the samples."""
    coefficient = 2 * math.cos(2 * math.pi * frequency / RATE)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + coefficient * last - before
    whole = last * last + before * before - coefficient * last * before
    return 2 * whole / max(1, len(samples)) ** 2


def digits_in(samples: Sequence[int]) -> str:
    """The digits that the sound holds, in their order; what is no clear digit is none.

    Between two equal ones lie at least two blocks: one alone is a frame that was lost in a tone.
    """
    found: list[str] = []
    last: str | None = None
    unclear = 0
    for begin in range(0, len(samples) - BLOCK + 1, BLOCK):
        digit = _digit(samples[begin : begin + BLOCK])
        if digit is None:
            unclear += 1
            continue
        if digit != last or unclear > 1:
            found.append(digit)
        last, unclear = digit, 0
    return "".join(found)


def _digit(block: Sequence[int]) -> str | None:
    if max(block) < 500:
        return None
    low, low_power = _loudest(block, LOW)
    high, high_power = _loudest(block, HIGH)
    whole = sum(sample * sample for sample in block) / len(block)
    # Two tones and hardly anything else: the edges of a tone are no digit, nor is speech.
    if low_power + high_power < 0.7 * whole or min(low_power, high_power) < 0.15 * whole:
        return None
    return KEYS[LOW.index(low)][HIGH.index(high)]


def _loudest(block: Sequence[int], frequencies: Sequence[int]) -> tuple[int, float]:
    powers = {frequency: power(block, frequency) for frequency in frequencies}
    best = max(powers, key=powers.__getitem__)
    return best, powers[best]


# --- G.711 µ-law ----------------------------------------------------------------------------------


def _expanded(byte: int) -> int:
    byte = ~byte & 0xFF
    sample = (((byte & 0x0F) << 3) + 0x84) << ((byte & 0x70) >> 4)
    return 0x84 - sample if byte & 0x80 else sample - 0x84


EXPANDED = tuple(_expanded(byte) for byte in range(256))


def _compressed(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    size = min(abs(sample), 32635) + 0x84
    exponent = max(0, size.bit_length() - 8)
    return ~(sign | exponent << 4 | size >> (exponent + 3) & 0x0F) & 0xFF


def mu_law(samples: Iterable[int]) -> bytes:
    return bytes(_compressed(sample) for sample in samples)


def samples_of(mu: bytes) -> list[int]:
    return [EXPANDED[byte] for byte in mu]
