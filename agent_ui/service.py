"""The pages and sockets as a running service: wired, served by uvicorn, ended in order."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Protocol

import uvicorn
from sqlalchemy.ext.asyncio import AsyncEngine

from agent_ui.app import create_app
from agent_ui.auth import Identities
from agent_ui.books.standings import BookStandings
from agent_ui.deps import Deps
from agent_ui.desk.handed_notes import HandedNotes
from agent_ui.desk.reading import DeskReader
from agent_ui.directory import Directory
from agent_ui.live.hub import Hub
from agent_ui.live.pop_files import PopFiles
from agent_ui.live.redraw import Redraw
from agent_ui.live.rights import RightsWatch
from agent_ui.live.straight import StraightProtocol
from agent_ui.live_queues.days import QueueDays
from agent_ui.live_queues.drawing import FloorDrawings
from agent_ui.live_queues.push import FloorPush
from agent_ui.live_queues.reading import FloorReader
from agent_ui.operations.watch import Operations
from agent_ui.rendering import Renderer
from crm_core.access.throttle import SignInThrottle
from crm_core.beats import Beats
from crm_core.bus import Bus
from crm_core.centre.holders import HolderBook
from crm_core.errors import SettingError, ZuoxiError
from crm_core.live_board.board import LiveBoard
from crm_core.pop_query import PopQuery, pop_query_of
from crm_core.settings import Settings

log = logging.getLogger("zuoxi.web")

SEND_BUFFER = 256 * 1024
DRAIN_SECONDS = 3
"""How long requests under way may take when the server stops."""


class PortTaken(SettingError):
    """The port of the pages is taken by another program."""


class PartEnded(ZuoxiError):
    """A task without which the pages are not what they seem has ended."""


class Records(Protocol):
    """What pages need of the running records (`crm_core.service.CrmCore`)."""

    @property
    def holders(self) -> HolderBook: ...

    @property
    def recorder(self) -> Recording: ...


class Recording(Protocol):
    @property
    def trouble(self) -> str | None: ...

    async def drain(self) -> None: ...


class AgentUi:
    """`start` returns once the port is open; `address` says where. `stop` ends sockets, then all."""

    def __init__(
        self,
        *,
        settings: Settings,
        bus: Bus,
        engine: AsyncEngine,
        board: LiveBoard,
        core: Records,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        development: bool = False,
        beats: Beats | None = None,
    ) -> None:
        """`beats`: the other services, where they are processes of their own."""
        refuse_plain_http(settings)
        self._settings, self._engine = settings, engine
        self._query = pop_query_of(settings.database_url)
        self.deps = assemble(
            settings=settings,
            bus=bus,
            engine=engine,
            board=board,
            holders=core.holders,
            query=self._query,
            settled=core.recorder.drain,
            trouble=lambda: core.recorder.trouble,
            now=now,
            development=development,
            beats=beats,
        )
        self._rights = RightsWatch(
            engine=engine,
            hub=self.deps.hub,
            bus=bus,
            board=board,
            now=now,
            saw=self.deps.identities.saw,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when `stop` was called, or with what ended a task that is for ever."""
        self._server: uvicorn.Server | None = None
        self._socket: socket.socket | None = None

    @property
    def address(self) -> str:
        """Where a person finds the pages."""
        if self._settings.public_url:
            return self._settings.public_url
        host, port = self._settings.http_address
        if self._socket is not None:
            port = self._socket.getsockname()[1]
        scheme = "https" if self._settings.tls_cert else "http"
        shown = f"[{host}]" if ":" in host else host
        return f"{scheme}://{shown}:{port}"

    async def start(self) -> None:
        """Open the port and serve. Raises `PortTaken` where another program has it."""
        self._socket = listening(self._settings)
        await self.deps.directory.refresh()
        await self.deps.standings.start()
        self.deps.hub.start()
        self.deps.floor.start()
        self.deps.operations.start()
        self._server = _Server(server_config(self.deps, self._settings))
        serving = self._server.serve(sockets=[self._socket])
        for work, name in (
            (serving, "uvicorn"),
            (self.deps.directory.run(), "directory"),
            (self.deps.hub.beat(), "heartbeat"),
            (self.deps.hub.redraw.run(), "redraw"),
            (self._rights.run(), "rights"),
            (self.deps.floor.days.run(), "queue days"),
            (self.deps.floor.run(), "live queues"),
        ):
            task = asyncio.create_task(work, name=name)
            task.add_done_callback(self._task_ended)
            self._tasks.append(task)
        while not self._server.started:
            if self._tasks[0].done():
                await self._tasks[0]
                raise SettingError("The web server ended while it was starting; the log says why.")
            await asyncio.sleep(0.01)

    async def watch(self) -> None:
        """Until `stop`. Raises `PartEnded` where one of the tasks that are for ever has ended."""
        await self._over

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self._over.done():
            return
        wrong = task.exception()
        log.error("the task %s of the pages has ended", task.get_name(), exc_info=wrong)
        said = f": {wrong}" if wrong is not None else ""
        self._over.set_exception(
            PartEnded(
                f"A part of the pages ({task.get_name()}) has ended{said}. The log says more."
            )
        )
        self._over.exception()  # it is in the log already, should nobody watch

    def warm(self) -> None:
        """Do now, the port being open, what the first page would have to wait for (30 ms)."""
        self.deps.renderer.warm("auth/sign_in.html")

    async def stop(self) -> None:
        """Sockets are told to come back, requests under way end, then everything does."""
        if not self._over.done():
            self._over.set_result(None)
        self.deps.hub.stop()
        self.deps.floor.stop()
        self.deps.operations.stop()
        self.deps.standings.stop()
        if self._server is not None:
            self._server.should_exit = True
        for task in self._tasks[1:]:
            task.cancel()
        # Whatever one of them died of was told when it did.
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._query.close()
        if self._socket is not None:
            self._socket.close()


class _Server(uvicorn.Server):
    """uvicorn as a part of a process, not its master: signals belong to the composition root."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def assemble(
    *,
    settings: Settings,
    bus: Bus,
    engine: AsyncEngine,
    board: LiveBoard,
    holders: HolderBook,
    query: PopQuery,
    settled: Callable[[], Awaitable[None]],
    trouble: Callable[[], str | None] = lambda: None,
    now: Callable[[], datetime],
    development: bool = False,
    beats: Beats | None = None,
) -> Deps:
    """One of each, wired."""
    directory = Directory(engine, settings.region)
    pop_files = PopFiles(query, directory, settings.region)
    renderer = Renderer(settings.zone, development=development)
    desk = DeskReader(
        engine=engine,
        board=board,
        directory=directory,
        pop_files=pop_files,
        handed_notes=HandedNotes(engine, bus),
        zone=settings.zone,
        now=now,
        demo_pbxs=settings.demo_pbxs,
    )
    redraw = Redraw(desk=desk, renderer=renderer, settled=settled, seq=lambda: bus.seq, now=now)
    days = QueueDays(engine=engine, settled=settled, zone=settings.zone, now=now)
    hub = Hub(
        bus=bus,
        board=board,
        holders=holders,
        directory=directory,
        pop_files=pop_files,
        redraw=redraw,
        today=days.of,
        now=now,
    )
    standings = BookStandings(
        engine=engine, bus=bus, directory=directory, pbxs=settings.pbxs, now=now
    )
    floor = FloorReader(
        board=board,
        directory=directory,
        pop_files=pop_files,
        audience=hub.audience,
        days=days,
        standings=standings,
        now=now,
    )
    identities = Identities(engine, settings, now)
    return Deps(
        settings=settings,
        bus=bus,
        engine=engine,
        board=board,
        holders=holders,
        renderer=renderer,
        directory=directory,
        identities=identities,
        pop_files=pop_files,
        hub=hub,
        desk=desk,
        floor=FloorPush(
            bus=bus, days=days, reader=floor, drawings=FloorDrawings(renderer), now=now
        ),
        operations=Operations(
            settings=settings,
            engine=engine,
            bus=bus,
            board=board,
            hub=hub,
            identities=identities,
            beats=beats,
            standings=standings,
            now=now,
        ),
        standings=standings,
        throttle=SignInThrottle(),
        recorder_trouble=trouble,
        now=now,
        development=development,
    )


def server_config(deps: Deps, settings: Settings) -> uvicorn.Config:
    """uvicorn for sockets that stay open a shift: no compression (it doubles their memory)."""
    trusted = settings.trusted_proxies
    logging.getLogger("uvicorn.error").addFilter(_worth_a_line)
    return uvicorn.Config(
        create_app(deps),
        loop="none",
        ws=StraightProtocol,
        ws_per_message_deflate=False,
        ws_max_size=16 * 1024,
        ws_ping_interval=20.0,
        ws_ping_timeout=20.0,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(trusted),
        forwarded_allow_ips=trusted or "",
        timeout_graceful_shutdown=DRAIN_SECONDS,
        ssl_certfile=settings.tls_cert or None,
        ssl_keyfile=settings.tls_key or None,
    )


def _worth_a_line(record: logging.LogRecord) -> bool:
    # uvicorn 0.54 says the first of every socket that is refused with an answer of its own. That the
    # server has started the command line says, with its address.
    said = record.getMessage()
    return "without completing handshake" not in said and not said.startswith("Started server")


def refuse_plain_http(settings: Settings) -> None:
    """Raise `SettingError` where browsers would drop the session's cookie and passwords be read."""
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise SettingError("ZUOXI_TLS_CERT and ZUOXI_TLS_KEY belong together: set both.")
    host, _ = settings.http_address
    if settings.tls_cert or settings.insecure_http or _is_loopback(host):
        return
    if settings.public_url.startswith("https://"):
        return
    raise SettingError(
        f"ZUOXI_HTTP_BIND={settings.http_bind} would serve plain http to the network: sign-in fails "
        "there, because browsers drop the session's cookie. Set ZUOXI_TLS_CERT and ZUOXI_TLS_KEY, "
        "or ZUOXI_PUBLIC_URL=https://… if a proxy ends TLS, or ZUOXI_INSECURE_HTTP=1 to accept that "
        "passwords and customers' data can be read on the way."
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listening(settings: Settings) -> socket.socket:
    """The open port. Raises `SettingError` with a sentence when it is taken or not ours to open."""
    host, port = settings.http_address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Inherited by every connection: a browser that does not read holds no more of the kernel's memory.
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    try:
        opened.bind((host, port))
        opened.listen(2048)
    except OSError as wrong:
        opened.close()
        if wrong.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"ZUOXI_HTTP_BIND: port {port} of {host} is taken by another program. "
                "End it, or choose another port."
            ) from None
        raise SettingError(
            f"ZUOXI_HTTP_BIND: {settings.http_bind} cannot be opened: {wrong.strerror}."
        ) from None
    opened.setblocking(False)
    return opened
