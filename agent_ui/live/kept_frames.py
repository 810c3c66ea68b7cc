"""The frames of the last events, for a browser that comes back and asks for what it missed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

from agent_ui.live.frames import Frame
from crm_core.access.viewer import Viewer
from crm_core.bus import Envelope

KEPT_EVENTS: Final = 5_000
"""Frames of so many events; the bus keeps as many events."""


class KeptFrames:
    """Each under the `seq` of its event, with the rule who may have it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, list[tuple[Frame, Callable[[Viewer], bool]]]] = OrderedDict()

    def keep(self, seq: str, frame: Frame, may: Callable[[Viewer], bool]) -> None:
        self._kept.setdefault(seq, []).append((frame, may))
        if len(self._kept) > KEPT_EVENTS:
            self._kept.popitem(last=False)

    def missed(self, envelopes: Iterable[Envelope], viewer: Viewer) -> list[Frame]:
        """What this viewer would have been sent."""
        return [
            frame
            for envelope in envelopes
            for frame, may in self._kept.get(envelope.seq, ())
            if may(viewer)
        ]
