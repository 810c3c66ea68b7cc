"""A phone with more than one line, moved step by step: what SIPp's one-call tables cannot play.

    with DeskPhone(lab, "8301", group=3) as phone:
        caller = phone.rings()
        caller.answer()
        caller.hold()
        expert = phone.dial("8002")
        expert.wait_answered()
        caller.refer("8002", replaces=expert)

It answers BYE, NOTIFY, CANCEL and OPTIONS by itself and notes each step with its moment.
"""

from __future__ import annotations

import re
import secrets
import socket
import threading
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from tests.lab.asterisk import Laboratory

_WAIT_SECONDS = 20


class Line:
    """One call of the phone. `log` is (moment, what), as SIPp's logs have them."""

    def __init__(self, phone: DeskPhone, call_id: str, *, local: str, remote: str, target: str):
        self._phone, self.call_id = phone, call_id
        self.local, self.remote, self.target = local, remote, target
        self.invite: dict[str, str] = {}
        self.state = "ringing"
        self.log: list[tuple[datetime, str]] = []
        self._cseq = 0

    def note(self, what: str) -> None:
        self.log.append((datetime.now(UTC), what))

    def move(self, state: str) -> None:
        with self._phone.news:
            self.state = state
            self._phone.news.notify_all()
        self.note(state)

    def answer(self) -> None:
        """200 OK to the INVITE that rang."""
        self._phone.respond(self.invite, 200, body=_sdp("sendrecv"), to=self.local)
        self.move("answered")

    def hold(self) -> None:
        self.note("held")
        self._ask("INVITE", body=_sdp("sendonly"))

    def resume(self) -> None:
        self.note("resumed")
        self._ask("INVITE", body=_sdp("sendrecv"))

    def refer(self, to: str, replaces: Line | None = None) -> None:
        """A blind transfer; with `replaces` the other side is joined to that line's."""
        where = f"sip:{to}@{self._phone.asterisk}"
        if replaces is not None:
            tags = (_tag(replaces.remote), _tag(replaces.local))
            which = f"{replaces.call_id}%3Bto-tag%3D{tags[0]}%3Bfrom-tag%3D{tags[1]}"
            where += f"?Replaces={which}"
        self.note(f"referred {to}")
        self._ask("REFER", f"Refer-To: <{where}>", f"Referred-By: {self._phone.address}")

    def press(self, keys: str) -> None:
        """By SIP INFO, one key each 140 ms; a comma is half a second of nothing."""
        for key in keys:
            if key == ",":
                time.sleep(0.5)
                continue
            self._ask("INFO", "Content-Type: application/dtmf-relay", body=_pressed(key))
            time.sleep(0.14)

    def hang_up(self) -> None:
        """Nothing where the other side, or Asterisk, has ended it already."""
        if self.state != "over":
            self._ask("BYE" if self.state == "answered" else "CANCEL")
            self.move("over")

    def wait_answered(self) -> None:
        self._wait("answered")

    def wait_over(self) -> None:
        self._wait("over")

    def _wait(self, state: str) -> None:
        with self._phone.news:
            if not self._phone.news.wait_for(lambda: self.state == state, _WAIT_SECONDS):
                raise TimeoutError(f"the line never was {state}; it is {self.state}")

    def _ask(self, method: str, *headers: str, body: str = "") -> None:
        if method != "CANCEL":
            self._cseq = max(self._cseq, 1) + 1
        self._phone.request(self, method, self._cseq or 1, *headers, body=body)


class DeskPhone:
    """The phone of one seat, at the port of its group."""

    def __init__(self, lab: Laboratory, seat: str, *, group: int) -> None:
        self._port, self.seat = lab.ports.phones[group], seat
        self.asterisk = f"127.0.0.1:{lab.ports.sip}"
        self.address = f"<sip:{seat}@127.0.0.1>"
        self.news = threading.Condition()
        self._lines: dict[str, Line] = {}
        self._to_ring: list[Line] = []

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", self._port))
        host, _, port = self.asterisk.partition(":")
        self._socket.connect((host, int(port)))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(5)
        self._socket.close()

    def rings(self) -> Line:
        """The next call that rings here."""
        with self.news:
            if not self.news.wait_for(lambda: bool(self._to_ring), _WAIT_SECONDS):
                raise TimeoutError("nothing rang")
            return self._to_ring.pop(0)

    def dial(self, number: str) -> Line:
        line = Line(
            self,
            secrets.token_hex(8),
            local=f"{self.address};tag={secrets.token_hex(4)}",
            remote=f"<sip:{number}@{self.asterisk}>",
            target=f"sip:{number}@{self.asterisk}",
        )
        self._lines[line.call_id] = line
        self.request(line, "INVITE", 1, body=_sdp("sendrecv"))
        return line

    def request(self, line: Line, method: str, cseq: int, *headers: str, body: str = "") -> None:
        branch = f"z9hG4bK{line.call_id}{'INVITE' if method == 'CANCEL' else method}{cseq}"
        self._send(
            f"{method} {line.target} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self._port};rport;branch={branch}",
            f"From: {line.local}",
            f"To: {line.remote}",
            f"Call-ID: {line.call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:{self.seat}@127.0.0.1:{self._port}>",
            "Max-Forwards: 70",
            *headers,
            body=body,
        )

    def respond(
        self, asked: dict[str, str], status: int, *, body: str = "", to: str | None = None
    ) -> None:
        self._send(
            f"SIP/2.0 {status} .",
            *(f"{name}: {asked[name]}" for name in ("via", "from")),
            f"to: {to or asked['to']}",
            *(f"{name}: {asked[name]}" for name in ("call-id", "cseq")),
            f"Contact: <sip:{self.seat}@127.0.0.1:{self._port}>",
            body=body,
        )

    def _send(self, *lines: str, body: str = "") -> None:
        kind = ["Content-Type: application/sdp"] if body.startswith("v=0") else []
        text = "\r\n".join([*lines, *kind, f"Content-Length: {len(body)}", "", body])
        self._socket.send(text.encode())

    def _read(self) -> None:
        while data := self._received():
            first, headers = _parsed(data.decode(errors="replace"))
            if first.startswith("SIP/2.0 "):
                self._answered(int(first.split()[1]), headers)
            else:
                self._asked(first.split()[0], headers)

    def _received(self) -> bytes:
        try:
            return self._socket.recv(65536)
        except OSError:
            return b""

    def _asked(self, method: str, headers: dict[str, str]) -> None:
        line = self._lines.get(headers["call-id"])
        if method == "INVITE" and line is None:
            line = self._rung(headers)
            self.respond(headers, 180, to=line.local)
            with self.news:
                self._to_ring.append(line)
                self.news.notify_all()
        elif method == "INVITE":  # Asterisk renews a session, or tells who is at the other end
            self.respond(headers, 200, body=_sdp("sendrecv"))
        elif method != "ACK":
            self.respond(headers, 200)
            if line is not None and method == "CANCEL":
                self.respond(line.invite, 487, to=line.local)
            if line is not None and method in ("BYE", "CANCEL"):
                line.move("over")

    def _rung(self, headers: dict[str, str]) -> Line:
        line = Line(
            self,
            headers["call-id"],
            local=f"{headers['to']};tag={secrets.token_hex(4)}",
            remote=headers["from"],
            target=_address(headers["contact"]),
        )
        line.invite = headers
        line.note("rang")
        self._lines[line.call_id] = line
        return line

    def _answered(self, status: int, headers: dict[str, str]) -> None:
        line = self._lines.get(headers["call-id"])
        number, method = headers["cseq"].split()
        if line is None or method != "INVITE" or status < 200:
            if line is not None and method == "INVITE" and ";tag=" in headers["to"]:
                line.remote = headers["to"]
            return
        if line.state == "ringing" and status < 300:
            line.remote, line.target = headers["to"], _address(headers["contact"])
        self.request(line, "ACK", int(number))
        if line.state == "ringing":
            line.move("answered" if status < 300 else "over")


def _parsed(text: str) -> tuple[str, dict[str, str]]:
    head = text.partition("\r\n\r\n")[0].split("\r\n")
    headers: dict[str, str] = {}
    for line in head[1:]:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    return head[0], headers


def _address(contact: str) -> str:
    found = re.search(r"<?(sip:[^>;]*)", contact)
    if found is None:
        raise ValueError(f"no address in {contact!r}")
    return found[1]


def _tag(header: str) -> str:
    return header.partition(";tag=")[2].partition(";")[0]


def _pressed(key: str) -> str:
    return f"Signal={key}\r\nDuration=100\r\n"


def _sdp(direction: str) -> str:
    lines = (
        *("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"),
        *("m=audio 40000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", f"a={direction}"),
    )
    return "".join(f"{line}\r\n" for line in lines)
