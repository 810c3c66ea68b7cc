"""The open sockets, found by person, by page, by the secret they were opened with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from agent_ui.live.outbox import Outbox
from crm_core.access.permissions import DataScope
from crm_core.access.standing import Rights, Standing, rights_in
from crm_core.access.viewer import Viewer
from crm_core.ids import UserId


@dataclass(slots=True, eq=False)
class Socket:
    """One browser page or program that listens."""

    viewer: Viewer
    token_hash: str
    language: str
    page: str | None
    """`desk` or `live`; None for programs, which never get HTML."""
    outbox: Outbox = field(default_factory=Outbox)
    rights: Rights = field(init=False)
    stood_by: Standing | None = None
    """What the rights were last held against."""

    def __post_init__(self) -> None:
        self.rights = rights_in(self.viewer)


class Sockets:
    """Indexes; whoever adds a socket removes it."""

    def __init__(self) -> None:
        self._all: dict[Socket, None] = {}
        self._pages: dict[Socket, None] = {}
        self._beyond_own: dict[Socket, None] = {}
        self._by_user: dict[UserId, dict[Socket, None]] = defaultdict(dict)

    def __len__(self) -> int:
        return len(self._all)

    def add(self, socket: Socket) -> None:
        for index in self._indexes(socket):
            index[socket] = None

    def remove(self, socket: Socket) -> None:
        for index in self._indexes(socket):
            index.pop(socket, None)
        user = socket.viewer.user_id
        if user is not None and not self._by_user[user]:
            del self._by_user[user]

    def _indexes(self, socket: Socket) -> Iterable[dict[Socket, None]]:
        yield self._all
        if socket.page == "desk":
            yield self._pages
        if socket.viewer.scope is not DataScope.OWN:
            yield self._beyond_own
        if socket.viewer.user_id is not None:
            yield self._by_user[socket.viewer.user_id]

    def all(self) -> Sequence[Socket]:
        return tuple(self._all)

    def pages(self) -> Collection[Socket]:
        """The desks. The live queues keep their own list (`live_queues.push`)."""
        return tuple(self._pages)

    def has_pages(self) -> bool:
        return bool(self._pages)

    def beyond_own(self) -> Collection[Socket]:
        """Those whose viewer sees more than the own work: supervisors and programs."""
        return tuple(self._beyond_own)

    def of_user(self, user: UserId | None) -> Collection[Socket]:
        return tuple(self._by_user.get(user, ())) if user is not None else ()

    def own_of_user(self, user: UserId) -> Collection[Socket]:
        """Those of a person who sees no more than the own work."""
        return tuple(s for s in self.of_user(user) if s.viewer.scope is DataScope.OWN)

    def pages_of(self, user: UserId | None) -> Collection[Socket]:
        return tuple(socket for socket in self.of_user(user) if socket.page == "desk")

    def of_token(self, token_hash: str) -> Collection[Socket]:
        return tuple(socket for socket in self._all if socket.token_hash == token_hash)
