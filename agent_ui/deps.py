"""What the pages and sockets work with, made once by `service.AgentUi` and passed down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import HTTPConnection

from agent_ui.customers.made import Made
from agent_ui.directory import Directory
from agent_ui.recordings.heard import Heard
from agent_ui.rendering import Renderer
from agent_ui.wishes import Wishes
from crm_core.access.throttle import SignInThrottle
from crm_core.bus import Bus
from crm_core.centre.holders import HolderBook
from crm_core.customers.guesses import Guesses
from crm_core.live_board.board import LiveBoard
from crm_core.quick_dataclass import dataclass
from crm_core.settings import Settings

if TYPE_CHECKING:
    from agent_ui.auth import Identities
    from agent_ui.books.standings import BookStandings
    from agent_ui.desk.reading import DeskReader
    from agent_ui.live.hub import Hub
    from agent_ui.live.pop_files import PopFiles
    from agent_ui.live_queues.push import FloorPush
    from agent_ui.operations.watch import Operations


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """One of each for the whole process."""

    settings: Settings
    bus: Bus
    engine: AsyncEngine
    board: LiveBoard
    holders: HolderBook
    renderer: Renderer
    directory: Directory
    identities: Identities
    pop_files: PopFiles
    hub: Hub
    desk: DeskReader
    floor: FloorPush
    operations: Operations
    standings: BookStandings
    throttle: SignInThrottle
    hung_up: Wishes = field(default_factory=Wishes)
    extended: Wishes = field(default_factory=Wishes)
    acted: Wishes = field(default_factory=Wishes)
    made: Made = field(default_factory=Made)
    guesses: Guesses = field(default_factory=Guesses)
    listened: Wishes = field(default_factory=Wishes)
    heard: Heard = field(default_factory=Heard)
    recorder_trouble: Callable[[], str | None] = lambda: None
    """A sentence while the database cannot be written."""
    now: Callable[[], datetime] = _now
    development: bool = False


def deps_of(connection: HTTPConnection) -> Deps:
    """What `create_app` was given, from inside a request or a socket."""
    found: Deps = connection.app.state.deps
    return found
