"""Twenty calls a second on a real Asterisk, and a supervisor who watches: the page is what is there.

Two teams of ten share the queue of the first team's project; the supervisor of the first one looks
at Chromium. Beside it Asterisk is asked fifty times what it has (`queue show`), its own events say
what it had between, and `queue_log` has the day at the end.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
import yaml
from playwright.sync_api import Page, WebSocket, expect, sync_playwright

from crm_core.centre.plan import HotlinePlan, QueuePlan, SeatPlan, SwitchPlan
from telephony.ami.link import headers_of
from telephony.dialplan import EVENTS_ACCOUNT
from tests.browser.desk import CHROMIUM, FLAGS
from tests.harness import Product, a_product, wait_until
from tests.journeys.centre import PASSWORD, extension_of, number_of, sign_in
from tests.lab.ami import Session
from tests.lab.asterisk import Laboratory
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, callers, phones

pytestmark = [pytest.mark.asterisk, pytest.mark.browser]

AGENTS = 20
TEAMS = ("华东一班", "华南二班")
QUEUES = {"support": "4001", "sales": "4002"}
TITLES = {"support": "售后支持", "sales": "销售专线"}
SECONDS = 22
MAX_WAIT = 3
MOMENTS, TOLERANCE = 50, 1.0
EVENT_SECONDS = 0.1
"""Asterisk tells a join a moment after it, or before, `queue show` has it."""

# When the page said what of the queue, by the machine's clock.
WITNESS = """(() => {
  globalThis.told = [];
  const look = () => {
    const card = document.getElementById("queue-lab-support");
    if (!card) return;
    const since = card.querySelector(".queue-wait call-timer")?.getAttribute("since") ?? null;
    const now = { waiting: Number(card.dataset.waiting), since };
    const last = told.at(-1);
    if (last?.waiting !== now.waiting || last.since !== since) told.push({ at: Date.now(), ...now });
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true, attributes: true });
})();"""


def team_of(place: int) -> int:
    return place // 10


def name_of(place: int) -> str:
    return f"{TEAMS[team_of(place)]}坐席{place}号"


def a_plan(lab: Laboratory) -> SwitchPlan:
    return SwitchPlan(
        queues=tuple(_queue(name) for name in QUEUES),
        hotlines=tuple(HotlinePlan(number=n, queue=queue) for queue, n in QUEUES.items()),
        seats=tuple(
            SeatPlan(
                extension=extension_of(place),
                interface=f"PJSIP/{extension_of(place)}",
                contact=f"sip:{extension_of(place)}@127.0.0.1:{lab.ports.phones[team_of(place)]}",
            )
            for place in range(AGENTS)
        ),
    )


def _queue(name: str) -> QueuePlan:
    return QueuePlan(
        name=name, title=TITLES[name], ring_seconds=10, max_wait_seconds=MAX_WAIT, wrap_up_seconds=0
    )


def a_setup() -> str:
    people: list[dict[str, Any]] = [
        {
            "name": f"agent{place}",
            "full_name": name_of(place),
            "agent_number": number_of(place),
            "roles": ["agent"],
            "team": TEAMS[team_of(place)],
            "queues": ["support"] if team_of(place) == 0 else ["support", "sales"],
            "extension": extension_of(place),
            "password": PASSWORD,
        }
        for place in range(AGENTS)
    ]
    chief = {"name": "wangfang", "full_name": "王芳", "agent_number": "2001", "team": TEAMS[0]}
    setup = {
        "pbx": "lab",
        "projects": [
            {"name": "华东售后", "client": "华东设备", "default": True},
            {"name": "华南商城", "client": "华南商城"},
        ],
        "queues": [
            {"name": "support", "title": TITLES["support"], "project": "华东售后"},
            {"name": "sales", "title": TITLES["sales"], "project": "华南商城"},
        ],
        "hotlines": [
            {"number": number, "name": f"热线 {queue}", "queue": queue, "project": project}
            for (queue, number), project in zip(
                QUEUES.items(), ("华东售后", "华南商城"), strict=True
            )
        ],
        "teams": [
            {"name": TEAMS[0], "project": "华东售后"},
            {"name": TEAMS[1], "project": "华南商城"},
        ],
        "seats": [
            {"extension": extension_of(place), "contact": f"sip:{extension_of(place)}@127.0.0.1"}
            for place in range(AGENTS)
        ],
        "people": [*people, {**chief, "roles": ["supervisor"], "password": PASSWORD}],
    }
    for queue in setup["queues"]:
        assert isinstance(queue, dict)
        queue |= {"ring_seconds": 10, "max_wait_seconds": MAX_WAIT, "wrap_up_seconds": 0}
    return yaml.safe_dump(setup, allow_unicode=True)


@dataclass(frozen=True)
class Asked:
    """What Asterisk said of the queue, and between which moments it was asked."""

    begun: float
    done: float
    waiting: int
    longest: int | None
    """Seconds that the first caller has waited."""


@dataclass
class Watch:
    """What the supervisor's page told, what came over the wire, and what Asterisk said."""

    lab: Laboratory
    page: Page
    frames: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    had: list[tuple[float, int]] = field(default_factory=list)
    """Since when Asterisk had so many callers waiting, by its own events."""
    told: list[dict[str, Any]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    calls: int = 0

    def listen(self) -> None:
        def connected(socket: WebSocket) -> None:
            socket.on("framereceived", lambda text: self.frames.append(str(text)))

        self.page.on("websocket", connected)
        self.page.on("pageerror", lambda wrong: self.complaints.append(str(wrong)))
        self.page.on(
            "console", lambda m: self.complaints.append(m.text) if m.type == "error" else None
        )

    def ask(self) -> None:
        begun = time.time()
        said = self.lab.rx("queue show support")
        waits = re.findall(r"^ +\d+\. .*\(wait: (\d+):(\d+),", said, re.MULTILINE)
        first = re.search(r"^support\s+has (\d+) calls", said)
        assert first is not None, said
        assert int(first[1]) == len(waits)
        longest = max((60 * int(m) + int(s) for m, s in waits), default=None)
        self.asked.append(Asked(begun, time.time(), len(waits), longest))

    def hear(self, events: bytes) -> None:
        """What Asterisk said of the queue's length, with each coming and going."""
        for raw in events.split(b"\r\n\r\n"):
            if raw.startswith((b"Event: QueueCallerJoin\r\n", b"Event: QueueCallerLeave\r\n")):
                told = headers_of(raw)
                if told["Queue"] == "support":
                    self.had.append((float(told["Timestamp"]), int(told["Count"])))
        self.had.sort(key=lambda one: one[0])

    def had_between(self, begin: float, end: float) -> set[int]:
        """All lengths that the queue had in this time."""
        places = range(len(self.had))
        since = max((n for n in places if self.had[n][0] <= begin), default=-1)
        before = {self.had[since][1]} if since >= 0 else {0}
        return before | {count for at, count in self.had if begin <= at <= end}

    def look(self) -> None:
        """Everything that somebody could find in the page or ask the server for."""
        self.texts.append(self.page.content())
        answer = self.page.context.request.get(self.page.url.replace("/live", "/api/v1/live"))
        assert answer.ok
        self.texts.append(answer.text())


@pytest.fixture(scope="module")
def watch(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    with ExitStack() as stack:
        lab = stack.enter_context(Laboratory())
        lab.stop()
        lab.plan = a_plan(lab)
        lab.configure()
        lab.start()
        product = stack.enter_context(
            a_product(tmp_path_factory.mktemp("floor"), {"ZUOXI_PBX_URLS": lab.url})
        )
        product.folder.mkdir(parents=True, exist_ok=True)
        (product.folder / "centre.yaml").write_text(a_setup(), encoding="utf-8")
        product.zuoxi("import", "setup", "centre.yaml")
        product.start()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda place: sign_in(product, place), range(AGENTS)))
        wait_until(
            "Asterisk has all members", lambda: lab.rx("queue show").count("(dynamic)") == 30, 10
        )
        for group in range(len(TEAMS)):
            stack.enter_context(phones(lab, PhoneBehaviour(answer_after_ms=200), group=group))
        playwright = stack.enter_context(sync_playwright())
        browser = stack.enter_context(
            playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        )
        found = Watch(lab=lab, page=browser.new_page(locale="zh-CN"))
        _watches(found, product)
        _afternoon(found)
        yield found


def _watches(watch: Watch, product: Product) -> None:
    page = watch.page
    page.add_init_script(WITNESS)
    watch.listen()
    page.goto(f"{product.url}/")
    page.get_by_label("用户名").fill("wangfang")
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.wait_for_url("**/live")
    expect(page.get_by_text("服务器正常")).to_be_visible()
    expect(page.locator("#agents-ready .agent-tile")).to_have_count(10)


def _afternoon(watch: Watch) -> None:
    """Twenty calls a second; more than the agents can take, so that some wait and some give up."""
    patient = CallerBehaviour(talk_ms=2_500)
    hurried = CallerBehaviour(talk_ms=2_500, patience_ms=1_500)
    batches = [
        callers(
            watch.lab,
            QUEUES[queue],
            [Caller(number=f"139{place}{n:07}") for n in range(each * SECONDS)],
            behaviour,
            per_second=each,
        )
        for place, (queue, each, behaviour) in enumerate(
            (("support", 6, patient), ("support", 3, hurried), ("sales", 11, patient))
        )
    ]
    began = time.monotonic()
    with Session(watch.lab, EVENTS_ACCOUNT) as events, batches[0], batches[1], batches[2]:
        for moment in range(MOMENTS):
            # Playwright hears of frames only while it waits.
            watch.page.wait_for_timeout(
                max(1.0, 1000 * (began + (moment + 1) * SECONDS / MOMENTS - time.monotonic()))
            )
            watch.ask()
            if moment % 10 == 5:
                watch.look()
        for batch in batches:
            batch.wait(60)
        events.wait_for(b"QueueCallerLeave")
        watch.hear(bytes(events.received))
    watch.calls = 9 * SECONDS
    wait_until("nobody waits", lambda: "has 0 calls" in watch.lab.rx("queue show support"), 20)
    card = watch.page.locator("#queue-lab-support")
    expect(card).to_have_attribute("data-waiting", "0", timeout=5_000)
    watch.told = watch.page.evaluate("told")


def test_the_page_was_what_asterisk_had_at_fifty_moments(watch: Watch) -> None:
    """Not a second older: the number on the page is one that Asterisk had in the second before."""
    assert len(watch.asked) == MOMENTS
    busy = [asked for asked in watch.asked if asked.waiting > 3]
    assert len(busy) > MOMENTS // 2, "hardly anybody ever waited: this proves nothing"
    wrong = []
    for asked in watch.asked:
        there = watch.had_between(asked.begun - EVENT_SECONDS, asked.done + EVENT_SECONDS)
        assert asked.waiting in there, "the events are not the story of `queue show`"
        shown = _shown(watch.told, asked.begun, asked.done)
        had = watch.had_between(asked.begun - TOLERANCE, asked.done)
        around = _shown(watch.told, asked.begun - TOLERANCE, asked.done + TOLERANCE)
        if {one["waiting"] for one in shown} - had or not _as_long(around, asked):
            wrong.append((asked, had, shown))
    assert wrong == []


def test_no_number_was_ever_on_the_page_that_asterisk_had_not_had_within_a_second(
    watch: Watch,
) -> None:
    assert len(watch.told) > MOMENTS
    wrong = [
        one
        for one in watch.told
        if one["waiting"]
        not in watch.had_between(one["at"] / 1000 - TOLERANCE, one["at"] / 1000 + EVENT_SECONDS)
    ]
    assert wrong == []


def _shown(told: list[dict[str, Any]], begin: float, end: float) -> list[dict[str, Any]]:
    """What the page showed in this time."""
    until = [one["at"] for one in told[1:]] + [float("inf")]
    return [
        one
        for one, gone in zip(told, until, strict=True)
        if one["at"] <= end * 1000 and gone >= begin * 1000
    ]


def _as_long(shown: list[dict[str, Any]], asked: Asked) -> bool:
    """The same first caller: by the second in which the queue was entered, as far as that is told."""
    if asked.longest is None:
        return any(one["since"] is None for one in shown)
    # Asterisk takes the difference of two moments that it has cut to whole seconds.
    entered = int(asked.begun) - asked.longest, int(asked.done) - asked.longest + 1
    since = [datetime.fromisoformat(one["since"]).timestamp() for one in shown if one["since"]]
    # The stamp of the join comes a moment after Asterisk's own start; on a busy machine, a long one.
    # One who was first for less than a redraw stands between two others.
    return (
        bool(since)
        and min(since) <= entered[1] + TOLERANCE
        and max(since) >= entered[0] - TOLERANCE
    )


def test_nobody_of_the_other_team_and_nothing_of_its_queue_was_anywhere(watch: Watch) -> None:
    told = [*watch.frames, *watch.texts]
    assert len(watch.frames) > MOMENTS
    own = {name_of(place) for place in range(10)}
    assert all(any(name in text for text in told) for name in own)
    hidden = [TEAMS[1], TITLES["sales"], "华南商城", "PJSIP/81"]
    hidden += [f'"{number_of(place)}"' for place in range(10, AGENTS)]
    assert [word for word in hidden for text in told if word in text] == []


def test_at_the_end_the_day_is_what_queue_log_says(watch: Watch) -> None:
    rows = [
        line.split("|")
        for line in watch.lab.queue_log.read_text().splitlines()
        if line.count("|") >= 4 and line.split("|")[2] == "support"
    ]
    kinds = [row[4] for row in rows]
    expected = {
        "answered": kinds.count("CONNECT"),
        "abandoned": kinds.count("ABANDON"),
        "overflowed": kinds.count("EXITWITHTIMEOUT"),
    }
    assert sum(expected.values()) == watch.calls
    assert min(expected.values()) > 0, "not something of everything"
    card = watch.page.locator("#queue-lab-support")
    for figure, count in expected.items():
        place = card.locator(f'[data-today="{figure}"]')
        expect(place).to_have_text(str(count), timeout=5_000)
    assert watch.complaints == []
