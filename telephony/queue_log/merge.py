"""Rows of `queue_log` in, facts about queue passes out: a pure fold.

One row closes a pass. A pass that has none at the next QUEUESTART died with Asterisk and ends
`unknown_end`. Rows may be missing (a full disk loses some in silence): a pass whose ENTERQUEUE was
lost is entered where its first row says it was.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from crm_core.commands import KnownBoot, ToldPass
from crm_core.events import (
    BootFound,
    EndedBy,
    Event,
    Member,
    Outcome,
    PassClosed,
    PassConnected,
    PassEntered,
    PassRang,
)
from crm_core.ids import BootId, CallId, PbxId, QueuePassKey, call_id
from telephony.queue_log.dials import DialFold
from telephony.queue_log.member_rows import MEMBER_CHANGES, MemberFold
from telephony.queue_log.parser import Row

SAME_BOOT = timedelta(seconds=5)
"""How far CoreStatus and QUEUESTART may differ about the start of one run of Asterisk."""

ROUNDING = timedelta(seconds=2)
"""Of a wait and a talk, each in whole seconds."""

REMEMBERED = 20_000
"""Places (Uniqueid, queue) kept after their pass closed: the next entry's ordinal depends on them."""

CLOSING: dict[str, tuple[Outcome, EndedBy | None]] = {
    "COMPLETEAGENT": (Outcome.ANSWERED, EndedBy.AGENT),
    "COMPLETECALLER": (Outcome.ANSWERED, EndedBy.CALLER),
    "BLINDTRANSFER": (Outcome.ANSWERED, EndedBy.TRANSFER),
    "ATTENDEDTRANSFER": (Outcome.ANSWERED, EndedBy.TRANSFER),
    "TRANSFER": (Outcome.ANSWERED, EndedBy.TRANSFER),
    "ABANDON": (Outcome.ABANDONED, None),
    "EXITWITHTIMEOUT": (Outcome.TIMEOUT, None),
    "EXITEMPTY": (Outcome.EXIT_EMPTY, None),
    "EXITWITHKEY": (Outcome.EXIT_KEY, None),
    "WITHDRAW": (Outcome.WITHDRAWN, None),
}
"""Verb → how the pass ended, and whose hang-up ended the conversation if there was one."""

WAIT_PLACE = {"WITHDRAW": 2} | dict.fromkeys(
    ("ABANDON", "EXITWITHTIMEOUT", "EXITEMPTY", "EXITWITHKEY"), -1
)
"""Where a row that closes an unanswered pass carries the seconds waited."""

LEFT: dict[str, Outcome] = {
    "FULL": Outcome.FULL,
    "JOINEMPTY": Outcome.JOIN_EMPTY,
    "JOINUNAVAIL": Outcome.JOIN_EMPTY,
    "TIMEOUT": Outcome.TIMEOUT,
    "LEAVEEMPTY": Outcome.EXIT_EMPTY,
    "LEAVEUNAVAIL": Outcome.EXIT_EMPTY,
    "WITHDRAW": Outcome.WITHDRAWN,
    "CONTINUE": Outcome.CONTINUED,
}
"""QUEUESTATUS as our dialplan writes it after Queue() (`ZX_LEFT`) → outcome."""

TURNED_AWAY = frozenset({Outcome.FULL, Outcome.JOIN_EMPTY})

Place = tuple[str, str]
"""(Uniqueid, queue)"""


@dataclass(slots=True)
class _Pass:
    key: QueuePassKey
    call: CallId
    boot: BootId
    entered_at: datetime
    last_told_at: datetime
    wait_seconds: int | None = None
    """None until connected."""
    agent: str | None = None
    rings: int = 0
    dumped: bool = False
    closed: bool = False

    @property
    def connected(self) -> bool:
        return self.wait_seconds is not None


def no_other_call(unique_id: str) -> CallId | None:
    """Of a channel nobody knows better: its call is named after itself."""
    return None


class QueueLogFold:
    """Fed every row once, in the order of the file; answers the facts it tells.

    `boots` and `passes` are what is known from before. `call_of` says to which call AMI counts a
    channel: a transferred caller may enter a queue in a call that is older than his channel.
    `first_run` names the run of the first rows where nobody knows when it began; without it the first
    row is taken for its beginning.
    """

    def __init__(
        self,
        pbx: PbxId,
        boots: Iterable[KnownBoot] = (),
        passes: Iterable[ToldPass] = (),
        call_of: Callable[[str], CallId | None] = no_other_call,
        remembered: int = REMEMBERED,
        first_run: BootId | None = None,
    ) -> None:
        self._remembered, self._first_run = remembered, first_run
        self._pbx = pbx
        self._boots = sorted(boots, key=lambda boot: boot.started_at)
        self._boot: KnownBoot | None = None
        self._claimed: set[BootId] = set()
        """Runs whose QUEUESTART was read, or that are over: they cannot begin again."""
        self._call_of = call_of
        self._dials = DialFold(pbx)
        self._members = MemberFold(pbx)
        self._open: dict[Place, list[_Pass]] = {}
        self._latest: OrderedDict[Place, _Pass] = OrderedDict()
        self.unmatched = 0
        """Closing rows of passes that are closed already."""
        for told in sorted(passes, key=lambda told: told.queue_pass.ordinal):
            self._remember(_resumed(told))

    def learn(self, boot: KnownBoot) -> None:
        """AMI has found a run of Asterisk; its QUEUESTART may be still to come, or be lost."""
        if all(known.boot != boot.boot for known in self._boots):
            self._boots = sorted([*self._boots, boot], key=lambda known: known.started_at)

    def ended(self, at: datetime) -> list[Event]:
        """No row comes any more before `at`: a run that is known to have begun ends those before it."""
        return self._run_of(at) if self._boot is not None else []

    def feed(self, row: Row) -> list[Event]:
        """The facts of this row; none for rows that tell nothing about a pass."""
        if row.verb == "QUEUESTART":
            return self._started(row)
        found = self._run_of(row.at)
        if row.verb in MEMBER_CHANGES:
            return [*found, *self._members.feed(row)]
        if not row.unique_id or row.unique_id == "NONE":
            return found
        if row.verb in ("ZX_DIALLED", "ZX_ENDED"):
            return [*found, *self._without_queue(row)]
        if row.queue == "NONE":
            return found
        if row.verb == "ENTERQUEUE":
            found += self._entered(row, row.at, row.caller_number)
        elif row.verb == "CONNECT":
            found += self._connected(row)
        elif row.verb in ("RINGNOANSWER", "RINGCANCELED"):
            found += self._rang(row)
        elif row.verb in CLOSING:
            found += self._closed(row)
        elif row.verb == "ZX_LEFT":
            found += self._left(row)
        elif row.verb == "AGENTDUMP":
            self._dumped(row)
        return found

    def _without_queue(self, row: Row) -> list[Event]:
        assert self._boot is not None
        call = self._call_of(row.unique_id) or self._dials.call_of(row.unique_id)
        known = call or call_id(self._pbx, self._boot.boot, row.unique_id)
        return self._dials.feed(row, known, self._boot.boot)

    def _run_of(self, at: datetime) -> list[Event]:
        """Make sure that a run is known, and go to a later one whose QUEUESTART was lost."""
        if self._boot is None:
            begun = [boot for boot in self._boots if boot.started_at <= at + SAME_BOOT]
            if not begun and self._first_run is not None:
                self._boot = KnownBoot(boot=self._first_run, started_at=at)
                return []
            if not begun:
                return self._found_boot(at)
            self._boot = begun[-1]
            return self._end_former_runs()
        later = [
            boot
            for boot in self._boots
            if self._boot.started_at < boot.started_at <= at and boot.boot not in self._claimed
        ]
        if not later:
            return []
        self._claimed.add(self._boot.boot)
        self._boot = later[-1]
        return self._end_former_runs()

    def _started(self, row: Row) -> list[Event]:
        """QUEUESTART, which Asterisk writes at its start and never else."""
        near = [
            boot
            for boot in self._boots
            if boot.boot not in self._claimed and abs(boot.started_at - row.at) <= SAME_BOOT
        ]
        if not near:
            return self._found_boot(row.at)
        self._boot = min(near, key=lambda boot: abs(boot.started_at - row.at))
        self._claimed.add(self._boot.boot)
        return self._end_former_runs()

    def _found_boot(self, at: datetime) -> list[Event]:
        self._boot = KnownBoot(boot=BootId(f"b{int(at.timestamp())}"), started_at=at)
        self._claimed.add(self._boot.boot)
        self.learn(self._boot)
        found = BootFound(at=at, pbx=self._pbx, boot=self._boot.boot, started_at=at)
        return [found, *self._end_former_runs()]

    def _end_former_runs(self) -> list[Event]:
        assert self._boot is not None
        ended = [
            each for some in self._open.values() for each in some if each.boot != self._boot.boot
        ]
        for place in [place for place, each in self._latest.items() if each.closed]:
            if self._latest[place].boot != self._boot.boot:
                del self._latest[place]
        found: list[Event] = self._dials.end_other_runs(self._boot.boot)
        for each in sorted(ended, key=lambda each: (each.last_told_at, str(each.key))):
            outcome = Outcome.AGENT_DUMP if each.dumped else Outcome.UNKNOWN_END
            found.append(self._close(each, each.last_told_at, outcome))
            self._latest.pop((each.key.unique_id, each.key.queue), None)
        return found

    def _entered(self, row: Row, at: datetime, caller_number: str | None) -> list[Event]:
        assert self._boot is not None
        place = (row.unique_id, row.queue)
        former = self._latest.get(place)
        ordinal = former.key.ordinal + 1 if former else 1
        call = self._call_of(row.unique_id)
        entered = _Pass(
            key=QueuePassKey(unique_id=row.unique_id, queue=row.queue, ordinal=ordinal),
            call=call or call_id(self._pbx, self._boot.boot, row.unique_id),
            boot=self._boot.boot,
            entered_at=at,
            last_told_at=at,
        )
        self._remember(entered)
        return [
            PassEntered(
                at=at,
                pbx=self._pbx,
                call=entered.call,
                queue_pass=entered.key,
                boot=entered.boot,
                caller_number=caller_number,
            )
        ]

    def _connected(self, row: Row) -> list[Event]:
        wait = row.number(0) or 0
        found, each = self._waiting(row, wait)
        each.wait_seconds, each.agent, each.last_told_at = wait, row.agent, row.at
        each.dumped = False
        leg = row.data[1] if len(row.data) > 1 and row.data[1] else None
        found.append(
            PassConnected(
                at=row.at,
                pbx=self._pbx,
                call=each.call,
                queue_pass=each.key,
                member=Member(name=row.agent),
                wait_seconds=wait,
                ring_seconds=row.number(2),
                leg=leg,
            )
        )
        return found

    def _rang(self, row: Row) -> list[Event]:
        rang_for = row.number(0) or 0
        each = self._latest.get((row.unique_id, row.queue))
        found: list[Event] = []
        began = row.at - timedelta(milliseconds=rang_for)
        if each is None or (each.closed and began > each.last_told_at):
            found, each = self._waiting(row, rang_for // 1000)
        each.rings += 1
        if not each.closed:
            each.last_told_at, each.dumped = row.at, False
        found.append(
            PassRang(
                at=row.at,
                pbx=self._pbx,
                call=each.call,
                queue_pass=each.key,
                nth=each.rings,
                member=Member(name=row.agent),
                ring_milliseconds=rang_for,
                cancelled=row.verb == "RINGCANCELED",
            )
        )
        return found

    def _closed(self, row: Row) -> list[Event]:
        outcome, ended_by = CLOSING[row.verb]
        if outcome is Outcome.ANSWERED:
            return self._talked(row, ended_by)
        place = WAIT_PLACE[row.verb]
        wait = row.number(place)
        if self._is_late(row, wait or 0):
            return []
        found, each = self._waiting(row, wait or 0)
        return [*found, self._close(each, row.at, outcome, wait=wait)]

    def _talked(self, row: Row, ended_by: EndedBy | None) -> list[Event]:
        wait, talk = row.number(-3), row.number(-2)
        seconds = (wait or 0) + (talk or 0)
        talking = [e for e in self._here(row) if e.connected and not _began_later(row, seconds, e)]
        found: list[Event] = []
        if talking:
            each = talking[0]  # he may wait in the same queue again before BLINDTRANSFER is written
        elif self._is_late(row, seconds):
            return []
        else:
            found, each = self._waiting(row, seconds)
        each.agent = each.agent or row.agent
        closed = self._close(
            each, row.at, Outcome.ANSWERED, wait=wait, talk=talk, agent=row.agent, by=ended_by
        )
        return [*found, closed]

    def _left(self, row: Row) -> list[Event]:
        """Ours: a caller turned away has no row of Asterisk's, and a lost closing row is replaced."""
        outcome = LEFT.get(row.data[0])
        if outcome is None:
            return []
        if here := self._here(row):
            talked = here[-1].agent if outcome is Outcome.CONTINUED else None
            return [self._close(here[-1], row.at, outcome, agent=talked)]
        if outcome not in TURNED_AWAY:
            return []
        found = self._entered(row, row.at, None)
        return [*found, self._close(self._here(row)[-1], row.at, outcome, wait=0)]

    def _dumped(self, row: Row) -> None:
        """The agent hung up on the announcement: the caller waits on, unless this is the last row."""
        for each in self._here(row)[-1:]:
            each.dumped, each.last_told_at = True, row.at

    def _here(self, row: Row) -> list[_Pass]:
        """Open passes of this channel in this queue, oldest first."""
        return self._open.get((row.unique_id, row.queue), [])

    def _is_late(self, row: Row, seconds_since_entry: int) -> bool:
        """A closing row for a pass that is closed: told twice, or ours after Asterisk's own."""
        if self._here(row):
            return False
        closed = self._latest.get((row.unique_id, row.queue))
        since = row.at - timedelta(seconds=seconds_since_entry)
        late = closed is not None and since <= closed.last_told_at
        self.unmatched += late
        return late

    def _waiting(self, row: Row, seconds_since_entry: int) -> tuple[list[Event], _Pass]:
        """The pass that waits here; entered now if its ENTERQUEUE row was lost."""
        here = [e for e in self._here(row) if not _began_later(row, seconds_since_entry, e)]
        for each in reversed(here):
            if not each.connected:
                return [], each
        if here:
            return [], here[-1]
        found = self._entered(row, row.at - timedelta(seconds=seconds_since_entry), None)
        return found, self._here(row)[-1]

    def _close(
        self,
        each: _Pass,
        at: datetime,
        outcome: Outcome,
        *,
        wait: int | None = None,
        talk: int | None = None,
        agent: str | None = None,
        by: EndedBy | None = None,
    ) -> PassClosed:
        place = (each.key.unique_id, each.key.queue)
        each.closed, each.last_told_at = True, at
        self._open[place].remove(each)
        if not self._open[place]:
            del self._open[place]
        if outcome is Outcome.UNKNOWN_END and each.connected:
            wait, agent = each.wait_seconds, each.agent
        return PassClosed(
            at=at,
            pbx=self._pbx,
            call=each.call,
            queue_pass=each.key,
            outcome=outcome,
            wait_seconds=wait,
            talk_seconds=talk,
            member=Member(name=agent) if agent else None,
            ended_by=by,
        )

    def _remember(self, each: _Pass) -> None:
        place = (each.key.unique_id, each.key.queue)
        self._latest[place] = each
        self._latest.move_to_end(place)
        if not each.closed:
            self._open.setdefault(place, []).append(each)
        while len(self._latest) > self._remembered + len(self._open):
            oldest, kept = self._latest.popitem(last=False)
            if not kept.closed:
                self._latest[oldest] = kept


def _began_later(row: Row, seconds_since_entry: int, each: _Pass) -> bool:
    """The row is of a later stay than this one: what closed this one and began that was lost.

    Asterisk takes seconds and the row's moment from one clock, so they agree but for the rounding.
    """
    since = row.at - timedelta(seconds=seconds_since_entry)
    return seconds_since_entry > 0 and since - each.entered_at > ROUNDING


def _resumed(told: ToldPass) -> _Pass:
    return _Pass(
        key=told.queue_pass,
        call=told.call,
        boot=told.boot,
        entered_at=told.entered_at or told.last_told_at,
        last_told_at=told.last_told_at,
        wait_seconds=told.wait_seconds,
        agent=told.agent,
        rings=told.rings,
        closed=told.closed,
    )
