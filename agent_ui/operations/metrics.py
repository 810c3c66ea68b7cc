"""`/metrics`: what the centre counts, in Prometheus' text format.

Everything is counted where it happens, as plain numbers; here they are read when somebody asks. No
label ever holds what belongs to a customer or a person, and each has few values: PBXs and their
queues, states, outcomes, pages.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    GCCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from agent_ui.books.view import Reconciled
from agent_ui.live.sockets import Socket
from agent_ui.operations.tally import Tally
from crm_core import VERSION
from crm_core.beats import Service
from crm_core.commands import LinkStands, RecordsStand
from crm_core.durations import Durations
from crm_core.events import AgentState, LinkState
from crm_core.ids import PbxId
from crm_core.live_board.board import LiveBoard
from crm_core.quick_dataclass import dataclass

MEDIA_TYPE = CONTENT_TYPE_LATEST
MOST_QUEUES = 500
"""Queues with a line of their own, over all PBXs; a foreign Asterisk may have any number."""
OTHERS = "(others)"
RESULTS = {
    "read": "read",
    "ignored": "ignored",
    "quarantined": "quarantined",
    "mended": "mended",
    "failed": "failures",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All that is known at the moment of asking."""

    at: datetime
    board: LiveBoard
    tally: Tally
    sockets: Sequence[Socket]
    pops: Durations
    books: Sequence[Reconciled]
    records: RecordsStand | None
    links: Mapping[PbxId, LinkStands | None]
    """Every PBX of the settings; None: nobody answered for it."""
    services: Sequence[Service] = ()
    """Every service of every process, where there are several."""


def text_of(picture: Picture) -> bytes:
    """The page. Raises nothing for a part that does not answer: its lines are missing."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(_Once(_families(picture)))
    return generate_latest(registry)


class _Once:
    """What `registry` collects: families that are made already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        return self._families


def _families(picture: Picture) -> Iterator[Metric]:
    yield InfoMetricFamily(
        "zuoxi_build",
        "The version that runs",
        value={"version": VERSION, "python": ".".join(map(str, sys.version_info[:3]))},
    )
    yield from _calls(picture.tally)
    yield from _live(picture)
    yield from _links(picture)
    yield from _books(picture)
    if picture.records is not None:
        yield from _recorder(picture.records)
    if picture.services:
        yield from _services(picture.services)
    yield _histogram(
        "zuoxi_pop_write_seconds",
        "From the ring on the bus to the screen pop written to a socket",
        picture.pops,
    )


def _calls(tally: Tally) -> Iterator[Metric]:
    yield _counter(
        "zuoxi_calls_started", "Calls that began", ("pbx", "direction"), tally.started.items()
    )
    yield _counter(
        "zuoxi_calls_ended",
        "Calls that ended, by whether the end was seen",
        ("pbx", "seen"),
        (((pbx, str(seen).lower()), count) for (pbx, seen), count in tally.ended.items()),
    )
    yield _counter(
        "zuoxi_queue_passes",
        "Stays in a queue that ended, by outcome (queue_log)",
        ("pbx", "outcome"),
        tally.outcomes.items(),
    )
    yield _counter(
        "zuoxi_gaps",
        "Intervals whose facts did not all reach the records",
        ("pbx",),
        (((pbx,), count) for pbx, count in tally.gaps.items()),
    )
    yield _counter(
        "zuoxi_gap_seconds",
        "Length of those intervals",
        ("pbx",),
        (((pbx,), count) for pbx, count in tally.gap_seconds.items()),
    )
    yield _counter(
        "zuoxi_commands_refused",
        "What Asterisk did not do, by command",
        ("pbx", "command"),
        tally.refused.items(),
    )


def _live(picture: Picture) -> Iterator[Metric]:
    board = picture.board
    agents = Counter((agent.pbx, board.agent_state(agent)) for agent in board.agents.values())
    yield _gauge(
        "zuoxi_agents",
        "Signed-in agents, by state",
        ("pbx", "state"),
        (
            ((pbx, state), agents[pbx, state])
            for pbx in picture.links
            for state in AgentState
            if state is not AgentState.OFFLINE
        ),
    )
    waiting: Counter[tuple[PbxId, str]] = Counter()
    longest: dict[tuple[PbxId, str], float] = {}
    for place, ((pbx, name), queue) in enumerate(sorted(board.queues.items())):
        key = (pbx, name if place < MOST_QUEUES else OTHERS)
        waiting[key] += len(queue.waiting)
        since = board.longest_wait(queue)
        seconds = max(0.0, (picture.at - since).total_seconds()) if since else 0.0
        longest[key] = max(longest.get(key, 0.0), seconds)
    named = ("pbx", "queue")
    yield _gauge("zuoxi_waiting_calls", "Callers who wait in a queue", named, waiting.items())
    yield _gauge(
        "zuoxi_longest_wait_seconds", "How long the first of them waits", named, longest.items()
    )
    calls = Counter(call.pbx for call in board.calls.values())
    yield _gauge(
        "zuoxi_live_calls",
        "Calls that go on",
        ("pbx",),
        (((pbx,), calls[pbx]) for pbx in picture.links),
    )
    pages = Counter(socket.page or "program" for socket in picture.sockets)
    yield _gauge(
        "zuoxi_sockets",
        "Open sockets, by page",
        ("page",),
        (((page,), pages[page]) for page in sorted({"desk", "live", "program", *pages})),
    )


def _links(picture: Picture) -> Iterator[Metric]:
    links = {pbx: picture.board.links.get(pbx) for pbx in picture.links}
    yield _gauge(
        "zuoxi_link_state",
        "1 for the state in which the link to this PBX is",
        ("pbx", "state"),
        (
            ((pbx, state), int(link is not None and link.state is state))
            for pbx, link in links.items()
            for state in LinkState
        ),
    )
    yield _gauge(
        "zuoxi_link_heard_age_seconds",
        "How long ago this PBX was last heard",
        ("pbx",),
        (
            ((pbx,), max(0.0, (picture.at - link.heard_until).total_seconds()))
            for pbx, link in links.items()
            if link is not None
        ),
    )
    yield _counter(
        "zuoxi_ami_events",
        "Messages from Asterisk: read, ignored by name, quarantined; mended: values without a "
        "control character; failed: our own folding broke",
        ("pbx", "result"),
        (
            ((pbx, result), getattr(stand, field))
            for pbx, stand in picture.links.items()
            if stand is not None
            for result, field in RESULTS.items()
        ),
    )


def _services(services: Sequence[Service]) -> Iterator[Metric]:
    named = ("service", "pbx", "role")
    living: Counter[tuple[str, str, str]] = Counter()
    oldest: dict[tuple[str, str, str], float] = {}
    for each in services:
        key = (each.beat.service, each.beat.pbx, "serves" if each.beat.leads else "stands_by")
        living[key] += each.lives
        oldest[key] = min(each.ago_seconds, oldest.get(key, each.ago_seconds))
    yield _gauge(
        "zuoxi_service_processes", "Processes whose heart beats, by service", named, living.items()
    )
    yield _gauge(
        "zuoxi_service_heard_age_seconds",
        "How long ago the service was last heard of",
        named,
        oldest.items(),
    )


def _books(picture: Picture) -> Iterator[Metric]:
    compared = [one for one in picture.books if one.until is not None]
    yield _gauge(
        "zuoxi_reconciled_age_seconds",
        "How long ago the moment is up to which queue_log and the call table were compared",
        ("pbx",),
        (
            ((one.pbx,), max(0.0, (picture.at - one.until).total_seconds()))
            for one in compared
            if one.until is not None
        ),
    )
    yield _gauge(
        "zuoxi_reconciled_differences",
        "Differences between queue_log and the call table that are not settled",
        ("pbx",),
        (((one.pbx,), one.differences) for one in compared),
    )


def _recorder(stand: RecordsStand) -> Iterator[Metric]:
    for name, what, value in (
        ("recorder_waiting_events", "Events that are not committed yet", stand.waiting),
        ("recorder_trouble", "1 while the database cannot be written", stand.trouble is not None),
        ("lease_held", "1 while this process has the lease on the database", stand.lease_held),
    ):
        yield GaugeMetricFamily(f"zuoxi_{name}", what, value=int(value))
    for name, what, value in (
        ("lost_facts", "Facts that did not fit in memory while the database was away", stand.lost),
        ("refused_facts", "Facts that the database will never take", stand.refused),
    ):
        yield CounterMetricFamily(f"zuoxi_recorder_{name}", what, value=value)
    yield _histogram("zuoxi_recorder_commit_seconds", "One group commit", stand.commits)


Samples = Iterable[tuple[Sequence[str], float]]


def _gauge(name: str, what: str, labels: Sequence[str], samples: Samples) -> Metric:
    found = GaugeMetricFamily(name, what, labels=labels)
    for values, value in samples:
        found.add_metric(values, value)
    return found


def _counter(name: str, what: str, labels: Sequence[str], samples: Samples) -> Metric:
    found = CounterMetricFamily(name, what, labels=labels)
    for values, value in samples:
        found.add_metric(values, value)
    return found


def _histogram(name: str, what: str, durations: Durations) -> Metric:
    below, buckets = 0, []
    for bound, count in zip([*durations.bounds, float("inf")], durations.counts, strict=True):
        below += count
        buckets.append(("+Inf" if bound == float("inf") else repr(bound), below))
    return HistogramMetricFamily(name, what, buckets=buckets, sum_value=durations.total_seconds)
