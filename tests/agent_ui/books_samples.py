"""Values of the gap book and of who gave up, in every state worth looking at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agent_ui.auth_view import Shell
from agent_ui.books.view import (
    BooksLine,
    DifferenceShown,
    GapBookPage,
    GapShown,
    Reconciled,
    Standing,
)
from agent_ui.calls.view import CallFilters, Choice, GaveUpPage, GaveUpRow
from crm_core.call_log.reconcile import Kind, Reason
from crm_core.ids import CallId, CustomerId, PbxId

NOW = datetime(2026, 11, 18, 8, 42, 7, tzinfo=UTC)
EAST, WEST = PbxId("east"), PbxId("west")


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def standing(kind: Standing, pbx: PbxId = EAST, differences: int = 0) -> Reconciled:
    known = kind not in (Standing.NOT_YET, Standing.AMI_ONLY)
    return Reconciled(
        pbx=pbx,
        standing=kind,
        until=ago(0.2) if known else None,
        recorded_from=ago(9_000) if known else None,
        differences=differences,
    )


EQUAL = BooksLine(pbxs=(standing(Standing.EQUAL),), may_open=True)
DIFFERS = BooksLine(
    pbxs=(standing(Standing.DIFFERS, differences=3), standing(Standing.EQUAL, WEST)),
    blind_seconds=37,
    may_open=True,
)
EVERY = BooksLine(
    pbxs=tuple(standing(kind, PbxId(kind.value)) for kind in Standing), blind_seconds=1
)

GAP_BOOK = GapBookPage(
    line=DIFFERS,
    gaps=(
        GapShown(
            id=12,
            pbx=EAST,
            began_at=ago(42),
            ended_at=ago(41.4),
            boot_changed=True,
            reason="the link to Asterisk was away",
            calls=14,
        ),
        GapShown(
            id=11,
            pbx=WEST,
            began_at=ago(420),
            ended_at=ago(419.99),
            boot_changed=False,
            reason="the database was away too long: 1204 facts did not fit in memory",
            calls=0,
        ),
    ),
    differences=(
        DifferenceShown(
            pbx=EAST,
            queue="售后队列",
            entered_at=ago(41.5),
            kind=Kind.AGENT,
            expected="1001",
            actual="1007",
            reason=Reason.GAP,
            unique_id="1763950001.7",
            call=CallId("0" * 32),
        ),
        DifferenceShown(
            pbx=EAST,
            queue="售后队列",
            entered_at=ago(50),
            kind=Kind.MISSING,
            expected=None,
            actual=None,
            reason=Reason.UNEXPLAINED,
            unique_id="1763950001.9",
        ),
    ),
    more_differences=1,
    next_url="/gaps?cursor=next",
)

GAVE_UP = GaveUpPage(
    filters=CallFilters(),
    rows=(
        GaveUpRow(
            number="138****8000",
            last_at=ago(4),
            times=3,
            call=CallId("1" * 32),
            project="华东售后",
            hotline="售后热线",
            queue="售后队列",
            wait_seconds=48,
            customer="王芳",
            customer_id=CustomerId(7),
        ),
        GaveUpRow(number="020****8899", last_at=ago(95), times=1, call=CallId("2" * 32)),
    ),
    count=2,
    since=ago(9_000),
    queues=(Choice(value="after-sales", label="售后队列"),),
    books=EQUAL,
)
NOBODY = GaveUpPage(filters=CallFilters(), rows=(), count=0, since=ago(9_000), books=EVERY)


def book_pages(shell: Shell) -> dict[str, tuple[str, dict[str, object]]]:
    """Name → (template, context)."""
    none = GapBookPage(line=EQUAL, gaps=())
    return {
        "gaps": ("books/page.html", {"shell": shell, "page": GAP_BOOK}),
        "gaps-none": ("books/page.html", {"shell": shell, "page": none}),
        "calls-gave-up": ("calls/gave_up.html", {"shell": shell, "page": GAVE_UP}),
        "calls-gave-up-none": ("calls/gave_up.html", {"shell": shell, "page": NOBODY}),
    }
