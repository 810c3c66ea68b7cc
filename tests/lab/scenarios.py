"""What SIPp's callers and phones do, as its XML. Every step that matters is logged with its moment.

Traps of SIPp 3.6 that shaped this: a time limit must stand at every `recv` of a group, because each
provisional answer begins it anew from the `recv` it met; an optional `recv` before a `pause` or `nop`
is refused at start, so a talk is a `recv` of BYE with a time limit; a CANCEL and the ACK of a refusal
must carry the branch of the INVITE.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


def _media(direction: str = "sendrecv") -> str:
    return f"""\
Content-Type: application/sdp
      Content-Length: [len]

      v=0
      o=- 1 1 IN IP[local_ip_type] [local_ip]
      s=-
      c=IN IP[media_ip_type] [media_ip]
      t=0 0
      m=audio [media_port] RTP/AVP 0
      a=rtpmap:0 PCMU/8000
      a={direction}
"""


_MEDIA = _media()

# Long enough that no test waits for it; SIPp must be told some time.
_FOREVER_MS = 3_600_000

_LETS_GO_MS = 800
"""After the last NOTIFY of a REFER."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerBehaviour:
    patience_ms: int | None = None
    """Hangs up after this long without an answer; None waits."""
    talk_ms: int | None = 1000
    """Hangs up after this long of talk; None leaves that to the agent."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Puts the other side on hold after that long, by a re-INVITE (`sendonly`), and takes it back."""

    after_ms: int
    for_ms: int


@dataclass(frozen=True, slots=True)
class Refer:
    """A blind transfer on the phone itself, which lets go a little later: Asterisk leaves that to it."""

    after_ms: int
    to: str


@dataclass(frozen=True, slots=True)
class Keys:
    """Presses these keys by SIP INFO, one each 140 ms; a comma is half a second of nothing.

    After a feature code Asterisk loses what comes before it has begun to listen.
    """

    after_ms: int
    keys: str


Act = Hold | Refer | Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneBehaviour:
    answer_after_ms: int | None = 0
    """None rings and is never answered."""
    refuse_with: int | None = None
    """486 busy, 603 declined; after `answer_after_ms`."""
    hang_up_after_ms: int | None = None
    """The agent hangs up after this long of talk (after the last of `acts`); None leaves that to others."""
    acts: Sequence[Act] = ()
    """What the agent does while talking, one after the other."""


def caller(behaviour: CallerBehaviour) -> str:
    patience, talk = behaviour.patience_ms, behaviour.talk_ms
    patience_ms = _FOREVER_MS if patience is None else patience
    talk_ms = _FOREVER_MS if talk is None else talk
    limit = f'response_txn="invite" timeout="{patience_ms}" ontimeout="abandon"'
    provisional = "\n".join(
        f'  <recv response="{code}" {limit} optional="true"/>' for code in (100, 180, 183)
    )
    refusals = "\n".join(
        f'  <recv response="{code}" {limit} optional="true" next="refused">'
        f"{_log(f'refused {code}')}</recv>"
        for code in (404, 480, 486, 488, 503, 603)
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<scenario name="caller">
  <nop>{_log("dialled [field2]")}</nop>
  <send retrans="500" start_txn="invite"><![CDATA[
      {_caller_head("INVITE", "INVITE", "i")}
      Contact: <sip:[field1]@[local_ip]:[local_port]>
      {_MEDIA}
  ]]></send>
{provisional}
{refusals}
  <recv response="200" {limit}>{_log("answered")}</recv>
  <label id="talk"/>
  <send ack_txn="invite"><![CDATA[
      {_caller_head("ACK", "ACK", "a", to="[last_To:]")}
      Content-Length: 0

  ]]></send>
  <recv request="BYE" timeout="{talk_ms}" ontimeout="hang_up">{_log("ended other")}</recv>
  <send next="over"><![CDATA[
      SIP/2.0 200 OK
      {_LAST}
      [last_To:]
      Content-Length: 0

  ]]></send>

  <label id="hang_up"/>
  <nop>{_log("ended self")}</nop>
  <send retrans="500"><![CDATA[
      {_caller_head("BYE", "BYE", "b", cseq=2, to="[last_To:]")}
      Content-Length: 0

  ]]></send>
  <recv response="200" next="over"/>

  <label id="abandon"/>
  <nop>{_log("abandoned")}</nop>
  <send retrans="500" start_txn="cancel"><![CDATA[
      {_caller_head("CANCEL", "CANCEL", "i")}
      Content-Length: 0

  ]]></send>
  <recv response="200" response_txn="cancel" optional="true"/>
  <recv response="200" response_txn="invite" optional="true" next="crossed"/>
  <recv response="487" response_txn="invite"/>
  <label id="refused"/>
  <send next="over" ack_txn="invite"><![CDATA[
      {_caller_head("ACK", "ACK", "i", to="[last_To:]")}
      Content-Length: 0

  ]]></send>

  <label id="crossed"/>
  <nop>{_log("answered")}</nop>
  <send next="hang_up" ack_txn="invite"><![CDATA[
      {_caller_head("ACK", "ACK", "a", to="[last_To:]")}
      Content-Length: 0

  ]]></send>
  <label id="over"/>
  <nop/>
</scenario>
"""


def phone(behaviour: PhoneBehaviour) -> str:
    answer, refuse = behaviour.answer_after_ms, behaviour.refuse_with
    talk = behaviour.hang_up_after_ms
    if talk is None and behaviour.acts and isinstance(behaviour.acts[-1], Refer):
        talk = _LETS_GO_MS
    ring_ms = _FOREVER_MS if answer is None else max(answer, 1)
    talk_ms = _FOREVER_MS if talk is None else talk
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<scenario name="phone">
  <recv request="INVITE"><action>
    <ereg regexp="sip:([^@]*)@" search_in="hdr" header="To:" assign_to="ignored,seat"/>
    <ereg regexp=".*" search_in="hdr" header="From:" assign_to="from"/>
    <ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/>
    <ereg regexp="sip:[^@]*@" search_in="hdr" header="From:" assign_to="caller"/>
    <ereg regexp="sip:[^>]*" search_in="hdr" header="Contact:" assign_to="contact"/>
    <ereg regexp="[0-9]+" search_in="hdr" header="CSeq:" assign_to="cseq"/>
    <log message="{_STAMP} rang [$seat] [$caller]"/>
  </action></recv>
  <send><![CDATA[
      SIP/2.0 180 Ringing
      {_LAST}
      [last_To:];tag={_TAG}
      Contact: <sip:[local_ip]:[local_port]>
      Content-Length: 0

  ]]></send>
  <recv request="CANCEL" timeout="{ring_ms}" ontimeout="decide" next="cancelled">
    {_log("ended cancelled")}
  </recv>
  <label id="decide"/>
  <nop>{_log("answered" if refuse is None else f"ended refused {refuse}")}</nop>
{_answer(talk_ms, behaviour.acts) if refuse is None else _refuse(refuse)}
  <label id="cancelled"/>
  <send><![CDATA[
      SIP/2.0 200 OK
      {_LAST}
      [last_To:];tag={_TAG}
      Content-Length: 0

  ]]></send>
  <send retrans="500"><![CDATA[
      SIP/2.0 487 Request Terminated
      [last_Via:]
      [last_From:]
      [last_To:];tag={_TAG}
      [last_Call-ID:]
      CSeq: [$cseq] INVITE
      Content-Length: 0

  ]]></send>
  <recv request="ACK"/>
  <label id="over"/>
  <nop/>
  <Reference variables="ignored,seat,from,to,caller,contact,cseq"/>
</scenario>
"""


def registration(host: str, user: str, password: str, display_name: str) -> str:
    """A phone that registers as a softphone does: refused once, then with the digest."""

    def register(cseq: int, credentials: str = "") -> str:
        return f"""\
  <send retrans="500"><![CDATA[
      REGISTER sip:{host} SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: "{display_name}" <sip:{user}@{host}>;tag=[pid]r[call_number]
      To: "{display_name}" <sip:{user}@{host}>
      Call-ID: [call_id]
      CSeq: {cseq} REGISTER
      Contact: <sip:{user}@[local_ip]:[local_port]>
      Expires: 3600
      Max-Forwards: 70{credentials}
      Content-Length: 0

  ]]></send>"""

    digest = f"\n      [authentication username={user} password={password}]"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<scenario name="registration">
{register(1)}
  <recv response="401" auth="true"/>
{register(2, digest)}
  <recv response="200"/>
</scenario>
"""


def _answer(talk_ms: int, acts: Sequence[Act]) -> str:
    steps, cseq = [], 0
    for place, act in enumerate(acts):
        step, cseq = _act(act, f"act{place}", cseq)
        steps.append(step)
    return f"""\
  <send retrans="500"><![CDATA[
      SIP/2.0 200 OK
      {_LAST}
      [last_To:];tag={_TAG}
      Contact: <sip:[local_ip]:[local_port]>
      {_MEDIA}
  ]]></send>
  <recv request="CANCEL" optional="true"/>
  <recv request="ACK"/>
{"".join(steps)}
  <label id="talk"/>
  <recv request="NOTIFY" timeout="{talk_ms}" ontimeout="hang_up" optional="true" next="told"/>
  <recv request="BYE" timeout="{talk_ms}" ontimeout="hang_up">{_log("ended other")}</recv>
  <label id="bye"/>
  <send next="over"><![CDATA[
      SIP/2.0 200 OK
      {_LAST}
      [last_To:]
      Content-Length: 0

  ]]></send>

  <label id="told"/>
  <send next="talk"><![CDATA[
      SIP/2.0 200 OK
      {_LAST}
      [last_To:]
      Content-Length: 0

  ]]></send>

  <label id="hang_up"/>
  <nop>{_log("ended self")}</nop>
  <send retrans="500"><![CDATA[
      {_phone_head("BYE", cseq + 1)}
      Content-Length: 0

  ]]></send>
  <recv response="200" next="over"/>
"""


def _act(act: Act, label: str, cseq: int) -> tuple[str, int]:
    """The steps of this act, and the last CSeq that they use."""
    match act:
        case Hold():
            return (
                _after(act.after_ms, label)
                + _reinvite("sendonly", "held", cseq + 1)
                + _after(act.for_ms, f"{label}_back")
                + _reinvite("sendrecv", "resumed", cseq + 2),
                cseq + 2,
            )
        case Refer():
            return _after(act.after_ms, label) + _refer(act.to, cseq + 1), cseq + 1
        case Keys():
            steps = [_after(act.after_ms, label)]
            for place, key in enumerate(act.keys):
                if key == ",":
                    steps.append(_after(500, f"{label}_{place}"))
                    continue
                cseq += 1
                steps.append(_key(key, cseq) + _after(140, f"{label}_{place}"))
            return "".join(steps), cseq


def _after(milliseconds: int, label: str) -> str:
    """That much talk; the other side may hang up meanwhile."""
    return f"""\
  <recv request="BYE" timeout="{milliseconds}" ontimeout="{label}" next="bye">{_log("ended other")}</recv>
  <label id="{label}"/>
"""


def _reinvite(direction: str, what: str, cseq: int) -> str:
    return f"""\
  <nop>{_log(what)}</nop>
  <send retrans="500"><![CDATA[
      {_phone_head("INVITE", cseq)}
      Contact: <sip:[local_ip]:[local_port]>
      {_media(direction)}
  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="200"/>
  <send><![CDATA[
      {_phone_head("ACK", cseq)}
      Content-Length: 0

  ]]></send>
"""


def _refer(to: str, cseq: int) -> str:
    return f"""\
  <nop>{_log(f"referred {to}")}</nop>
  <send retrans="500"><![CDATA[
      {_phone_head("REFER", cseq)}
      Contact: <sip:[local_ip]:[local_port]>
      Refer-To: <sip:{to}@[local_ip]>
      Referred-By: <sip:[$seat]@[local_ip]>
      Content-Length: 0

  ]]></send>
  <recv response="404" optional="true" next="talk">{_log("refused 404")}</recv>
  <recv response="202"/>
"""


def _key(key: str, cseq: int) -> str:
    return f"""\
  <send retrans="500"><![CDATA[
      {_phone_head("INFO", cseq)}
      Content-Type: application/dtmf-relay
      Content-Length: [len]

      Signal={key}
      Duration=100
  ]]></send>
  <recv response="200"/>
"""


def _phone_head(method: str, cseq: int) -> str:
    """Of a request within the call that the phone was rung for."""
    return f"""\
{method} [$contact] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK[pid]p[call_number]{method}{cseq}
      From:[$to];tag={_TAG}
      To:[$from]
      Call-ID: [call_id]
      CSeq: {cseq} {method}
      Max-Forwards: 70"""


def _refuse(code: int) -> str:
    return f"""\
  <send retrans="500"><![CDATA[
      SIP/2.0 {code} Refused
      {_LAST}
      [last_To:];tag={_TAG}
      Content-Length: 0

  ]]></send>
  <recv request="ACK" next="over"/>
"""


_TAG = "[pid]p[call_number]"
_LAST = """\
[last_Via:]
      [last_From:]
      [last_Call-ID:]
      [last_CSeq:]"""
_STAMP = "[call_id] [timestamp]"


def _log(what: str) -> str:
    return f'<action><log message="{_STAMP} {what}"/></action>'


def _caller_head(
    method: str, cseq_method: str, branch: str, *, cseq: int = 1, to: str | None = None
) -> str:
    to = to or "To: <sip:[service]@[remote_ip]:[remote_port]>"
    return f"""\
{method} sip:[service]@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK[pid]{branch}[call_number]
      From: [field0];tag=[pid]c[call_number]
      {to}
      Call-ID: [call_id]
      CSeq: {cseq} {cseq_method}
      Max-Forwards: 70"""
