"""What SIPp's callers and phones do, as its XML. Every step that matters is logged with its moment.

Traps of SIPp 3.6 that shaped this: a time limit must stand at every `recv` of a group, because each
provisional answer begins it anew from the `recv` it met; an optional `recv` before a `pause` or `nop`
is refused at start, so a talk is a `recv` of BYE with a time limit; a CANCEL and the ACK of a refusal
must carry the branch of the INVITE.
"""

from __future__ import annotations

from dataclasses import dataclass

_MEDIA = """\
Content-Type: application/sdp
      Content-Length: [len]

      v=0
      o=- 1 1 IN IP[local_ip_type] [local_ip]
      s=-
      c=IN IP[media_ip_type] [media_ip]
      t=0 0
      m=audio [media_port] RTP/AVP 0
      a=rtpmap:0 PCMU/8000
"""

# Long enough that no test waits for it; SIPp must be told some time.
_FOREVER_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerBehaviour:
    patience_ms: int | None = None
    """Hangs up after this long without an answer; None waits."""
    talk_ms: int | None = 1000
    """Hangs up after this long of talk; None leaves that to the agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneBehaviour:
    answer_after_ms: int | None = 0
    """None rings and is never answered."""
    refuse_with: int | None = None
    """486 busy, 603 declined; after `answer_after_ms`."""
    hang_up_after_ms: int | None = None
    """The agent hangs up after this long of talk; None leaves that to the caller."""


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
{_answer(talk_ms) if refuse is None else _refuse(refuse)}
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


def _answer(talk_ms: int) -> str:
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
      BYE [$contact] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK[pid]p[call_number]
      From:[$to];tag={_TAG}
      To:[$from]
      Call-ID: [call_id]
      CSeq: 1 BYE
      Max-Forwards: 70
      Content-Length: 0

  ]]></send>
  <recv response="200" next="over"/>
"""


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
