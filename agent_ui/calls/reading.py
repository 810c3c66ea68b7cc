"""From the call log's values to those of `calls.view`, for one viewer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from agent_ui import callers
from agent_ui.books.standings import may_open_gap_book
from agent_ui.calls.view import (
    AttemptShown,
    CallFilters,
    CallPage,
    CallRow,
    GaveUpRow,
    LegShown,
    Names,
    PassShown,
    RecordShown,
    TransferShown,
    told,
)
from agent_ui.directory import Directory
from agent_ui.recordings.view import shown
from agent_ui.shapes import dialled, number_for
from agent_ui.words import N_
from crm_core.access.permissions import Permission
from crm_core.access.viewer import Viewer
from crm_core.call_log.details import (
    AttemptDetail,
    CallDetail,
    LegDetail,
    PassDetail,
    TransferDetail,
)
from crm_core.call_log.gave_up import GaveUp
from crm_core.call_log.queries import CallFilter
from crm_core.call_log.records import Confidence
from crm_core.centre.holders import AgentRef, HolderBook
from crm_core.customers.fields import readable_keys
from crm_core.customers.phone_numbers import normalise
from crm_core.events import Direction, Member, TimelineEvent
from crm_core.recordings.records import RecordingInfo
from crm_core.wrap_up.records import RecordOfCall


def wanted(given: Mapping[str, str], zone: ZoneInfo, region: str) -> tuple[CallFilters, CallFilter]:
    """The filters as typed, with what is wrong with them, and as the call log takes them."""
    problems: dict[str, str] = {}
    began_from = _midnight(given.get("from", ""), zone, "from", problems)
    last_day = _midnight(given.get("to", ""), zone, "to", problems)
    began_to = _next_day(last_day, zone) if last_day else None
    if began_from and began_to and began_from >= began_to:
        problems["to"] = N_("The last day lies before the first.")
    number = given.get("number", "").strip()
    phone = normalise(number, region).number if number else None
    if number and phone is None:
        problems["number"] = N_("This is not a phone number.")
    known = given.get("confidence", "")
    confidence = Confidence(known) if known in {one.value for one in Confidence} else None
    if known and confidence is None:
        problems["confidence"] = N_("Choose one of the list.")
    typed = CallFilters(
        from_=given.get("from", ""),
        to=given.get("to", ""),
        queue=given.get("queue", ""),
        agent=given.get("agent", ""),
        number=number,
        confidence=known,
        gap=given.get("gap", ""),
        problems=problems,
    )
    return typed, CallFilter(
        began_from=began_from,
        began_to=began_to,
        queue=given.get("queue") or None,
        agent=given.get("agent") or None,
        phone=phone,
        confidence=confidence,
    )


def _midnight(text: str, zone: ZoneInfo, name: str, problems: dict[str, str]) -> datetime | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        return datetime(day.year, day.month, day.day, tzinfo=zone)
    except (ValueError, OverflowError):
        problems[name] = N_("This is not a day like 2026-11-24.")
        return None


def _next_day(midnight: datetime, zone: ZoneInfo) -> datetime:
    # Not 24 h: where clocks are changed a day has 23 or 25.
    day = midnight.date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=zone)


class CallReader:
    """Shows calls to one viewer."""

    def __init__(
        self, directory: Directory, holders: HolderBook, viewer: Viewer, language: str
    ) -> None:
        self._directory, self._holders = directory, holders
        self._viewer, self._language = viewer, language
        self._reads_customers = viewer.may(Permission.READ_CUSTOMERS)
        self._sees_name = "name" in readable_keys(directory.fields, viewer)

    def row(self, call: CallDetail) -> CallRow:
        """A line of the list."""
        last = call.passes[-1] if call.passes else None
        return CallRow(
            call=call.call_id,
            started_at=call.started_at,
            direction=call.direction,
            number=number_for(self._viewer, call.customer_number)
            or (call.called_number if call.direction is Direction.INTERNAL else None),
            customer=call.customer_name if self._sees_name else None,
            customer_id=call.customer_id if self._reads_customers else None,
            hotline=call.hotline or "",
            queue=self._directory.title(call.pbx, last.queue) if last else "",
            agent=call.agent.name if call.agent else None,
            agent_number=call.agent.agent_number if call.agent else None,
            wait_seconds=last.wait_seconds if last else None,
            talk_seconds=call.talk_seconds,
            outcome=last.outcome if last else None,
            answered=call.answered_at is not None,
            live=call.ended_at is None,
            disposition=callers.disposition(call.disposition, self._language),
            confidence=call.confidence,
        )

    def gave_up(self, one: GaveUp) -> GaveUpRow:
        """A line of those who gave up."""
        return GaveUpRow(
            number=number_for(self._viewer, one.number) or "",
            last_at=one.last_at,
            times=one.times,
            call=one.last_call,
            project=one.project or "",
            hotline=one.hotline or "",
            queue=self._directory.title(one.pbx, one.queue) if one.queue else "",
            wait_seconds=one.wait_seconds,
            customer=one.customer_name if self._sees_name else None,
            customer_id=one.customer_id if self._reads_customers else None,
        )

    def page(
        self,
        call: CallDetail,
        timeline: Sequence[TimelineEvent],
        records: Sequence[RecordOfCall],
        gaps: Sequence[tuple[datetime, datetime]] = (),
        recordings: Sequence[RecordingInfo] = (),
    ) -> CallPage:
        """One call, whole."""
        inbound = call.direction is Direction.INBOUND
        called = call.called_number if inbound else number_for(self._viewer, call.called_number)
        return CallPage(
            row=self.row(call),
            ended_at=call.ended_at,
            called_number=call.called_number if self._is_internal(call) else called,
            passes=tuple(self._pass(call, one) for one in call.passes),
            direct_attempts=tuple(_attempt(one) for one in call.attempts),
            transfers=tuple(self._transfer(one) for one in call.transfers),
            legs=tuple(_leg(one) for one in call.legs),
            timeline=told(timeline, self._names(call)),
            records=tuple(self._record(one) for one in records),
            aliases=call.aliases,
            gaps=tuple(gaps),
            may_open_gap_book=may_open_gap_book(self._viewer),
            recordings=shown(
                call.call_id,
                recordings,
                listens=self._viewer.may(Permission.LISTEN_RECORDINGS),
                downloads=self._viewer.may(Permission.DOWNLOAD_RECORDINGS),
            ),
        )

    @staticmethod
    def _is_internal(call: CallDetail) -> bool:
        return call.direction is Direction.INTERNAL

    def _pass(self, call: CallDetail, one: PassDetail) -> PassShown:
        return PassShown(
            queue=self._directory.title(call.pbx, one.queue),
            entered_at=one.entered_at,
            outcome=one.outcome,
            agent=_name(one.agent) if one.agent else None,
            wait_seconds=one.wait_seconds,
            talk_seconds=one.talk_seconds,
            ended_by=one.ended_by,
            attempts=tuple(_attempt(attempt) for attempt in one.attempts),
        )

    def _transfer(self, one: TransferDetail) -> TransferShown:
        return TransferShown(
            kind=one.kind,
            at=one.at,
            sender=_name(one.sender) if one.sender else "–",
            dialled=dialled(one.dialled, self._viewer),
            to=_name(one.to) if one.to else None,
            result=one.result,
        )

    def _record(self, one: RecordOfCall) -> RecordShown:
        return RecordShown(
            agent=one.agent,
            saved_at=one.saved_at,
            note=one.note,
            disposition=callers.disposition(one.disposition, self._language),
            submitted=one.submitted,
        )

    def _names(self, call: CallDetail) -> Names:
        def member(one: Member) -> str:
            return _name(self._holders.holder(call.pbx, one, call.started_at))

        def number(raw: str | None) -> str | None:
            if not raw or self._is_internal(call):
                return raw
            return number_for(self._viewer, normalise(raw).number or raw)

        return Names(
            member=member,
            queue=lambda name: self._directory.title(call.pbx, name),
            number=number,
            dialled=lambda to: dialled(to, self._viewer),
        )


def _leg(one: LegDetail) -> LegShown:
    return LegShown(
        party=one.party,
        who=_name(one.agent) if one.agent else None,
        started_at=one.started_at,
        ended_at=one.ended_at,
        ring_seconds=one.ring_seconds,
        talk_seconds=one.talk_seconds,
        hold_seconds=one.hold_seconds,
    )


def _attempt(one: AttemptDetail) -> AttemptShown:
    ended = one.ended_at
    return AttemptShown(
        agent=_name(one.agent),
        offered_at=one.offered_at,
        ring_seconds=round((ended - one.offered_at).total_seconds()) if ended else None,
        result=one.result,
    )


def _name(agent: AgentRef) -> str:
    return agent.name or agent.agent_number or agent.interface or "–"
