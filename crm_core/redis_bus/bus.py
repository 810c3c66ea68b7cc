"""The bus of several processes: what is told here is heard here at once, and by the others over Redis.

    bus = RedisBus(url, recorded=RECORDED)
    running = asyncio.create_task(bus.run())

The way of a ringing phone to a socket of the same process never leaves it. While Redis is away, what is
told waits here and everything in this process goes on; `trouble` says so.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from secrets import token_hex
from typing import Any

from crm_core.beats import Beat, Beats
from crm_core.bus import Answerer, Envelope, Listeners, Undo
from crm_core.errors import Invalid
from crm_core.events import Event
from crm_core.ids import PbxId
from crm_core.quick_dataclass import dataclass
from crm_core.redis_bus.kept import KEEP, Kept
from crm_core.redis_bus.order import Order, Verdict
from crm_core.redis_bus.places import Places
from crm_core.redis_bus.questions import Questions
from crm_core.redis_bus.session import AWAY, Flushed, Session
from crm_core.redis_bus.wire import (
    Again,
    Asked,
    Entry,
    Present,
    Safe,
    Told,
    packed,
    unpacked,
)

log = logging.getLogger("zuoxi.bus")

TRY_AGAIN_SECONDS = 0.2
AT_ONCE = 500
"""So many entries are written, and heard without a pause for others, at a time."""
AGAIN_EVERY_SECONDS = 1.0
EVERYBODY = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unsafe:
    """An event that the records have heard: its entry, its teller's number, its place here."""

    place: int
    teller: str
    number: int
    seq: str


Teller = Callable[[], Sequence[Event]]
CatchUp = Callable[[PbxId, Sequence[Event]], Iterable[Event]]


class RedisBus(Listeners):
    """`run` beside whatever uses it. `whole`: the records, which have to hear every fact."""

    def __init__(
        self,
        url: str,
        recorded: Collection[type[Event]],
        *,
        whole: bool = False,
        keep: int = KEEP,
    ) -> None:
        super().__init__()
        self.name = token_hex(4)
        self.trouble: str | None = "The bus between the services is not there yet."
        """A sentence while Redis is away."""
        self.beats = Beats(time.monotonic)
        self._url, self._whole = url, whole
        self._session: Session | None = None
        self._joined_generation: str | None = None
        self._kept = Kept(recorded, keep)
        self._places = Places(self.name, token_hex(6))
        self._order = Order(whole=whole)
        self._questions = Questions(self.name, lambda: self._session)
        self._has_ended = False
        self._outgoing: deque[Told | bytes] = deque()
        self._wanted = asyncio.Event()
        self._tellers: dict[PbxId, Teller] = {}
        self._catch_up: CatchUp | None = None
        self._on_missed: Callable[[], Awaitable[None]] | None = None
        self._catching_up: asyncio.Task[None] | None = None
        self._catching_up_again = False
        self._present_wanted = False
        self._asked_again_at: dict[str, float] = {}
        self._unsafe: deque[_Unsafe] = deque()
        """Heard by the records and not committed."""
        self._safe_numbers: dict[str, int] = {}
        self._safe_place = 0
        self._own_safe = 0
        self._last_event = 0
        """The entry of the last event that was heard."""
        self._safer = asyncio.Event()

    # --- what every bus does ------------------------------------------------------------------------

    @property
    def seq(self) -> str:
        return self._places.seq

    def publish(self, event: Event) -> Envelope:
        told = self._kept.take(event)
        envelope = self._places.put_own(event, told.number)
        if told.number or self._session is not None:
            self._put(told)
        if self._whole:
            self._note_unsafe(self.name, told, envelope)
        self.tell(envelope)
        return envelope

    def answer(self, question: type[Any], answerer: Answerer, pbx: PbxId | None = None) -> Undo:
        """Who answers this kind of question or command, for all PBXs or for one; the later one
        replaces the earlier. Returns what takes it back."""
        return self._questions.answer(question, answerer, pbx)

    async def ask(self, question: Any, timeout: float) -> Any | None:  # noqa: ASYNC109
        """The answer, or None: nobody answers such questions, or not in `timeout` seconds."""
        return await self._questions.ask(question, timeout)

    def since(self, seq: str) -> Sequence[Envelope] | None:
        """What came after `seq`, or None: unknown epoch, or too long ago (send a snapshot)."""
        return self._places.since(seq)

    # --- the present --------------------------------------------------------------------------------

    def tells_present(self, pbx: PbxId, teller: Teller) -> Undo:
        """This process tells of that PBX, and can tell all that lives there."""
        self._tellers[pbx] = teller

        def no_more() -> None:
            if self._tellers.get(pbx) is teller:
                del self._tellers[pbx]

        return no_more

    def tell_present(self, pbx: PbxId) -> None:
        """To everybody, in its place among what is told."""
        self._put_entry(Present(pbx=pbx, facts=tuple(self._tellers[pbx]())))

    def catches_up(self, news: CatchUp, missed: Callable[[], Awaitable[None]]) -> None:
        """`news` says what this process has missed, given a present. `missed` is done whenever it may
        have missed something, before a present is asked for."""
        self._catch_up, self._on_missed = news, missed
        if self._session is not None:
            self._missed()

    def ask_present(self) -> None:
        """Everything of every PBX, as soon as its tellers have heard."""
        self._put_entry(Asked())

    def hear(self, event: Event) -> None:
        """An event for this process alone."""
        self.tell(self._places.put(event))

    def beat(self, beat: Beat) -> None:
        """Say that a service of this process lives."""
        self.beats.heard(self.name, beat)
        self._put_entry(beat)

    # --- the records --------------------------------------------------------------------------------

    def committed(self, seq: str) -> None:
        """The records have everything up to here: whoever told it may forget it."""
        while self._unsafe:
            one = self._unsafe.popleft()
            if one.number:
                self._safe_numbers[one.teller] = one.number
            if one.seq == seq:
                break
        self._report_safe()

    def _report_safe(self) -> None:
        """What is known already, told again by its teller, is safe without a commit."""
        place = self._unsafe[0].place - 1 if self._unsafe else self._places.n
        numbers, self._safe_numbers = self._safe_numbers, {}
        if numbers or place >= self._last_event > self._safe_place:
            self._is_safe(self.name, Safe(place=place, numbers=numbers))
            self._put_entry(Safe(place=place, numbers=numbers))

    async def all_committed(self) -> None:
        """Return when the records have all that this process has heard and told before."""
        place, number = self._last_event, self._kept.last
        while self._safe_place < place or self._kept.first <= number:
            self._safer.clear()
            await self._safer.wait()

    def _is_safe(self, _by: str, safe: Safe) -> None:
        self._safe_place = max(self._safe_place, safe.place)
        if self.name in safe.numbers:
            self._kept.safe(safe.numbers[self.name])
            for event in self._kept.confessions():
                self.publish(event)
        self._safer.set()

    # --- out ----------------------------------------------------------------------------------------

    def _put(self, one: Told | bytes) -> None:
        self._outgoing.append(one)
        self._wanted.set()

    def _put_entry(self, entry: Entry) -> None:
        """Of use to who listens now: with Redis away it is not kept."""
        if self._session is not None:
            self._put(packed(self.name, entry))

    def _tell_again(self) -> None:
        self._outgoing = deque(self._kept.again())
        self._wanted.set()

    async def _send(self, session: Session) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._outgoing:
                batch = [self._outgoing.popleft() for _ in range(min(AT_ONCE, len(self._outgoing)))]
                await session.write([self._bytes(one) for one in batch])

    def _bytes(self, one: Told | bytes) -> bytes:
        if isinstance(one, bytes):
            return one
        kept_from = min(self._kept.first, one.number) if one.number else 0
        return packed(
            self.name, Told(event=one.event, number=one.number, kept_from=kept_from)
        )  # fmt: skip

    # --- in -----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled. Whatever Redis does is waited for, with one sentence in the log."""
        try:
            while not self._has_ended:
                try:
                    await self._one_session()
                except Flushed:
                    log.warning("Redis was emptied: telling again what the records do not have")
                except AWAY as wrong:
                    self._say(f"The bus between the services is away ({wrong}).")
                    await asyncio.sleep(TRY_AGAIN_SECONDS)
                except Exception:  # our own mistake: a new session begins without what it held
                    log.exception("the bus between the services broke")
                    await asyncio.sleep(TRY_AGAIN_SECONDS)
        finally:
            if self._catching_up is not None:
                self._catching_up.cancel()
            await self._questions.stop()

    def end(self) -> None:
        """Before `run` is cancelled."""
        self._has_ended = True
        if self._session is not None:
            self._session.end()

    async def _one_session(self) -> None:
        async with Session(self._url) as session:
            await self._join(session)
            tasks = [
                asyncio.create_task(self._questions.serve(session)),
                asyncio.create_task(self._send(session)),
                asyncio.create_task(self._read(session)),
            ]
            try:
                if not self._has_ended:
                    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._session = None
                session.end()
                ended = [task for task in tasks if task.done()]
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
            for task in ended:
                task.result()

    async def _join(self, session: Session) -> None:
        """Go on where we were, or begin; in either case tell what nobody has confirmed."""
        if session.generation != self._joined_generation or session.last < self._places.n:
            # Who was here before knows nothing of what has been told since: from its beginning.
            begin = session.last if self._joined_generation is None else 0
            self._safe_place = self._last_event = 0
            self._unsafe = deque(replace(one, place=0) for one in self._unsafe)
            if self._whole:
                begin = await self._after_last_safe(session)
            self._places.begin(session.epoch, begin)
        self._joined_generation = session.generation
        self._session = session
        self._tell_again()
        self._missed()
        if self._whole:
            self._put_entry(Again(teller=EVERYBODY))
        self._say(None)

    async def _after_last_safe(self, session: Session) -> int:
        """Where the records go on: behind what they said last that they have."""
        safe = await session.last_safe()
        if safe is None:
            return 0
        self._order.begin(safe.numbers)
        return min(safe.place, session.last)

    def _say(self, trouble: str | None) -> None:
        if trouble is not None and self.trouble is None:
            log.error("%s Waiting for it.", trouble)
        elif trouble is None and self.trouble is not None:
            log.info("the bus between the services is there")
        self.trouble = trouble

    async def _read(self, session: Session) -> None:
        while True:
            entries = await session.read(self._places.n)
            if entries and entries[0].place != self._places.n + 1:
                log.warning(
                    "%d entries of the bus came and went unread",
                    entries[0].place - self._places.n - 1,
                )
                self._places.begin(session.epoch, entries[0].place - 1)
                self._missed()
            for entry in entries:
                self._places.heard(entry.place)
                try:
                    by, said = unpacked(entry.data)
                except Invalid as wrong:
                    log.warning("an entry of the bus that nobody of ours wrote: %s", wrong.detail)
                    continue
                self._heard(by, said)
            if self._present_wanted:
                self._present_wanted = False
                for pbx in self._tellers:
                    self.tell_present(pbx)
            if self._whole:
                self._report_safe()

    def _heard(self, by: str, said: Entry) -> None:
        match said:
            case Told():
                self._last_event = self._places.n
                self._heard_told(by, said)
            case Present():
                if by != self.name:
                    self._heard_present(said)
            case Asked():
                self._present_wanted = True  # once, however many ask at a time
            case Again():
                if said.teller in (self.name, EVERYBODY):
                    self._tell_again()
            case Safe():
                if by != self.name:
                    self._is_safe(by, said)
            case Beat():
                self.beats.heard(by, said)

    def _heard_present(self, present: Present) -> None:
        if self._catch_up is None:
            return
        try:
            news = list(self._catch_up(present.pbx, present.facts))
        except Exception:
            log.exception("the present of %s could not be compared with the board", present.pbx)
            return
        for event in news:
            self.hear(event)

    def _heard_told(self, by: str, told: Told) -> None:
        if by == self.name:
            self._places.echoed(told.number)
            return
        match self._order.judge(by, told):
            case Verdict.HEAR:
                self._hear(by, told)
            case Verdict.MISSED:
                self._missed()
                self._hear(by, told)
            case Verdict.REFUSE:
                self._again(by)
            case Verdict.KNOWN:
                return

    def _hear(self, by: str, told: Told) -> None:
        envelope = self._places.put(told.event)
        if self._whole:
            self._note_unsafe(by, told, envelope)
        self.tell(envelope)

    def _note_unsafe(self, by: str, told: Told, envelope: Envelope) -> None:
        place = self._places.n + (by == self.name)  # our own will have a later entry
        self._unsafe.append(_Unsafe(place=place, teller=by, number=told.number, seq=envelope.seq))

    def _missed(self) -> None:
        """Once at a time, and once more where something was missed meanwhile."""
        self._catching_up_again = True
        if self._catch_up is not None and self._catching_up is None:
            self._catching_up = asyncio.create_task(self._ask_what_was_missed())

    async def _ask_what_was_missed(self) -> None:
        try:
            while self._catching_up_again:
                self._catching_up_again = False
                if self._on_missed is not None:
                    await self._on_missed()
                self.ask_present()
        except Exception:
            log.exception("what was missed could not be looked up")
        finally:
            self._catching_up = None

    def _again(self, teller: str) -> None:
        now = time.monotonic()
        if now - self._asked_again_at.get(teller, -AGAIN_EVERY_SECONDS) >= AGAIN_EVERY_SECONDS:
            self._asked_again_at[teller] = now
            self._put_entry(Again(teller=teller))
