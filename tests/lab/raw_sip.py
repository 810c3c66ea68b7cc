"""A caller who writes his own bytes: for what SIPp's tables cannot hold (quotes, controls, broken UTF-8)."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable

from tests.lab.asterisk import CARRIER, Laboratory

_SDP = b"""v=0\r
o=- 1 1 IN IP4 127.0.0.2\r
s=-\r
c=IN IP4 127.0.0.2\r
t=0 0\r
m=audio 40000 RTP/AVP 0\r
a=rtpmap:0 PCMU/8000\r
"""


def ring_and_give_up(
    lab: Laboratory,
    hotline: str,
    from_address: bytes,
    *headers: bytes,
    patience: Callable[[], object] = lambda: None,
    source: str = CARRIER,
) -> int:
    """INVITE with `from_address` as it stands in From; CANCEL when the call proceeds and `patience` is
    over. Returns the final status: 487 after our CANCEL, or what Asterisk refused with at once.
    """
    call = secrets.token_hex(8).encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sip:
        sip.bind((source, 0))
        sip.settimeout(5)
        sip.connect(("127.0.0.1", lab.ports.sip))
        sip.send(_request(b"INVITE", hotline.encode(), from_address, call, sip, headers, _SDP))
        cancelled = False
        while True:
            answer = sip.recv(65536)
            status = int(answer.split(b" ", 2)[1])
            method = answer.lower().partition(b"\r\ncseq:")[2].split()[1].upper()
            if method == b"CANCEL":
                continue
            if status < 200 and not cancelled:
                cancelled = True
                patience()
                sip.send(_request(b"CANCEL", hotline.encode(), from_address, call, sip))
            if status >= 200:
                sip.send(_request(b"ACK", hotline.encode(), from_address, call, sip))
                return status


def _request(
    method: bytes,
    hotline: bytes,
    from_address: bytes,
    call: bytes,
    sip: socket.socket,
    headers: tuple[bytes, ...] = (),
    body: bytes = b"",
) -> bytes:
    host, port = sip.getsockname()
    here = f"{host}:{port}".encode()
    lines = [
        method + b" sip:" + hotline + b"@127.0.0.1 SIP/2.0",
        b"Via: SIP/2.0/UDP " + here + b";rport;branch=z9hG4bK" + call,
        b"From: " + from_address + b";tag=" + call,
        b"To: <sip:" + hotline + b"@127.0.0.1>",
        b"Call-ID: " + call,
        b"CSeq: 1 " + method,
        b"Contact: <sip:caller@" + here + b">",
        b"Max-Forwards: 70",
        *headers,
        *([b"Content-Type: application/sdp"] if body else []),
        b"Content-Length: " + str(len(body)).encode(),
    ]
    return b"\r\n".join([*lines, b"", body])
