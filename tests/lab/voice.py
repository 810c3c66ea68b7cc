"""Callers and phones with a voice: raw SIP and RTP (G.711 µ-law), for what SIPp's silence cannot show.

A caller says something and hears; a phone answers, says something and hears. What was heard is kept as
it arrived, without regard to lost or late packets: on loopback there are none.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import secrets
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

from tests.lab.asterisk import CARRIER, Laboratory
from tests.lab.tones import PACKET, RATE, mu_law, samples_of

_FIRST_NUMBER = itertools.cycle(range(30_000, 1_000, -1_000))
"""Each voice counts its packets from below the one before it: Asterisk's recorder takes that for late
packets where the other side of a channel changes, and drops them (22.10.1)."""

PACKET_SECONDS = PACKET / RATE


class Voice(asyncio.DatagramProtocol):
    """One end of a stream of RTP."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self._transport: asyncio.DatagramTransport | None = None
        self._peer: tuple[str, int] | None = None
        self._says: asyncio.Task[None] | None = None
        self._spoken = asyncio.Event()

    @classmethod
    async def at(cls, host: str) -> Self:
        loop = asyncio.get_running_loop()
        _, voice = await loop.create_datagram_endpoint(cls, local_addr=(host, 0))
        return voice

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, _address: Any) -> None:
        if len(data) > 12 and data[1] & 0x7F == 0:  # payload type 0: µ-law
            self.heard += data[12:]

    @property
    def samples(self) -> list[int]:
        return samples_of(bytes(self.heard))

    @property
    def sdp(self) -> bytes:
        assert self._transport is not None
        host, port = self._transport.get_extra_info("sockname")
        return (
            f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\n"
        ).encode()

    def begin(self, sdp: bytes, say: Sequence[int] = (), *, again: bool = False) -> None:
        """Speak to the other side of this SDP: once, or again and again; silence afterwards."""
        host = re.search(rb"c=IN IP4 (\S+)", sdp)
        port = re.search(rb"m=audio (\d+)", sdp)
        assert host
        assert port
        self._peer = (host[1].decode(), int(port[1]))
        if self._says is None:
            self._says = asyncio.create_task(self._speak(mu_law(say), again))

    async def _speak(self, sound: bytes, again: bool) -> None:
        loop, assigned = asyncio.get_running_loop(), secrets.randbits(16)
        begin, place, number = loop.time(), 0, next(_FIRST_NUMBER)
        while True:
            packet = sound[place : place + PACKET].ljust(PACKET, b"\xff")
            place += PACKET
            if place >= len(sound):
                self._spoken.set()
                place = 0 if again else place
            head = struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, number * PACKET, assigned)
            assert self._transport is not None
            self._transport.sendto(head + packet, self._peer)
            number += 1
            begin += PACKET_SECONDS
            await asyncio.sleep(max(0.0, begin - loop.time()))

    async def spoken(self) -> None:
        """Return when everything was said once."""
        await self._spoken.wait()

    def end(self) -> None:
        if self._says is not None:
            self._says.cancel()
        if self._transport is not None:
            self._transport.close()


class _Sip(asyncio.DatagramProtocol):
    """One socket of SIP; what arrives goes to `got`, in order."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[tuple[bytes, Any]] = asyncio.Queue()
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.got.put_nowait((data, address))

    @property
    def here(self) -> tuple[str, int]:
        assert self._transport is not None
        host, port = self._transport.get_extra_info("sockname")
        return host, port

    def send(self, data: bytes, to: Any) -> None:
        assert self._transport is not None
        self._transport.sendto(data, to)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def _sip(host: str, port: int) -> _Sip:
    loop = asyncio.get_running_loop()
    _, sip = await loop.create_datagram_endpoint(_Sip, local_addr=(host, port))
    return sip


# --- callers --------------------------------------------------------------------------------------


class VoiceCall:
    """A caller who was answered. `voice.heard` is what he hears."""

    def __init__(self, sip: _Sip, to: tuple[str, int], number: str, hotline: str) -> None:
        self._sip, self._to, self._number, self._hotline = sip, to, number, hotline
        self._id, self._tag = secrets.token_hex(8), secrets.token_hex(4)
        self._to_header = f"<sip:{hotline}@127.0.0.1>"
        self._sequence = 0
        self.voice = Voice()
        self._listening: asyncio.Task[None] | None = None
        self.ended = asyncio.Event()
        """The other side hung up."""

    async def ring(self, say: Sequence[int], *, again: bool = False) -> None:
        """Until somebody answers; from then on `say` is said. Raises where the call is refused."""
        self.voice = await Voice.at(self._sip.here[0])
        self._send("INVITE", self.voice.sdp)
        while True:
            answer, _ = await self._sip.got.get()
            status = int(answer.split(b" ", 2)[1])
            if status == 183 and b"m=audio" in answer:
                self.voice.begin(answer)
            if status < 200:
                continue
            self._to_header = header(answer, "To")
            self._send("ACK")
            if status >= 300:
                raise RuntimeError(f"refused with {status}")
            break
        self.voice.begin(answer, say, again=again)
        self._listening = asyncio.create_task(self._listen())

    async def hang_up(self) -> None:
        if not self.ended.is_set() and self._listening is not None:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening
            self._send("BYE")
            while b"BYE" not in (answer := (await self._sip.got.get())[0]):
                pass
            assert answer
        self.close()

    def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
        self.voice.end()
        self._sip.close()

    async def _listen(self) -> None:
        while True:
            request, address = await self._sip.got.get()
            if request.startswith(b"SIP/2.0"):
                continue
            self._sip.send(response(request, 200, "OK"), address)
            if request.startswith(b"BYE"):
                self.ended.set()
                self.voice.end()

    def _send(self, method: str, body: bytes = b"") -> None:
        if method != "ACK":
            self._sequence += 1
        host, port = self._sip.here
        lines = [
            f"{method} sip:{self._hotline}@127.0.0.1 SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};rport;branch=z9hG4bK{secrets.token_hex(8)}",
            f"From: <sip:{self._number}@{CARRIER}>;tag={self._tag}",
            f"To: {self._to_header}",
            f"Call-ID: {self._id}",
            f"CSeq: {self._sequence} {method}",
            f"Contact: <sip:{self._number}@{host}:{port}>",
            "Max-Forwards: 70",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self._sip.send("\r\n".join([*lines, "", ""]).encode() + body, self._to)


async def call(
    lab: Laboratory,
    hotline: str,
    number: str,
    say: Sequence[int] = (),
    *,
    again: bool = False,
    source: str = CARRIER,
) -> VoiceCall:
    """Ring a hotline as this number; returns once somebody answered."""
    ringing = VoiceCall(await _sip(source, 0), ("127.0.0.1", lab.ports.sip), number, hotline)
    try:
        await ringing.ring(say, again=again)
    except BaseException:
        ringing.close()
        raise
    return ringing


# --- phones ---------------------------------------------------------------------------------------


class VoicePhone:
    """The phones of ten seats: each call is answered at once, and the seat says something."""

    def __init__(self, sip: _Sip, say: Callable[[str], Sequence[int]]) -> None:
        self._sip, self._say = sip, say
        self._voices: dict[str, Voice] = {}
        self.answered: list[tuple[str, Voice]] = []
        """(extension, voice), in the order of the answers."""

    async def run(self) -> None:
        while True:
            request, address = await self._sip.got.get()
            method = request.split(b" ", 1)[0].decode()
            if method in ("SIP/2.0", "ACK"):
                continue
            if method == "INVITE":
                await self._invited(request, address)
            else:
                self._sip.send(response(request, 200, "OK"), address)
            if method == "BYE" and (voice := self._voices.pop(header(request, "Call-ID"), None)):
                voice.end()

    async def _invited(self, request: bytes, address: Any) -> None:
        identity = header(request, "Call-ID")
        again = identity in self._voices
        if not again:
            self._voices[identity] = await Voice.at("127.0.0.1")
        voice = self._voices[identity]
        contact = f"<sip:phone@127.0.0.1:{self._sip.here[1]}>"
        self._sip.send(response(request, 180, "Ringing", contact=contact), address)
        self._sip.send(response(request, 200, "OK", contact=contact, body=voice.sdp), address)
        seat = re.match(rb"INVITE sip:([^@]+)@", request)
        assert seat
        voice.begin(request, self._say(seat[1].decode()), again=True)
        if not again:
            self.answered.append((seat[1].decode(), voice))

    def close(self) -> None:
        for voice in self._voices.values():
            voice.end()
        self._sip.close()


@asynccontextmanager
async def voice_phones(
    lab: Laboratory, say: Callable[[str], Sequence[int]] = lambda seat: (), *, group: int = 0
) -> AsyncIterator[VoicePhone]:
    """The phones of seats 8x01 … 8x10, where x is `group`."""
    phone = VoicePhone(await _sip("127.0.0.1", lab.ports.phones[group]), say)
    running = asyncio.create_task(phone.run())
    try:
        yield phone
    finally:
        running.cancel()
        phone.close()


# --- words of SIP ---------------------------------------------------------------------------------


def header(message: bytes, name: str) -> str:
    found = re.search(rb"^" + name.encode() + rb":\s*(.+?)\r$", message, re.MULTILINE | re.I)
    assert found, message
    return found[1].decode(errors="replace")


def response(
    request: bytes, status: int, reason: str, *, contact: str = "", body: bytes = b""
) -> bytes:
    vias = re.findall(rb"^(Via:.+?)\r$", request, re.MULTILINE | re.I)
    to = header(request, "To")
    identity = header(request, "Call-ID")
    tag = "" if ";tag=" in to else f";tag={abs(hash(identity)):x}"
    lines = [
        f"SIP/2.0 {status} {reason}",
        *(via.decode() for via in vias),
        f"From: {header(request, 'From')}",
        f"To: {to}{tag}",
        f"Call-ID: {identity}",
        f"CSeq: {header(request, 'CSeq')}",
        *([f"Contact: {contact}"] if contact else []),
        *(["Content-Type: application/sdp"] if body else []),
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
