"""Where the desk's values come from: the live board, the look-ups, and the database.

`value` answers at once and is None where there is no desk to draw (no device is held); `read` asks
the database. Both answer the values that `desk.view` declares, cut to the viewer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from agent_ui import callers
from agent_ui.desk import view
from agent_ui.desk.handed_notes import HandedNotes
from agent_ui.desk.own_day import my_day
from agent_ui.desk.own_state import AgentBadge, MissedRing, agent_badge
from agent_ui.desk.view import (
    CallCard,
    ColleaguesNote,
    DispositionChoice,
    HandedOver,
    Note,
    Party,
    ScreenPop,
)
from agent_ui.directory import Directory
from agent_ui.live.pop_files import NOTHING, PopFiles
from agent_ui.live.regions import Region
from agent_ui.shapes import number_for
from crm_core.access.permissions import Permission
from crm_core.access.viewer import Viewer
from crm_core.agents.rules import WRAP_UP_WITHOUT_QUEUE
from crm_core.call_log.details import CallDetail
from crm_core.call_log.queries import call as read_call
from crm_core.customers.fields import readable_keys
from crm_core.db import reading
from crm_core.events import AgentState, Direction
from crm_core.ids import CallId, PbxId, UserId
from crm_core.live_board.board import LiveAgent, LiveBoard, LiveCall
from crm_core.wrap_up.queries import calls_without_note, contact_record, dispositions_of
from crm_core.wrap_up.records import RecordOfCall, records_of_call

KEPT_CARDS = 5
"""Cards of past calls that wait for their note, the newest ones."""


class DeskReader:
    """Reads one desk at a time."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        board: LiveBoard,
        directory: Directory,
        pop_files: PopFiles,
        handed_notes: HandedNotes,
        zone: ZoneInfo,
        now: Callable[[], datetime],
        demo_pbxs: frozenset[PbxId] = frozenset(),
    ) -> None:
        self._engine, self._board = engine, board
        self._directory, self._pop_files = directory, pop_files
        self._handed_notes = handed_notes
        self._zone, self._now = zone, now
        self._demo_pbxs = demo_pbxs

    def agent(self, viewer: Viewer) -> LiveAgent | None:
        """The viewer as an agent with a device, or None."""
        return self._board.agents.get(viewer.user_id) if viewer.user_id is not None else None

    def pending(self, viewer: Viewer) -> asyncio.Future[Any] | None:
        """A look-up for a call at this desk that has not answered yet."""
        agent = self.agent(viewer)
        for live in self._board.calls_at(agent.pbx, agent.interface) if agent else ():
            asked: asyncio.Future[Any] = self._pop_files.ask(live)
            if asked.done() and agent and live.handed_over_to(agent.interface):
                asked = self._handed_notes.ask(live.call)
            if not asked.done():
                return asked
        return None

    def value(self, region: Region, viewer: Viewer, language: str) -> tuple[Any] | None:
        """The value of a region that needs no database, in a tuple; None: nothing to draw
        (no device is held; no phone is drawn for a real PBX)."""
        agent = self.agent(viewer)
        if agent is None:
            return None
        match region:
            case Region.CONNECTION:
                return (view.connection(self._board, agent, self._now()),)
            case Region.AGENT_STATE:
                return (self._badge(agent, viewer, language),)
            case Region.QUEUE_CHIPS:
                titles = self._directory.titles(agent.pbx)
                return (view.queue_chips(self._board, agent, titles),)
            case Region.CALL_BAR:
                bars = view.call_bars(self._board, agent, lambda live: self._party(live, viewer))
                return (bars,)
            case Region.SCREEN_POPS:
                return (self._screen_pops(agent, viewer, language),)
            case Region.DEMO_PHONE:
                drawn = agent.pbx in self._demo_pbxs
                return (view.demo_phone(self._board, agent),) if drawn else None
            case _:
                raise AssertionError(f"{region} is read from the database")

    async def read(
        self, regions: Iterable[Region], viewer: Viewer, language: str
    ) -> dict[Region, Any]:
        """The values of the regions that need the database; empty without a device."""
        agent = self.agent(viewer)
        if agent is None:
            return {}
        found: dict[Region, Any] = {}
        async with reading(self._engine) as connection:
            if Region.CARDS in regions:
                found[Region.CARDS] = await self._cards(connection, agent, viewer, language)
            if Region.MY_CALLS in regions:
                found[Region.MY_CALLS] = await my_day(
                    connection,
                    viewer,
                    language,
                    reads_names="name" in readable_keys(self._directory.fields, viewer),
                    since=self._today(),
                    now=self._now(),
                )
        return found

    # --- the own state ----------------------------------------------------------------------------

    def _badge(self, agent: LiveAgent, viewer: Viewer, language: str) -> AgentBadge:
        reasons = self._directory.pause_reasons
        labels = {one.code: one.label_en if language == "en" else one.label_zh for one in reasons}
        queues = (self._directory.queues.get((agent.pbx, name)) for name in agent.queues)
        longest = max((queue.wrap_up_seconds for queue in queues if queue), default=0)
        return agent_badge(
            self._board,
            agent,
            offered={one.code: labels[one.code] for one in reasons if one.active},
            labels=labels,
            allowance=timedelta(seconds=longest) or WRAP_UP_WITHOUT_QUEUE,
            missed=self._missed(agent, viewer),
        )

    def _missed(self, agent: LiveAgent, viewer: Viewer) -> MissedRing | None:
        """The call that was missed, as long as the answer of its look-up is kept."""
        if agent.state is not AgentState.MISSED or agent.call is None:
            return None
        known = self._pop_files.known(agent.call) or NOTHING
        one = callers.chosen(callers.seen_customers(known, self._directory.fields, viewer), None)
        return MissedRing(
            call=agent.call,
            name=one.get("name") if one else None,
            number=number_for(viewer, known.number),
        )

    # --- ringing ----------------------------------------------------------------------------------

    def _screen_pops(
        self, agent: LiveAgent, viewer: Viewer, language: str
    ) -> tuple[ScreenPop, ...]:
        rings = [
            live
            for live in self._board.calls_at(agent.pbx, agent.interface)
            if live.offer_at(agent.interface) is not None
        ]
        pops = (
            self.screen_pop(live, viewer, language, self._handed_over(live, agent, language))
            for live in rings
        )
        return tuple(pop for pop in pops if pop is not None)

    def _handed_over(self, live: LiveCall, agent: LiveAgent, language: str) -> HandedOver | None:
        """Who sends this call to this phone, and what has been written about it so far."""
        transfer = live.handed_over_to(agent.interface)
        if transfer is None:
            return None
        at = self._board.agent_at(live.pbx, transfer.member.interface)
        return HandedOver(
            by=at.name if at else (transfer.member.interface or "").rpartition("/")[2],
            consults=transfer.is_consultation,
            notes=_colleagues(self._handed_notes.known(live.call), agent.user, language),
        )

    def screen_pop(
        self,
        live: LiveCall,
        viewer: Viewer,
        language: str,
        handed_over: HandedOver | None = None,
    ) -> ScreenPop | None:
        """The card of a ringing call; but for `handed_over` the same for everybody with these rights
        and this language.

        None while the caller is being looked up.
        """
        known = self._pop_files.known(live.call)
        if known is None:
            return None
        customers = callers.seen_customers(known, self._directory.fields, viewer)
        one = callers.chosen(customers, None)
        past = known.file.last_contacts if viewer.may(Permission.READ_CUSTOMERS) else ()
        hotline = self._directory.hotline(live.pbx, live.called_number)
        since = live.entered_at or live.started_at
        return ScreenPop(
            call=live.call,
            direction=live.direction,
            waiting_since=since,
            recognised=callers.recognised(known, one, customers),
            name=one.get("name") if one else None,
            grade=one.get("grade", "") if one else "",
            number=number_for(viewer, known.number),
            company=one.get("company", "") if one else "",
            hotline=hotline.name if hotline else "",
            queue=self._directory.title(live.pbx, live.queue),
            repeat=callers.repeat_badge(known.file.repeat, known, since, language)
            if past
            else None,
            last=callers.past(past[0], language, viewer) if past else None,
            # The customer has been greeted.
            greeting=hotline.greeting if hotline and handed_over is None else "",
            handed_over=handed_over,
        )

    def _party(self, live: LiveCall, viewer: Viewer) -> Party:
        known = self._pop_files.known(live.call) or NOTHING
        customers = callers.seen_customers(known, self._directory.fields, viewer)
        one = callers.chosen(customers, self._pop_files.chosen(live.call))
        hotline = self._directory.hotline(live.pbx, live.called_number)
        number = self._pop_files.number_of(live)
        internal = live.direction is Direction.INTERNAL
        return Party(
            name=one.get("name") if one else None,
            several=one is None and len(customers) > 1,
            number=live.called_number if internal else number_for(viewer, number),
            hotline=hotline.name if hotline else "",
            queue=self._directory.title(live.pbx, live.queue),
        )

    # --- cards ------------------------------------------------------------------------------------

    async def _cards(
        self, connection: AsyncConnection, agent: LiveAgent, viewer: Viewer, language: str
    ) -> tuple[CallCard, ...]:
        cards = [
            await self._card(connection, agent, live, state, since, viewer, language)
            for live, state, since in self._calls_with_cards(agent)
        ]
        for call in await self._to_be_noted(connection, agent, viewer, {c.call for c in cards}):
            after = await self._after_call(connection, agent, call, viewer, language)
            cards += [after] if after is not None else []
        return view.ordered(cards)

    async def _to_be_noted(
        self, connection: AsyncConnection, agent: LiveAgent, viewer: Viewer, live: set[CallId]
    ) -> list[CallId]:
        """Calls of today, or of a shift that began yesterday, whose note is not submitted."""
        if not viewer.may(Permission.WRITE_NOTES):
            return []
        since = min(self._today(), agent.signed_in_at)
        limit = KEPT_CARDS + len(live)
        waiting = list(await calls_without_note(connection, agent.user, since, limit))
        if agent.last_call is not None and agent.last_call not in waiting:
            waiting.insert(0, agent.last_call)  # its rows may not be written yet
        return [call for call in waiting if call not in live][:KEPT_CARDS]

    def _calls_with_cards(
        self, agent: LiveAgent
    ) -> Iterable[tuple[LiveCall, AgentState, datetime]]:
        for live in self._board.calls_at(agent.pbx, agent.interface):
            talk = live.talk_of(agent.interface)
            if talk is not None:
                yield live, AgentState.TALKING, talk.since
            elif live.placed_by is not None and live.placed_by.interface == agent.interface:
                state = AgentState.TALKING if live.answered else AgentState.RINGING
                yield live, state, live.started_at

    async def _card(
        self,
        connection: AsyncConnection,
        agent: LiveAgent,
        live: LiveCall,
        state: AgentState,
        since: datetime,
        viewer: Viewer,
        language: str,
    ) -> CallCard:
        known = await self._pop_files.ask(live)
        note, customer = await self._note(connection, live.call, live, viewer, language)
        if note is not None and agent.state is AgentState.WRAP_UP and agent.call == live.call:
            note = replace(note, finishes=True)
        hotline = self._directory.hotline(live.pbx, live.called_number)
        written = await records_of_call(connection, live.call) if note is not None else ()
        return CallCard(
            call=live.call,
            state=state,
            since=since,
            direction=live.direction,
            who=callers.who(
                known,
                fields=self._directory.fields,
                viewer=viewer,
                language=language,
                call=live.call,
                at=live.entered_at or live.started_at,
                customer=customer,
            ),
            note=note,
            hotline=hotline.name if hotline else "",
            queue=self._directory.title(live.pbx, live.queue),
            greeting=hotline.greeting if hotline and live.transfer is None else "",
            colleagues=_colleagues(written, agent.user, language),
            may_dial=state is AgentState.WRAP_UP and viewer.may(Permission.PLACE_CALLS),
        )

    async def _after_call(
        self,
        connection: AsyncConnection,
        agent: LiveAgent,
        call: CallId,
        viewer: Viewer,
        language: str,
    ) -> CallCard | None:
        """The card of the conversation that is over, until its note is submitted."""
        record = await contact_record(connection, call, agent.user)
        live = self._board.calls.get(call)
        if record is not None and record.submitted:
            return None
        since = agent.since
        if live is None:
            detail = await read_call(connection, call)
            if detail is None:
                return None
            live, since = _as_it_was(detail), detail.ended_at or detail.started_at
        return await self._card(
            connection, agent, live, AgentState.WRAP_UP, since, viewer, language
        )

    async def _note(
        self,
        connection: AsyncConnection,
        call: CallId,
        live: LiveCall,
        viewer: Viewer,
        language: str,
    ) -> tuple[Note | None, int | None]:
        """The own note, and the customer that was chosen with it."""
        if viewer.user_id is None or not viewer.may(Permission.WRITE_NOTES):
            return None, None
        record = await contact_record(connection, call, viewer.user_id)
        project = self._directory.project_of(live.pbx, live.called_number, live.queue)
        choices = tuple(
            DispositionChoice(
                key=one.key,
                label=one.label_en if language == "en" else one.label_zh,
                digit=one.digit,
            )
            for one in await dispositions_of(connection, project)
        )
        if record is None:
            return Note(choices=choices), None
        note = Note(
            text=record.note,
            disposition=record.disposition,
            choices=choices,
            revision=record.revision,
            saved_at=record.saved_at,
            submitted=record.submitted,
        )
        return note, record.customer_id

    def _today(self) -> datetime:
        """When the day of the site began."""
        now = self._now().astimezone(self._zone)
        return now.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def _colleagues(
    records: Iterable[RecordOfCall], own: UserId, language: str
) -> tuple[ColleaguesNote, ...]:
    """What others have written, where there is something to read."""
    return tuple(
        ColleaguesNote(
            agent=one.agent,
            text=one.note,
            disposition=callers.disposition(one.disposition, language),
        )
        for one in records
        if one.user_id != own and (one.note.strip() or one.disposition is not None)
    )


def _as_it_was(detail: CallDetail) -> LiveCall:
    """A call that is over, in the shape of one that goes on."""
    last = detail.passes[-1] if detail.passes else None
    return LiveCall(
        pbx=detail.pbx,
        call=detail.call_id,
        direction=detail.direction,
        started_at=detail.started_at,
        caller_number=detail.caller_number_raw or detail.caller_number,
        caller_name=detail.caller_name,
        called_number=detail.called_number,
        queue=last.queue if last else None,
        entered_at=last.entered_at if last else None,
    )
