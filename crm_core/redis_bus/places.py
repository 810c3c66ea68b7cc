"""Places on the bus and what came after them. Pure.

A place is `epoch-n`: `n` counts the entries of the stream, the same in every process. What a process
tells itself is heard there before it has a number of its own; it stands at `epoch-n.name.k`, the k-th
behind the last entry that was heard. Who has such a place from another process stands at `epoch-n`.
Nothing is ever left out; whoever changes the process in that moment may be told something twice.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence

from crm_core.bus import KEPT_ENVELOPES, Envelope
from crm_core.events import Event
from crm_core.quick_dataclass import dataclass

Place = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Own:
    """What this process told: heard here at `place`, by the others at the entry `echo` (0: not yet)."""

    number: int
    place: Place
    envelope: Envelope
    echo: int = 0


class Places:
    """Gives each event its place, and keeps the last of them. `name` is this process's alone."""

    def __init__(self, name: str, epoch: str, keep: int = KEPT_ENVELOPES) -> None:
        self._name, self._keep = name, keep
        self._kept: list[tuple[Place, Envelope]] = []
        self._own: deque[_Own] = deque(maxlen=keep)
        """Those told by us, and not yet heard by the others."""
        self._late: deque[_Own] = deque(maxlen=keep)
        """Those that the others heard at a later entry than we."""
        self.begin(epoch, 0)

    def begin(self, epoch: str, n: int) -> None:
        """Another epoch, or a jump: what was before is not known any more."""
        self._epoch, self._n, self._k = epoch, n, 0
        self._floor: Place = (n, 0)
        self._kept.clear()
        self._late.clear()

    @property
    def epoch(self) -> str:
        return self._epoch

    @property
    def n(self) -> int:
        """The last entry of the stream that was heard."""
        return self._n

    @property
    def seq(self) -> str:
        behind = f".{self._name}.{self._k}" if self._k else ""
        return f"{self._epoch}-{self._n}{behind}"

    def heard(self, n: int) -> None:
        """The next entry of the stream was read."""
        self._n, self._k = n, 0

    def put(self, event: Event) -> Envelope:
        """An event that was heard with this entry."""
        if self._kept and self._kept[-1][0] == (self._n, self._k):
            self._k += 1  # one entry, several events
        return self._put(event)

    def put_own(self, event: Event, number: int) -> Envelope:
        """An event that we tell under this number."""
        self._k += 1
        envelope = self._put(event)
        self._own.append(_Own(number=number, place=(self._n, self._k), envelope=envelope))
        return envelope

    def echoed(self, number: int) -> None:
        """Our own came back with the entry that was heard last: now the others have heard it."""
        while self._own and self._own[0].number <= number:
            own = self._own.popleft()
            late = _Own(
                number=own.number, place=own.place, envelope=own.envelope, echo=self._n
            )  # fmt: skip
            self._late.append(late)

    def _put(self, event: Event) -> Envelope:
        envelope = Envelope(self.seq, event)
        self._kept.append(((self._n, self._k), envelope))
        if len(self._kept) >= 2 * self._keep:
            gone = len(self._kept) - self._keep
            self._floor = self._kept[gone - 1][0]
            del self._kept[:gone]
        return envelope

    def since(self, seq: str) -> Sequence[Envelope] | None:
        """What came after `seq`, or None: unknown epoch, too long ago, or not heard yet."""
        epoch, _, text = seq.rpartition("-")
        n, _, behind = text.partition(".")
        name, _, k = behind.partition(".")
        ours = name == self._name and _is_number(k)
        if epoch != self._epoch or not _is_number(n):
            return None
        place = (int(n), int(k) if ours else 0)
        if place < self._floor or place > (self._n, self._k):
            return None
        begin = bisect_right(self._kept, place, key=lambda kept: kept[0])
        after = [envelope for _, envelope in self._kept[begin:]]
        if ours:
            return after
        # Who comes from another process has not heard what we told before and that came there later.
        late = [
            own.envelope
            for own in (*self._late, *self._own)
            if own.place <= place and not 0 < own.echo <= place[0]
        ]
        return [*late, *after]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19
