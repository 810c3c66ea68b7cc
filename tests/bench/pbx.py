"""The Asterisk of the benchmark: answers as one does, and sends what it is given when it is due."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.bench.loop import Loop
from tests.bench.traffic import Agent, Ring, Sent

STARTED_AT = datetime(2026, 11, 24, 10, 57, 58, tzinfo=UTC)
_SEND_BUFFER = 8 << 20
_LISTS = {"Status": "StatusComplete", "CoreShowChannels": "CoreShowChannelsComplete",
          "BridgeList": "BridgeListComplete", "QueueStatus": "QueueStatusComplete"}  # fmt: skip


@dataclass(slots=True, eq=False)
class _Connection:
    sock: socket.socket
    rest: bytes = b""
    hears_events: bool = False


@dataclass(slots=True)
class Written:
    """What a round wrote: each ring with the moment of its AgentCalled, and how late writes were."""

    rings: list[tuple[Ring, float]] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    events: int = 0
    bytes: int = 0


class Pbx:
    """Listens on `port`; `up` once a session that hears events has its snapshot."""

    def __init__(self, loop: Loop, agents: Sequence[Agent]) -> None:
        self._loop, self._agents = loop, agents
        self._events: _Connection | None = None
        self.up = False
        self.pinged_at = 0.0
        """When the events session's last Ping was answered."""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        loop.read(self._listening, self._accept)

    def _accept(self, _now: float) -> None:
        sock, _ = self._listening.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        connection = _Connection(sock)
        self._loop.read(sock, lambda _now: self._read(connection))
        _send(sock, b"Asterisk Call Manager/11.0.0\r\n")

    def _read(self, connection: _Connection) -> None:
        with contextlib.suppress(ConnectionError):
            data = connection.sock.recv(65536)
            if data:
                *actions, connection.rest = (connection.rest + data).split(b"\r\n\r\n")
                for action in actions:
                    self._answer(connection, action.decode())
                return
        self._loop.leave(connection.sock)
        connection.sock.close()
        if connection is self._events:
            self._events, self.up = None, False

    def _answer(self, connection: _Connection, action: str) -> None:
        asked = dict(line.split(": ", 1) for line in action.split("\r\n") if ": " in line)
        name, number = asked["Action"], asked.get("ActionID", "")
        if name == "Login" and asked.get("Events") == "on":
            connection.hears_events, self._events = True, connection
        said = [_answer(number, "Response: Success", "Message: done")]
        if name == "CoreStatus":
            said = [_answer(number, "Response: Success", f"CoreStartupDate: {STARTED_AT:%Y-%m-%d}",
                            f"CoreStartupTime: {STARTED_AT:%H:%M:%S}")]  # fmt: skip
        elif name in _LISTS:
            said = [_answer(number, "Response: Success", "EventList: start", "Message: follows")]
            said += self._queue_items(number) if name == "QueueStatus" else []
            said.append(_answer(number, f"Event: {_LISTS[name]}", "EventList: Complete"))
        _send(connection.sock, "".join(said).encode())
        if name == "Login" and connection.hears_events:
            up_for = int((datetime.now(UTC) - STARTED_AT).total_seconds())
            booted = ("Event: FullyBooted", "Privilege: system,all", f"Uptime: {up_for}", "", "")
            _send(connection.sock, "\r\n".join(booted).encode())
        self.up = self.up or name == "BridgeList"
        if name == "Ping" and connection.hears_events:
            self.pinged_at = time.perf_counter()

    def _queue_items(self, number: str) -> list[str]:
        queues = dict.fromkeys(agent.queue.decode() for agent in self._agents)
        said = [_answer(number, "Event: QueueParams", f"Queue: {q}", "Calls: 0") for q in queues]
        for agent in self._agents:
            device = f"PJSIP/{agent.extension.decode()}"
            said.append(
                _answer(number, "Event: QueueMember", f"Queue: {agent.queue.decode()}",
                        f"Name: {agent.number.decode()}", f"Location: {device}",
                        f"StateInterface: {device}", "Membership: dynamic", "Penalty: 0",
                        "CallsTaken: 0", "InCall: 0", "Status: 1", "Paused: 0", "PausedReason: ")
            )  # fmt: skip
        return said

    @property
    def heard_by(self) -> bool:
        """Somebody has logged in who hears events."""
        return self._events is not None

    # --- sending ----------------------------------------------------------------------------------

    def play(self, traffic: Sequence[Sent], began: float) -> Written:
        """Write every event at its moment (open loop: nobody is waited for); serve meanwhile."""
        assert self._events is not None, "nobody hears events"
        send, turn, now = self._events.sock, self._loop.turn, time.perf_counter
        written = Written()
        for sent in traffic:
            due = began + sent.offset
            while now() < due:
                turn(due)
            at = now()
            _send(send, sent.data)
            written.late.append(at - due)
            if sent.ring is not None:
                written.rings.append((sent.ring, at))
        written.events = len(traffic)
        written.bytes = sum(len(sent.data) for sent in traffic)
        return written

    def flood(self, data: bytes, is_over: Callable[[], bool]) -> None:
        """Everything as fast as it is taken, in pieces that end with a message."""
        assert self._events is not None, "nobody hears events"
        begin = 0
        while begin < len(data) and not is_over():
            end = data.find(b"\r\n\r\n", begin + 65536)
            end = len(data) if end < 0 else end + 4
            _send(self._events.sock, data[begin:end])
            begin = end
            self._loop.turn(0.0)


def _answer(number: str, first: str, *lines: str) -> str:
    identity = (f"ActionID: {number}",) if number else ()
    return "\r\n".join((first, *identity, *lines, "", ""))


def _send(sock: socket.socket, data: bytes) -> None:
    """All of it; waits where the other side does not read."""
    sent = 0
    while sent < len(data):
        try:
            sent += sock.send(data[sent:] if sent else data)
        except BlockingIOError:
            time.sleep(0.0002)
