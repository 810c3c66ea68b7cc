"""Which recorded piece is played for what happens in the demonstration."""

from __future__ import annotations

from enum import StrEnum, auto
from pathlib import Path

from telephony.demo_pbx import recording
from telephony.demo_pbx.pieces import Kind, Piece, cut

TRACES = Path(__file__).parent / "traces"
"""Copies of golden traces from `tests/traces`, by the same names. When those are recorded anew, copy
them: a test plays every story and compares."""


class Part(StrEnum):
    """What can happen to a call of the demonstration."""

    ARRIVE = auto()
    ARRIVE_WITHHELD = auto()
    RING = auto()
    ANSWER = auto()
    NO_ANSWER = auto()
    REFUSED = auto()
    ELSEWHERE = auto()
    GIVES_UP = auto()
    TIMED_OUT = auto()
    AGENT_HANGS_UP = auto()
    CALLER_HANGS_UP = auto()


# The recording, the kind of piece, and the how-manieth of that kind.
SOURCES: dict[Part, tuple[str, Kind, int]] = {
    Part.ARRIVE: ("answered_agent_hangs_up", Kind.ARRIVE, 0),
    Part.ARRIVE_WITHHELD: ("hidden_caller", Kind.ARRIVE, 0),
    Part.RING: ("answered_agent_hangs_up", Kind.RING, 0),
    Part.ANSWER: ("answered_agent_hangs_up", Kind.ANSWER, 0),
    Part.AGENT_HANGS_UP: ("answered_agent_hangs_up", Kind.END, 0),
    Part.CALLER_HANGS_UP: ("answered_caller_hangs_up", Kind.END, 0),
    Part.NO_ANSWER: ("no_answer_then_another", Kind.END, 0),
    Part.REFUSED: ("refused", Kind.END, 0),
    Part.ELSEWHERE: ("ringall_answered_elsewhere", Kind.END, 0),
    Part.GIVES_UP: ("abandoned", Kind.END, 0),
    Part.TIMED_OUT: ("timeout", Kind.END, 1),
}

Script = dict[Part, Piece]


def script(traces: Path = TRACES) -> Script:
    """Every part, cut from its recording."""
    stories = {story for story, _, _ in SOURCES.values()}
    pieces = {story: cut(recording.read(traces / story)) for story in stories}
    return {
        part: [piece for piece in pieces[story] if piece.kind is kind][nth]
        for part, (story, kind, nth) in SOURCES.items()
    }
