"""People, seats and an account that look real: for the rendering tests and axe."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from agent_ui.account.view import AccountPage, SessionShown
from agent_ui.admin.view import (
    HandedOverPage,
    KnownPerson,
    PeopleFilters,
    PeoplePage,
    PersonPage,
    PersonRow,
    PhoneValues,
    SeatPage,
    SeatRow,
    SeatsPage,
)
from agent_ui.auth_view import (
    Device,
    DevicePage,
    DeviceProblem,
    PasswordProblem,
    SetUpPage,
    SetUpProblem,
    Shell,
    Viewer,
)
from agent_ui.calls.view import Choice
from crm_core.access.people import Wish
from crm_core.access.person_problems import PersonProblem, Wrong
from crm_core.events import AgentState

AT = datetime(2026, 11, 18, 8, 42, 7, tzinfo=UTC)
ADMIN = Viewer(name="管理员", agent_number="9001", has_desk=True, has_calls=True, administers=True)

ROWS = (
    PersonRow(
        user_id=1,
        name="limin",
        full_name="李敏",
        agent_number="1021",
        roles=("agent",),
        team="售后一班",
        queues=("售后", "VIP"),
        extension="8001",
        seated_at="8001",
        state=AgentState.TALKING,
    ),
    PersonRow(
        user_id=2,
        name="wangfang",
        full_name="王芳",
        agent_number="2001",
        roles=("supervisor", "quality"),
        team="售后一班",
    ),
    PersonRow(
        user_id=3,
        name="gone",
        full_name="已离职",
        agent_number=None,
        roles=("agent",),
        team=None,
        disabled=True,
    ),
)
WISH = Wish(
    name="chen",
    full_name="陈静",
    agent_number="1022",
    roles=frozenset({"agent"}),
    team="售后一班",
    queues=frozenset({1}),
    pbx="main",
    extension="8001",
)
NEW = PersonPage(
    wish=WISH,
    roles=(Choice(value="agent", label="坐席"), Choice(value="admin", label="管理员")),
    teams=(Choice(value="售后一班", label="售后一班"),),
    queues=(Choice(value="1", label="售后"), Choice(value="2", label="VIP")),
    devices=(Choice(value="main/8001", label="8001"),),
)
KNOWN = KnownPerson(
    user_id=1,
    name="limin",
    full_name="李敏",
    number_is_fixed=True,
    created_at=AT,
    seen_at=AT,
    disabled_at=None,
    must_change_password=False,
    seated_at="8001",
    seated_since=AT,
    is_self=False,
)
GONE = replace(KNOWN, disabled_at=AT, seated_at=None, seated_since=None, seen_at=None)
ALL_WRONG = {
    field: Wrong(kind=kind, who="李敏")
    for field, kind in (
        ("name", PersonProblem.NAME_TAKEN),
        ("full_name", PersonProblem.FULL_NAME_EMPTY),
        ("agent_number", PersonProblem.NUMBER_TAKEN),
        ("roles", PersonProblem.LAST_ADMINISTRATOR),
        ("team", PersonProblem.TEAM_UNKNOWN),
        ("queues", PersonProblem.QUEUE_UNKNOWN),
        ("extension", PersonProblem.SEAT_UNKNOWN),
    )
}
SEAT = SeatRow(
    pbx="main",
    extension="8001",
    registers=True,
    held_by="李敏",
    held_number="1021",
    held_since=AT,
)
VALUES = PhoneValues(
    host="192.0.2.10", port=5070, transport="UDP", user_name="8001", display_name="8001"
)
FIXED = SeatRow(pbx="main", extension="8002", registers=False, contact="sip:8002@192.0.2.12")
BARE = SeatRow(pbx="main", extension="8003", registers=False)
ACCOUNT = AccountPage(
    name="limin",
    full_name="李敏",
    agent_number="1021",
    roles=("agent",),
    team="售后一班",
    queues=("售后", "VIP"),
    extension="8001",
    sessions=tuple(
        SessionShown(
            began_at=AT,
            seen_at=AT,
            address=address,
            browser="Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/142.0",
            is_this=address == "192.0.2.7",
        )
        for address in ("192.0.2.7", "192.0.2.8")
    ),
    minimum_length=8,
)
TAKEN = Device(pbx="main", extension="8001", held_by="李敏", held_number="1021", holder=1)
FREE = Device(pbx="main", extension="8002")


def people_pages() -> dict[str, tuple[str, dict[str, object]]]:
    """Name → (template, context)."""
    anonymous = Shell(csrf_token="", path="/set-up/x")
    values = {
        "people": ("admin/people.html", PeoplePage(filters=PeopleFilters(), rows=ROWS, total=3)),
        "people-alone": (
            "admin/people.html",
            PeoplePage(filters=PeopleFilters(), rows=ROWS[:1], total=1, next_url="/people?page=2"),
        ),
        "people-none": (
            "admin/people.html",
            PeoplePage(filters=PeopleFilters(text="x"), rows=(), total=3, first_url="/people"),
        ),
        "person-new": ("admin/person.html", replace(NEW, queues=())),
        "person-wrong": ("admin/person.html", replace(NEW, problems=ALL_WRONG)),
        "person": ("admin/person.html", replace(NEW, known=KNOWN, saved=True)),
        "person-gone": ("admin/person.html", replace(NEW, known=GONE)),
        "handed-over": (
            "admin/handed_over.html",
            HandedOverPage(
                user_id=1,
                name="chen",
                full_name="陈静",
                password="fjch-dygd-axpg-rr44",
                address="https://calls.example",
                is_new=True,
            ),
        ),
        "seats": ("admin/seats.html", SeatsPage(rows=(SEAT, FIXED, BARE), shows_pbx=True)),
        "seats-none": ("admin/seats.html", SeatsPage(rows=())),
        "seat": ("admin/seat.html", SeatPage(row=SEAT, values=VALUES, unreachable=True)),
        "seat-shown": (
            "admin/seat.html",
            SeatPage(row=SEAT, values=replace(VALUES, password="a-Secret"), is_new_password=True),
        ),
        "seat-fixed": ("admin/seat.html", SeatPage(row=FIXED)),
        "seat-bare": ("admin/seat.html", SeatPage(row=BARE)),
        "account": ("account/page.html", replace(ACCOUNT, done="password")),
        "account-wrong": ("account/page.html", replace(ACCOUNT, problem=PasswordProblem.WEAK)),
        "device-taken": ("auth/device.html", DevicePage(devices=(FREE, TAKEN))),
        "device-take-over": (
            "auth/device.html",
            DevicePage(devices=(FREE, TAKEN), taking_over=TAKEN, problem=DeviceProblem.BUSY),
        ),
    }
    shown: dict[str, tuple[str, dict[str, object]]] = {
        name: (
            template,
            {
                "shell": Shell(viewer=ADMIN, csrf_token="c5rf", path=f"/{name.partition('-')[0]}"),
                "page": page,
            },
        )
        for name, (template, page) in values.items()
    }
    for name, problem in (("set-up", None), ("set-up-wrong", SetUpProblem.WEAK)):
        page = SetUpPage(minimum_length=8, name="boss" if problem else "", problem=problem)
        shown[name] = ("auth/set_up.html", {"shell": anonymous, "page": page})
    return shown
