"""A whole small centre behind the real web server: people, queues, customers, a phone that rings.

The database, the bus, the board, the recorder and uvicorn are the real ones; only Asterisk is
missing, whose facts `World` tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx2
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from agent_ui.service import AgentUi
from crm_core.access.models import Session, User
from crm_core.access.sessions import hash_of
from crm_core.access.tokens import create_token
from crm_core.access.users import disable
from crm_core.access.viewer import viewer_of_user
from crm_core.agents.states import AgentStates
from crm_core.bus import Envelope, MemoryBus
from crm_core.centre.plan import QueuePlan, SwitchPlan
from crm_core.centre.setup import import_setup
from crm_core.commands import (
    AttemptOf,
    ChooseState,
    CompleteTransfer,
    ConsultCall,
    Done,
    EndConsultation,
    ExtendWrapUp,
    HangUp,
    HoldCall,
    OfOwnLeg,
    PlaceCall,
    Placed,
    ResumeCall,
    TransferCall,
)
from crm_core.customers.edit import create_customer
from crm_core.db import engine_of, transaction
from crm_core.errors import ZuoxiError
from crm_core.events import (
    AttemptResult,
    CallAnswered,
    CallEnded,
    CallHeld,
    CallOffered,
    CallQueued,
    CallResumed,
    CallStarted,
    ConversationEnded,
    DeviceSeen,
    Direction,
    EndedBy,
    Event,
    LegParty,
    LegStarted,
    LinkChanged,
    LinkState,
    Member,
    OfferEnded,
    Tick,
    TransferBegan,
    TransferEnded,
    TransferKind,
    TransferResult,
)
from crm_core.ids import BootId, CallId, PbxId, QueuePassKey, call_id
from crm_core.live_board.board import LiveBoard
from crm_core.service import CrmCore
from crm_core.settings import Settings

PBX = PbxId("main")
BOOT = BootId("b1763950000")
PASSWORD = "korrekt-pferd-7"
HOTLINE = "4008001234"

SETUP = f"""
pbx: main
projects:
  - {{name: 家电售后, client: 海星电器, default: true}}
  - {{name: 会员热线, client: 蓝鲸商城}}
queues:
  - {{name: support, title: 报修, project: 家电售后, strategy: ringall, ring_seconds: 15,
     max_wait_seconds: 300, wrap_up_seconds: 30}}
  - {{name: members, title: 会员服务, project: 会员热线}}
hotlines:
  - {{number: "{HOTLINE}", name: 海星售后热线, greeting: 您好，海星电器, queue: support}}
teams:
  - {{name: 华东一班, project: 家电售后}}
  - {{name: 会员班, project: 会员热线}}
seats:
  - {{extension: "8001", secret: a-Secret-of-8001-xyz}}
  - {{extension: "8002", secret: a-Secret-of-8002-xyz}}
  - {{extension: "8003", secret: a-Secret-of-8003-xyz}}
people:
  - {{name: limin, full_name: 李敏, agent_number: "1001", roles: [agent], team: 华东一班,
     queues: [support], extension: "8001", password: {PASSWORD}}}
  - {{name: zhaolei, full_name: 赵磊, agent_number: "1002", roles: [agent], team: 华东一班,
     queues: [support], extension: "8002", password: {PASSWORD}}}
  - {{name: sunli, full_name: 孙丽, agent_number: "1003", roles: [outbound_caller], team: 会员班,
     queues: [members], extension: "8003", password: {PASSWORD}}}
  - {{name: wangfang, full_name: 王芳, agent_number: "2001", roles: [supervisor], team: 华东一班,
     password: {PASSWORD}}}
  - {{name: chenwei, full_name: 陈伟, agent_number: "2002", roles: [supervisor], team: 会员班,
     password: {PASSWORD}}}
  - {{name: admin, full_name: 管理员, agent_number: "9001", roles: [admin], password: {PASSWORD}}}
  - {{name: gone, full_name: 已离职, agent_number: "1009", roles: [agent], password: {PASSWORD}}}
customer_fields:
  - {{key: contract, zh: 合同号, en: Contract, kind: text}}
  - {{key: risk, zh: 风险等级, en: Risk, kind: text, read_roles: [supervisor]}}
"""

QUEUES = (
    QueuePlan(name="support", title="报修", wrap_up_seconds=30),
    QueuePlan(name="members", title="会员服务", wrap_up_seconds=30),
)
"""What the machine of the states knows of `SETUP`."""

HIDDEN = "CANARY-RISK-7f3a"
"""The value of a custom field that agents may not read."""
NUMBER, RAW = "+8613800138000", "013800138000"
DIGITS = "13800138000"
SHARED, SHARED_DIGITS = "+8613911110000", "13911110000"


async def furnish(url: str) -> None:
    """People, queues and three customers into a migrated database."""

    engine, now = engine_of(url), datetime.now(UTC)
    async with transaction(engine) as connection:
        await import_setup(connection, SETUP, now=now)
        await disable(connection, "gone", actor="test", now=now)
    async with transaction(engine) as connection:
        admin_id = await connection.scalar(select(User.id).where(User.name == "admin"))
        # Who fills every field: an administrator who is a supervisor, too.
        admin = await viewer_of_user(connection, admin_id or 0)
        assert admin is not None
        everything = replace(admin, roles=admin.roles | {"supervisor"})
        for name, phone, fields in (
            ("张三", DIGITS, {"contract": "HT-2041", "risk": HIDDEN}),
            ("周一", SHARED_DIGITS, {}),
            ("吴二", SHARED_DIGITS, {}),
        ):
            values = {"name": name, "grade": "A", "phones": [phone], "fields": fields}
            await create_customer(connection, values, everything, now=now)
    await engine.dispose()


class Browser:
    """A browser of one person: keeps cookies (httpx drops Secure ones on http), sends Origin."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.cookies: dict[str, str] = {}
        self.csrf = ""
        self.client = httpx2.AsyncClient(base_url=url, timeout=10, verify=False)  # no TLS here

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    async def request(self, method: str, path: str, **more: Any) -> httpx2.Response:
        headers = {"cookie": self.cookie, "accept": "text/html", **more.pop("headers", {})}
        response = await self.client.request(method, path, headers=headers, **more)
        for line in response.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0]
            if value in ("", '""'):
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        found = re.search(r'name="csrf-token" content="([^"]*)"', response.text)
        if found:
            self.csrf = found.group(1)
        return response

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        return await self.request("GET", path, **more)

    async def post(self, path: str, data: dict[str, Any] | None = None, **more: Any) -> Any:
        """As a page's own form does it."""
        headers = {"origin": self.url, **more.pop("headers", {})}
        form = {"csrf_token": self.csrf, **(data or {})}
        return await self.request("POST", path, data=form, headers=headers, **more)

    async def sign_in(self, name: str, password: str = PASSWORD) -> httpx2.Response:
        response: httpx2.Response = await self.post(
            "/sign-in", {"name": name, "password": password}
        )
        await self.get("/password")  # a page with the token that all my forms carry
        return response

    async def close(self) -> None:
        await self.client.aclose()


class Listener:
    """A socket and all frames that have come over it."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.frames: list[dict[str, Any]] = []
        self.raw: list[str] = []
        self._arrived = asyncio.Event()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in self.connection:
                assert isinstance(message, str)
                self.raw.append(message)
                self.frames.append(json.loads(message))
                self._arrived.set()
        self._arrived.set()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame["type"] == kind]

    async def frame(self, kind: str, seconds: float = 5.0, **like: Any) -> dict[str, Any]:
        """The first frame of this kind (with these values), come or coming."""
        async with asyncio.timeout(seconds):
            while True:
                for frame in self.of(kind):
                    if all(frame.get(name) == value for name, value in like.items()):
                        return frame
                if self._task.done():
                    raise AssertionError(f"closed before a {kind}: {self.connection.close_code}")
                self._arrived.clear()
                await self._arrived.wait()

    async def ended(self, seconds: float = 5.0) -> int | None:
        """The close code, once the other side has closed."""
        async with asyncio.timeout(seconds):
            await self._task
        return self.connection.close_code

    async def close(self) -> None:
        await self.connection.close()
        await asyncio.gather(self._task, return_exceptions=True)


@dataclass
class Ringing:
    """A call that has been told as far as its first ring."""

    call: CallId
    queue_pass: QueuePassKey
    member: Member


@dataclass
class World:
    """The running centre and the hands to move it."""

    settings: Settings
    engine: AsyncEngine
    bus: MemoryBus
    board: LiveBoard
    core: CrmCore
    ui: AgentUi
    states: AgentStates
    """The machine that telephony runs beside AMI; here nobody is paused for it."""
    hung_up: list[HangUp] = field(default_factory=list)
    silent: bool = False
    """Asterisk's side answers no command about states."""
    acted: list[OfOwnLeg] = field(default_factory=list)
    """What the call bar has asked for; told as facts at once, unless `refuses`."""
    placed: list[PlaceCall] = field(default_factory=list)
    refuses: str | None = None
    known_attempts: dict[str, CallId] = field(default_factory=dict)
    """What Asterisk's side has heard of."""
    loses_answers: bool = False
    """What is to be placed is dialled, and the answer never comes."""
    _numbers: Any = field(default_factory=lambda: count(1))
    _closing: list[Any] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.ui.address

    # --- people -----------------------------------------------------------------------------------

    def browser(self) -> Browser:
        browser = Browser(self.url)
        self._closing.append(browser)
        return browser

    async def signed_in(self, name: str) -> Browser:
        """A browser whose sign-in was some time ago: no password is hashed for it here."""
        browser, now = self.browser(), datetime.now(UTC)
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        async with transaction(self.engine) as connection:
            user_id = await connection.scalar(select(User.id).where(User.name == name))
            await connection.execute(
                insert(Session).values(
                    token_hash=hash_of(token),
                    csrf_token=csrf,
                    user_id=user_id,
                    created_at=now,
                    seen_at=now,
                    expires_at=now + timedelta(hours=12),
                    address="127.0.0.1",
                    user_agent="a test",
                )
            )
        browser.cookies["__Host-zuoxi"], browser.csrf = token, csrf
        return browser

    async def at_desk(self, name: str, extension: str) -> Browser:
        browser = await self.signed_in(name)
        response = await browser.post("/device", {"device": f"main/{extension}"})
        assert response.status_code == 303, response.text
        return browser

    async def token(self, name: str, role: str, user: str | None = None) -> str:
        async with transaction(self.engine) as connection:
            return await create_token(
                connection, name=name, role=role, user=user, actor="test", now=datetime.now(UTC)
            )

    async def listen(
        self,
        browser: Browser | None = None,
        *,
        token: str | None = None,
        origin: str | None = "own",
        query: str = "",
    ) -> Listener:
        headers = {}
        if browser is not None:
            headers["cookie"] = browser.cookie
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        address = self.url.replace("http://", "ws://") + f"/api/v1/events{query}"
        named = (self.url if browser is not None else None) if origin == "own" else origin
        connection = await connect(
            address,
            additional_headers=headers,
            origin=Origin(named) if named is not None else None,
            compression=None,
        )
        listener = Listener(connection)
        self._closing.append(listener)
        return listener

    # --- Asterisk's side --------------------------------------------------------------------------

    def link(self, state: LinkState = LinkState.UP) -> None:
        self.bus.publish(LinkChanged(at=datetime.now(UTC), pbx=PBX, state=state))

    def phone(self, extension: str, *, reachable: bool) -> None:
        self.bus.publish(
            DeviceSeen(
                at=datetime.now(UTC),
                pbx=PBX,
                interface=f"PJSIP/{extension}",
                reachable=reachable,
            )
        )

    def time_passes(self, seconds: float) -> None:
        """For the machine of the states: wrap-ups that are due by then end."""
        self.tell(
            self.states.feed(Tick(at=datetime.now(UTC) + timedelta(seconds=seconds), pbx=PBX))
        )

    def tell(self, told: Iterable[object]) -> None:
        for each in told:
            if isinstance(each, Event):
                self.bus.publish(each)

    async def choose(self, command: ChooseState | ExtendWrapUp) -> Done | None:
        """What telephony answers."""
        if self.silent:
            return None
        now = datetime.now(UTC)
        try:
            if isinstance(command, ChooseState):
                self.tell(self.states.choose(command, now))
            else:
                self.tell(self.states.extend(command, now))
        except ZuoxiError as wrong:
            return Done(refused=wrong.detail)
        return Done()

    async def act(self, command: OfOwnLeg) -> Done:
        """What telephony answers, and the facts that Asterisk tells then."""
        self.acted.append(command)
        if self.refuses is not None:
            return Done(refused=self.refuses)
        talk = next(t for t in self.board.calls[command.call].talks if t.leg == command.leg)
        of: Any = {"at": datetime.now(UTC), "pbx": PBX, "call": command.call}
        leg: Any = {"member": talk.member, "leg": command.leg}
        match command:
            case HoldCall():
                self.bus.publish(CallHeld(**of, **leg))
            case ResumeCall():
                self.bus.publish(CallResumed(**of, **leg))
            case TransferCall():
                self._transfer(command, talk.member, TransferKind.BLIND)
                self._transferred(command, talk.member, TransferResult.SUCCEEDED)
            case ConsultCall():
                self.bus.publish(CallHeld(**of, **leg))
                self._transfer(command, talk.member, TransferKind.ATTENDED)
            case CompleteTransfer():
                self._transferred(command, talk.member, TransferResult.SUCCEEDED)
            case EndConsultation():
                self._transferred(command, talk.member, TransferResult.RETURNED)
                self.bus.publish(CallResumed(**of, **leg))
        return Done()

    def _transfer(
        self, command: TransferCall | ConsultCall, by: Member, kind: TransferKind
    ) -> None:
        former = self.board.calls[command.call].transfer
        self.bus.publish(
            TransferBegan(
                at=datetime.now(UTC),
                pbx=PBX,
                call=command.call,
                nth=former.nth + 1 if former else 1,
                kind=kind,
                member=by,
                to=command.to.exten,
            )
        )

    def _transferred(self, command: OfOwnLeg, by: Member, result: TransferResult) -> None:
        now, present = datetime.now(UTC), self.board.calls[command.call].transfer
        assert present is not None
        if result is TransferResult.SUCCEEDED:
            self.bus.publish(
                ConversationEnded(
                    at=now,
                    pbx=PBX,
                    call=command.call,
                    queue_pass=None,
                    member=by,
                    ended_by=EndedBy.TRANSFER,
                    leg=command.leg,
                )
            )
        self.bus.publish(
            TransferEnded(
                at=now,
                pbx=PBX,
                call=command.call,
                nth=present.nth,
                to_member=None,
                result=result,
            )
        )

    async def place(self, command: PlaceCall) -> Placed | None:
        if self.refuses is not None:
            return Placed(refused=self.refuses)
        self.placed.append(command)
        self.known_attempts[command.attempt] = call_id(PBX, BOOT, command.attempt)
        return None if self.loses_answers else Placed(call=self.known_attempts[command.attempt])

    async def attempt(self, asked: AttemptOf) -> Placed:
        return Placed(call=self.known_attempts.get(asked.attempt))

    def caller_queues(
        self,
        number: str | None = RAW,
        *,
        name: str | None = None,
        queue: str = "support",
    ) -> tuple[CallId, QueuePassKey]:
        unique_id = f"1763950001.{next(self._numbers)}"
        call, now = call_id(PBX, BOOT, unique_id), datetime.now(UTC)
        queue_pass = QueuePassKey(unique_id=unique_id, queue=queue)
        self.bus.publish(
            CallStarted(
                at=now,
                pbx=PBX,
                call=call,
                boot=BOOT,
                unique_id=unique_id,
                direction=Direction.INBOUND,
                caller_number=number,
                caller_name=name,
                called_number=HOTLINE,
            )
        )
        self.bus.publish(
            LegStarted(
                at=now,
                pbx=PBX,
                call=call,
                unique_id=unique_id,
                linked_id=unique_id,
                party=LegParty.CUSTOMER,
            )
        )
        self.bus.publish(
            CallQueued(
                at=now,
                pbx=PBX,
                call=call,
                queue_pass=queue_pass,
                caller_number=number,
                caller_name=name,
            )
        )
        return call, queue_pass

    def rings(
        self, call: CallId, queue_pass: QueuePassKey, extension: str, number: str, attempt: int = 1
    ) -> Ringing:
        member = Member(interface=f"PJSIP/{extension}", name=number)
        self.bus.publish(
            CallOffered(
                at=datetime.now(UTC),
                pbx=PBX,
                call=call,
                queue_pass=queue_pass,
                attempt=attempt,
                member=member,
                leg=f"{queue_pass.unique_id}9",
            )
        )
        return Ringing(call=call, queue_pass=queue_pass, member=member)

    def a_call_rings(
        self, extension: str = "8001", agent: str = "1001", caller: str | None = RAW, **more: Any
    ) -> Ringing:
        call, queue_pass = self.caller_queues(caller, **more)
        return self.rings(call, queue_pass, extension, agent)

    def ring_ends(self, ring: Ringing, result: AttemptResult, attempt: int = 1) -> None:
        self.bus.publish(
            OfferEnded(
                at=datetime.now(UTC),
                pbx=PBX,
                call=ring.call,
                queue_pass=ring.queue_pass,
                attempt=attempt,
                member=ring.member,
                result=result,
            )
        )

    def answers(self, ring: Ringing) -> None:
        self.bus.publish(
            CallAnswered(
                at=datetime.now(UTC),
                pbx=PBX,
                call=ring.call,
                queue_pass=ring.queue_pass,
                member=ring.member,
                leg=f"{ring.queue_pass.unique_id}9",
            )
        )

    def hangs_up(self, ring: Ringing) -> None:
        now = datetime.now(UTC)
        self.bus.publish(
            ConversationEnded(
                at=now,
                pbx=PBX,
                call=ring.call,
                queue_pass=ring.queue_pass,
                member=ring.member,
                ended_by=EndedBy.CALLER,
            )
        )
        self.ends(ring.call)

    def ends(self, call: CallId) -> None:
        self.bus.publish(CallEnded(at=datetime.now(UTC), pbx=PBX, call=call, cause=16))

    async def recorded(self) -> None:
        """Until the rows of all that was told are written."""
        await self.core.recorder.drain()

    async def settled(self) -> None:
        """Until the hub has had its turns."""
        for _ in range(20):
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[World]:
    """The centre on a database, served on a free port of loopback."""
    engine, bus, board = engine_of(settings.database_url), MemoryBus(), LiveBoard()
    bus.subscribe(lambda envelope: board.feed(envelope.event))
    core = CrmCore(bus, engine, settings)
    await core.start()
    ui = AgentUi(settings=settings, bus=bus, engine=engine, board=board, core=core)
    states = AgentStates(pbx=PBX)
    states.know(SwitchPlan(queues=QUEUES, hotlines=(), seats=()))
    world = World(
        settings=settings, engine=engine, bus=bus, board=board, core=core, ui=ui, states=states
    )

    async def hang_up(command: HangUp) -> Done:
        world.hung_up.append(command)
        return Done()

    def follows(envelope: Envelope) -> None:
        world.tell(states.feed(envelope.event))

    bus.answer(HangUp, hang_up)
    for kind in (
        *(HoldCall, ResumeCall, TransferCall, ConsultCall),
        *(CompleteTransfer, EndConsultation),
    ):
        bus.answer(kind, world.act)
    bus.answer(PlaceCall, world.place)
    bus.answer(AttemptOf, world.attempt)
    bus.answer(ChooseState, world.choose)
    bus.answer(ExtendWrapUp, world.choose)
    await ui.start()
    bus.subscribe(follows)
    world.link()
    try:
        yield world
    finally:
        for one in world._closing:
            await one.close()
        await ui.stop()
        await core.stop()
        await engine.dispose()
