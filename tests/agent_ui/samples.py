"""Pages with made-up people that look real: for the rendering tests, axe and the screenshots."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from agent_ui.auth_view import (
    Device,
    DevicePage,
    DeviceProblem,
    ErrorPage,
    PasswordPage,
    PasswordProblem,
    Shell,
    SignInPage,
    SignInProblem,
    Viewer,
    in_order,
)
from agent_ui.calls.view import (
    AttemptShown,
    CallFilters,
    CallPage,
    CallRow,
    CallsPage,
    Choice,
    LegShown,
    PassShown,
    RecordShown,
    TimelineLine,
    TransferShown,
)
from agent_ui.desk.own_state import AgentBadge, MissedRing, PauseChoice
from agent_ui.desk.view import (
    CallBar,
    CallCard,
    ColleaguesNote,
    Connection,
    DemoPhone,
    DeskPage,
    DispositionChoice,
    HandedOver,
    MyCall,
    MyDay,
    Note,
    QueueChip,
    ScreenPop,
)
from agent_ui.desk.who import (
    ContactShown,
    CustomerShown,
    FieldInput,
    FieldShown,
    InputKind,
    Match,
    PastContact,
    Recognised,
    RepeatBadge,
    Who,
)
from agent_ui.patterns import PatternsPage
from crm_core.call_log.records import Confidence
from crm_core.events import (
    AgentState,
    AttemptResult,
    Direction,
    EndedBy,
    LegParty,
    LinkState,
    Outcome,
    TransferKind,
    TransferResult,
)
from crm_core.ids import CallId, CustomerId
from tests.agent_ui.books_samples import DIFFERS, book_pages
from tests.agent_ui.customer_samples import customer_pages
from tests.agent_ui.people_samples import people_pages

NOW = datetime(2026, 11, 18, 8, 42, 7, tzinfo=UTC)
WANG = CallId("5b1e0c7a9d3f4e628a1b7c90d2e4f611")
ZHAO = CallId("8c2d4f61e0b94a7d9f3e5a1c7b806d22")
HIDDEN = CallId("f00dfeed00000000000000000000c0de")

VIEWER = Viewer(name="李敏", agent_number="1021", has_desk=True, has_calls=True)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def a_shell(path: str = "/desk", **changes: Any) -> Shell:
    return replace(Shell(viewer=VIEWER, csrf_token="c5rf", path=path), **changes)


HISTORY = (
    PastContact(
        call=CallId("a" * 32),
        at=ago(47),
        direction=Direction.INBOUND,
        outcome=Outcome.ANSWERED,
        agent="张伟",
        talk_seconds=192,
        disposition="咨询维修进度",
        note="已告知配件今日到库，工程师明日上门。",
    ),
    PastContact(
        call=CallId("b" * 32),
        at=ago(60 * 24 * 6),
        direction=Direction.OUTBOUND,
        outcome=None,
        agent="李敏",
        talk_seconds=160,
        disposition="已解决",
    ),
    PastContact(
        call=CallId("c" * 32),
        at=ago(60 * 24 * 8),
        direction=Direction.INBOUND,
        outcome=Outcome.ABANDONED,
        queue="售后队列",
        wait_seconds=46,
    ),
)

WANG_FILE = CustomerShown(
    customer=CustomerId(8842),
    name="王建国",
    grade="A",
    numbers=("138****8000",),
    fields=(
        FieldShown(label="单位", value="华东设备有限公司"),
        FieldShown(label="地址", value="江苏省常州市新北区"),
        FieldShown(label="设备编号", value="SN 8842-0913"),
        FieldShown(label="偏好", value="工作日 14:00 后联系"),
        FieldShown(label="备注", value="上次回访未解决，需主动说明进度"),
    ),
    contacts=(
        ContactShown(name="陈晓燕", position="采购", numbers=("139****2211", "051****8800")),
        ContactShown(name="欧阳建华", position="设备主管"),
    ),
)

REPEAT = RepeatBadge(minutes_ago=47, agent="李敏", disposition="已解决")

DISPOSITIONS = tuple(
    DispositionChoice(key=key, label=label, digit=digit)
    for digit, (key, label) in enumerate(
        [
            ("solved", "已解决"),
            ("back_office", "转后台"),
            ("call_back", "需回拨"),
            ("complaint", "投诉"),
            ("nuisance", "骚扰"),
        ],
        start=1,
    )
)

GREETING = "您好，华东售后热线，1021号为您服务，请问有什么可以帮您？"

WANG_CARD = CallCard(
    call=WANG,
    state=AgentState.TALKING,
    since=ago(2.52),
    direction=Direction.INBOUND,
    hotline="华东售后热线",
    queue="售后队列",
    greeting=GREETING,
    who=Who(
        recognised=Recognised.KNOWN,
        number="138****8000",
        customer=WANG_FILE,
        history=HISTORY,
        repeat=REPEAT,
    ),
    note=Note(
        text="客户询问上门时间。已告知配件今日到库，工程师明日 9:00 至 11:00 上门，客户同意。",
        disposition="solved",
        choices=DISPOSITIONS,
        revision=3,
        saved_at=NOW,
    ),
)

NEW_CUSTOMER = (
    FieldInput(name="name", label="姓名", required=True),
    FieldInput(name="company", label="单位"),
    FieldInput(name="grade", label="等级", kind=InputKind.CHOICE, choices=("A", "B", "C")),
    FieldInput(name="bought_on", label="购买日期", kind=InputKind.DATE),
)

UNKNOWN_CARD = CallCard(
    call=ZHAO,
    state=AgentState.WRAP_UP,
    since=ago(4),
    direction=Direction.INBOUND,
    hotline="华东售后热线",
    queue="VIP 队列",
    who=Who(recognised=Recognised.UNKNOWN, number="139****6655", new_customer=NEW_CUSTOMER),
    note=Note(choices=DISPOSITIONS),
)

SEVERAL_CARD = CallCard(
    call=ZHAO,
    state=AgentState.TALKING,
    since=ago(1),
    direction=Direction.INBOUND,
    greeting=GREETING,
    who=Who(
        recognised=Recognised.SEVERAL,
        number="051****8800",
        matches=(
            Match(customer=CustomerId(1), name="华东设备有限公司", grade="A"),
            Match(
                customer=CustomerId(2),
                name="阿不都热依木·买买提艾力",
                grade="B",
                company="新疆维吾尔自治区喀什地区莎车县农业机械推广服务中心",
            ),
            Match(customer=CustomerId(3), name="王建国", company="华东设备有限公司"),
        ),
        history=HISTORY[:1],
    ),
    note=Note(choices=DISPOSITIONS),
)

HIDDEN_CARD = CallCard(
    call=HIDDEN,
    state=AgentState.TALKING,
    since=ago(0.2),
    direction=Direction.INBOUND,
    who=Who(recognised=Recognised.HIDDEN, number=None),
    note=Note(choices=DISPOSITIONS),
)

WANG_BAR = CallBar(
    call=WANG,
    direction=Direction.INBOUND,
    state=AgentState.TALKING,
    since=ago(2.52),
    name="王建国",
    number="138****8000",
    hotline="华东售后热线",
    queue="售后队列",
    waited_seconds=18,
)

WANG_BAR = replace(WANG_BAR, can_act=True)
HELD_BAR = replace(WANG_BAR, state=AgentState.ON_HOLD, held_since=ago(1.3))
CONSULTING_BAR = replace(HELD_BAR, consults="赵磊 · 8002")

NOTES_OF_COLLEAGUES = (
    ColleaguesNote(agent="李敏", text="空调不制冷，已重启两次，客户很着急。", disposition="需上门"),
)

WANG_POP = ScreenPop(
    call=WANG,
    direction=Direction.INBOUND,
    waiting_since=ago(0.3),
    recognised=Recognised.KNOWN,
    name="王建国",
    grade="A",
    number="138****8000",
    company="华东设备有限公司",
    hotline="华东售后热线",
    queue="售后队列",
    repeat=REPEAT,
    last=HISTORY[0],
    greeting=GREETING,
)

HANDED_POP = replace(
    WANG_POP,
    greeting="",
    handed_over=HandedOver(by="李敏", consults=False, notes=NOTES_OF_COLLEAGUES),
)
ASKED_POP = replace(
    HANDED_POP, handed_over=HandedOver(by="李敏", consults=True, notes=NOTES_OF_COLLEAGUES)
)

UNKNOWN_POP = ScreenPop(
    call=ZHAO,
    direction=Direction.INBOUND,
    waiting_since=ago(0.1),
    recognised=Recognised.UNKNOWN,
    name=None,
    number="139****6655",
    hotline="华东售后热线",
    queue="VIP 队列",
)

CHIPS = (
    QueueChip(name="after-sales", title="售后队列", waiting=6, longest_since=ago(1.2)),
    QueueChip(name="vip", title="VIP 队列", waiting=0, longest_since=None),
)

DAY = MyDay(
    answered=42,
    placed=18,
    may_dial=True,
    missed=1,
    talk_seconds=6348,
    wrap_up_seconds=1131,
    calls=(
        MyCall(
            call=CallId("a" * 32),
            at=ago(12),
            direction=Direction.INBOUND,
            name="陈晓燕",
            number="139****2211",
            talk_seconds=131,
            disposition="已解决",
            note="询问上门时间，已告知配件今日到库。",
        ),
        MyCall(
            call=CallId("b" * 32),
            at=ago(25),
            direction=Direction.INBOUND,
            name=None,
            number="186****0042",
            missed=True,
        ),
        MyCall(
            call=CallId("c" * 32),
            at=ago(31),
            direction=Direction.OUTBOUND,
            name="阿不都热依木·买买提艾力",
            number="150****7731",
            talk_seconds=74,
            disposition="需回拨",
        ),
    ),
)

UP = Connection(
    state=LinkState.UP, since=ago(300), heard_until=NOW, extension="8001", reachable=True
)
DOWN = Connection(
    state=LinkState.DOWN,
    since=ago(0.4),
    heard_until=ago(0.4),
    reason="Connection refused",
    extension="8001",
)

PAUSES = tuple(
    PauseChoice(code=code, label=label, digit=digit)
    for digit, (code, label) in enumerate(
        [("break", "小休"), ("meal", "用餐"), ("training", "培训"), ("meeting", "会议")], start=1
    )
)


def a_badge(state: AgentState, minutes: float, **more: Any) -> AgentBadge:
    """The own state since then; a pause can be chosen unless `choices` says otherwise."""
    return replace(
        AgentBadge(state=state, since=ago(minutes), extension="8001", choices=PAUSES), **more
    )


IDLE = DeskPage(
    badge=a_badge(AgentState.READY, 3.4),
    chips=CHIPS,
    connection=UP,
    bars=(),
    pops=(),
    cards=(),
    day=MyDay(),
    seq="e1-0",
)

TALKING = replace(
    IDLE,
    badge=a_badge(AgentState.TALKING, 2.52),
    bars=(WANG_BAR,),
    cards=(WANG_CARD,),
    day=DAY,
)

RINGING = replace(
    IDLE,
    badge=a_badge(AgentState.RINGING, 0.1),
    pops=(WANG_POP,),
    day=DAY,
)

HOLDING = replace(TALKING, badge=a_badge(AgentState.ON_HOLD, 1.3), bars=(HELD_BAR,))
CONSULTING = replace(HOLDING, bars=(CONSULTING_BAR,))
HANDED = replace(RINGING, pops=(HANDED_POP,))
ASKED = replace(RINGING, pops=(ASKED_POP,))
TAKEN_OVER = replace(TALKING, cards=(replace(WANG_CARD, colleagues=NOTES_OF_COLLEAGUES),))

TWO_CALLS = replace(TALKING, cards=(UNKNOWN_CARD, WANG_CARD), pops=(UNKNOWN_POP,))

assert WANG_CARD.note is not None
WRITTEN_UP = replace(
    WANG_CARD, state=AgentState.WRAP_UP, note=replace(WANG_CARD.note, finishes=True)
)

LINK_LOST = replace(
    TALKING,
    badge=a_badge(AgentState.UNKNOWN, 0.4, choices=()),
    chips=tuple(replace(chip, unknown=True) for chip in CHIPS),
    connection=DOWN,
    bars=(replace(WANG_BAR, unknown=True),),
)

LONG = replace(
    TALKING,
    bars=(
        replace(
            WANG_BAR,
            name="新疆维吾尔自治区喀什地区莎车县农业机械推广服务中心（集团）有限责任公司",
            hotline="全国统一客户服务与技术支持热线（西北大区）",
            queue="大客户专属售后服务与投诉处理队列",
        ),
    ),
    chips=tuple(
        QueueChip(
            name=f"queue-{n}",
            title=f"大客户专属售后服务队列第{n}组",
            waiting=n,
            longest_since=ago(n) if n else None,
        )
        for n in range(5)
    ),
)

DESKS = {
    "holding": HOLDING,
    "consulting": CONSULTING,
    "handed over": HANDED,
    "asked": ASKED,
    "taken over": TAKEN_OVER,
    "idle": IDLE,
    "ringing": RINGING,
    "talking": TALKING,
    "two-calls": TWO_CALLS,
    "several": replace(TALKING, cards=(SEVERAL_CARD,)),
    "unknown": replace(TALKING, cards=(replace(UNKNOWN_CARD, state=AgentState.TALKING),)),
    "hidden": replace(
        TALKING, bars=(replace(WANG_BAR, name=None, number=None),), cards=(HIDDEN_CARD,)
    ),
    "wrap-up": replace(
        TALKING,
        badge=a_badge(AgentState.WRAP_UP, 0.2, due_at=NOW, may_extend=True),
        bars=(),
        cards=(WRITTEN_UP,),
    ),
    "wrap-up-then-pause": replace(
        TALKING,
        badge=a_badge(AgentState.WRAP_UP, 0.2, due_at=NOW, next_reason="用餐"),
        bars=(),
        cards=(WRITTEN_UP,),
    ),
    "after-call-pause": replace(
        TALKING, badge=a_badge(AgentState.TALKING, 2.52, next_reason="小休")
    ),
    "paused": replace(
        IDLE, badge=a_badge(AgentState.PAUSED, 12, reason_code="meal", reason="用餐"), day=DAY
    ),
    "paused-by-rule": replace(
        IDLE, badge=a_badge(AgentState.PAUSED, 1, reason_code="outside", reason="outside")
    ),
    "missed": replace(
        IDLE,
        badge=a_badge(
            AgentState.MISSED,
            1.4,
            choices=(),
            missed=MissedRing(call=WANG, name="王建国", number="138****8000"),
        ),
        day=DAY,
    ),
    "missed-withheld": replace(
        IDLE, badge=a_badge(AgentState.MISSED, 1, choices=(), missed=MissedRing(call=HIDDEN))
    ),
    "phone-away": replace(IDLE, connection=replace(UP, reachable=False), day=DAY),
    "link-lost": LINK_LOST,
    "demo-idle": replace(IDLE, phone=DemoPhone(extension="8001", state=AgentState.READY)),
    "demo-ringing": replace(RINGING, phone=DemoPhone(extension="8001", state=AgentState.RINGING)),
    "demo-talking": replace(TALKING, phone=DemoPhone(extension="8001", state=AgentState.TALKING)),
    "long": LONG,
}

ROW = CallRow(
    call=WANG,
    started_at=ago(3),
    direction=Direction.INBOUND,
    number="138****8000",
    customer="王建国",
    hotline="华东售后热线",
    queue="售后队列",
    agent="李敏",
    agent_number="1021",
    wait_seconds=18,
    talk_seconds=151,
    outcome=Outcome.ANSWERED,
    answered=True,
    disposition="已解决",
)

ROWS = (
    replace(ROW, live=True, talk_seconds=None, disposition=None, outcome=None),
    ROW,
    replace(
        ROW,
        call=ZHAO,
        number="139****6655",
        customer=None,
        agent=None,
        agent_number=None,
        talk_seconds=None,
        wait_seconds=46,
        outcome=Outcome.ABANDONED,
        answered=False,
        disposition=None,
    ),
    replace(
        ROW, direction=Direction.OUTBOUND, hotline="", queue="", wait_seconds=None, outcome=None
    ),
    replace(
        ROW, number=None, customer=None, confidence=Confidence.GAP, outcome=Outcome.UNKNOWN_END
    ),
    replace(ROW, confidence=Confidence.AMI_ONLY, talk_seconds=4210),
)

CALLS = CallsPage(
    filters=CallFilters(from_="2026-11-18", to="2026-11-18", queue="after-sales"),
    rows=ROWS,
    queues=(
        Choice(value="after-sales", label="售后队列"),
        Choice(value="vip", label="VIP 队列"),
    ),
    agents=(Choice(value="1021", label="李敏 · 1021"), Choice(value="1022", label="张伟 · 1022")),
    next_url="/calls?cursor=next",
    first_url="/calls",
    ranges=(
        Choice(value="/calls?from=2026-11-18&to=2026-11-18", label="今天"),
        Choice(value="/calls?from=2026-11-17&to=2026-11-17", label="昨天"),
    ),
    confidences=(Choice(value="gap", label="有盲区"),),
    gave_up_count=2,
    books=DIFFERS,
    not_recorded_before=ago(9_000),
    gap=(ago(42), ago(41.4)),
)

CALL = CallPage(
    row=ROW,
    ended_at=NOW,
    called_number="4008001234",
    passes=(
        PassShown(
            queue="售后队列",
            entered_at=ago(3),
            outcome=Outcome.ANSWERED,
            agent="李敏",
            wait_seconds=18,
            talk_seconds=151,
            ended_by=EndedBy.CALLER,
            attempts=(
                AttemptShown(
                    agent="张伟",
                    offered_at=ago(2.9),
                    ring_seconds=15,
                    result=AttemptResult.NO_ANSWER,
                ),
                AttemptShown(
                    agent="李敏", offered_at=ago(2.6), ring_seconds=3, result=AttemptResult.ANSWERED
                ),
            ),
        ),
    ),
    transfers=(
        TransferShown(
            kind=TransferKind.ATTENDED,
            at=ago(2),
            sender="李敏",
            dialled="8002",
            to="张伟",
            result=TransferResult.SUCCEEDED,
        ),
        TransferShown(
            kind=TransferKind.BLIND,
            at=ago(1),
            sender="张伟",
            dialled="139****9000",
            to=None,
            result=None,
        ),
    ),
    legs=(
        LegShown(
            party=LegParty.CUSTOMER,
            who=None,
            started_at=ago(3),
            ended_at=NOW,
            ring_seconds=None,
            talk_seconds=131,
            hold_seconds=20,
        ),
        LegShown(
            party=LegParty.AGENT,
            who="李敏",
            started_at=ago(2.6),
            ended_at=None,
            ring_seconds=3,
            talk_seconds=None,
            hold_seconds=None,
        ),
    ),
    timeline=(
        TimelineLine(
            at=ago(3),
            text="%(number)s calls",
            values={"number": "138****8000"},
            icon="phone-incoming",
        ),
        TimelineLine(
            at=ago(2.95), text="Enters queue %(queue)s", values={"queue": "售后队列"}, icon="clock"
        ),
        TimelineLine(at=ago(2.6), text="Rings at %(agent)s", values={"agent": "李敏"}, icon="bell"),
        TimelineLine(
            at=ago(2.52), text="%(agent)s answers", values={"agent": "李敏"}, icon="phone-call"
        ),
        TimelineLine(at=NOW, text="The caller hangs up", icon="phone-off"),
    ),
    records=(
        RecordShown(
            agent="李敏",
            saved_at=NOW,
            note="客户询问上门时间。\n已告知配件今日到库。",
            disposition="已解决",
            submitted=True,
        ),
    ),
    gaps=((ago(2.8), ago(2.7)),),
    may_open_gap_book=True,
)

DEVICES = DevicePage(
    devices=in_order(
        (
            Device(pbx="east", extension="8002"),
            Device(pbx="east", extension="8001", is_usual=True),
            Device(pbx="east", extension="8003", held_by="张伟", held_number="1022"),
            Device(pbx="east", extension="8010", held_by="阿不都热依木·买买提艾力"),
            Device(pbx="east", extension="8004"),
        )
    ),
    queues=("售后队列", "VIP 队列"),
)


def pages() -> dict[str, tuple[str, dict[str, object]]]:
    """Name → (template, context) of every whole page in every state worth looking at."""
    anonymous = a_shell("/sign-in", viewer=None)
    shown: dict[str, tuple[str, dict[str, object]]] = {
        "sign-in": ("auth/sign_in.html", {"shell": anonymous, "page": SignInPage()}),
        "sign-in-wrong": (
            "auth/sign_in.html",
            {
                "shell": replace(anonymous, insecure_http=True),
                "page": SignInPage(name="limin", problem=SignInProblem.WRONG),
            },
        ),
        "password": (
            "auth/password.html",
            {
                "shell": anonymous,
                "page": PasswordPage(minimum_length=10, problem=PasswordProblem.SHORT),
            },
        ),
        "device": ("auth/device.html", {"shell": a_shell("/device"), "page": DEVICES}),
        "device-none": (
            "auth/device.html",
            {
                "shell": a_shell("/device"),
                "page": DevicePage(devices=(), problem=DeviceProblem.NO_LINK),
            },
        ),
        "calls": ("calls/page.html", {"shell": a_shell("/calls"), "page": CALLS}),
        "calls-none": (
            "calls/page.html",
            {
                "shell": a_shell("/calls"),
                "page": CallsPage(
                    filters=CallFilters(number="12x", problems={"number": "号码只能含数字。"}),
                    rows=(),
                ),
            },
        ),
        "call": ("calls/call.html", {"shell": a_shell("/calls/x"), "page": CALL}),
        "call-bare": (
            "calls/call.html",
            {
                "shell": a_shell("/calls/x"),
                "page": CallPage(row=ROWS[4], ended_at=None, called_number=None),
            },
        ),
    }
    for name, desk in DESKS.items():
        shown[f"desk-{name}"] = ("desk/page.html", {"shell": a_shell(), "page": desk})
    shown |= book_pages(a_shell("/gaps"))
    shown |= customer_pages()
    shown |= people_pages()
    shown["offline"] = ("offline.html", {"shell": anonymous})
    shown["patterns"] = ("patterns.html", {"shell": anonymous, "page": PatternsPage(at=ago(1))})
    for status in (403, 404, 409, 422, 429, 500, 503):
        page = ErrorPage(status=status, request_id="7f3a91" if status == 500 else None)
        shown[f"error-{status}"] = ("error.html", {"shell": anonymous, "page": page})
    return shown
