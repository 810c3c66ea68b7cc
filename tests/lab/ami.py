"""The least AMI client that a laboratory needs: bytes in, bytes out, and nothing of the product's."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from telephony.dialplan import CONTROL_ACCOUNT, EVENTS_ACCOUNT
from tests.lab.asterisk import CONTROL_SECRET, EVENTS_SECRET, Laboratory

_SECRETS = {EVENTS_ACCOUNT: EVENTS_SECRET, CONTROL_ACCOUNT: CONTROL_SECRET}


class Session:
    """One logged-in AMI session. `on_bytes` is called with each chunk as it was received."""

    def __init__(
        self,
        lab: Laboratory,
        account: str = CONTROL_ACCOUNT,
        on_bytes: Callable[[bytes], None] = lambda chunk: None,
    ) -> None:
        self._lab, self._account, self._on_bytes = lab, account, on_bytes
        self.received = bytearray()
        self._news = threading.Condition()

    def __enter__(self) -> Self:
        self._socket = socket.create_connection(("127.0.0.1", self._lab.ports.ami), 10)
        self._socket.settimeout(None)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        events = {"Events": "off"} if self._account == CONTROL_ACCOUNT else {}
        self.act("Login", Username=self._account, Secret=_SECRETS[self._account], **events)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.send("Logoff")
            self._reader.join(5)
        # Wakes the reader: nothing may arrive after this block.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(5)
        self._socket.close()

    def send(self, action: str, **headers: str) -> None:
        lines = [f"Action: {action}", *(f"{name}: {value}" for name, value in headers.items())]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def act(self, action: str, until: str | None = None, **headers: str) -> str:
        """Send and wait for the answer (or its last event, `until`). Returns what came since."""
        begin = len(self.received)
        self.send(action, ActionID=f"lab-{action}", **headers)
        wanted = f"Event: {until}\r\n" if until else f"ActionID: lab-{action}\r\n"
        self.wait_for(wanted.encode(), begin=begin)
        answer = self.received[begin:].decode(errors="replace")
        if "Response: Error" in answer:
            raise RuntimeError(f"AMI {action}: {answer}")
        return answer

    def wait_for(self, wanted: bytes, *, begin: int = 0, seconds: float = 30) -> None:
        """Until `wanted` and the end of its message were received."""

        def there() -> bool:
            at = self.received.find(wanted, begin)
            return at >= 0 and self.received.find(b"\r\n\r\n", at) >= 0

        with self._news:
            if not self._news.wait_for(there, seconds):
                raise TimeoutError(f"AMI: {wanted!r} did not come within {seconds} s")

    def quiet(self, seconds: float = 0.4) -> None:
        """Until nothing came for that long."""
        before = -1
        while before != len(self.received):
            before = len(self.received)
            time.sleep(seconds)

    def _read(self) -> None:
        while chunk := self._chunk():
            self._on_bytes(chunk)
            with self._news:
                self.received += chunk
                self._news.notify_all()

    def _chunk(self) -> bytes:
        try:
            return self._socket.recv(65536)
        except OSError:
            return b""


def add_member(
    control: Session, queue: str, seat: str, agent_number: str, penalty: int = 0
) -> None:
    """As the product does: the member's name is the agent number, so queue_log says who it was."""
    control.act(
        "QueueAdd",
        Queue=queue,
        Interface=f"PJSIP/{seat}",
        StateInterface=f"PJSIP/{seat}",
        MemberName=agent_number,
        Penalty=str(penalty),
    )
