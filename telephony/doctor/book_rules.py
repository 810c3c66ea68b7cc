"""Rules about the second feed and the clock: `queue_log` must be a file, be ours to read, and grow. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import PurePath
from typing import Final

from crm_core.findings import Finding, Lines
from telephony.doctor.sight import Rule, Sight

FILE: Final = "logger.conf"
RELOAD: Final = "asterisk -rx 'logger reload'"

MOST_CLOCK_SECONDS: Final = 2.0
"""Both feeds of a pass are paired by their moments, two seconds apart at most."""
_SLOW_START: Final = timedelta(seconds=60)


def is_written(sight: Sight) -> Iterator[Finding]:
    """Whether Asterisk writes queue_log, and into a file."""
    if FILE not in sight.files:
        return
    general = sight.section(FILE, "general")
    if not general.is_yes("queue_log", default=True):
        yield Finding(
            where=sight.pbx,
            says="Asterisk writes no queue_log: outcomes of calls are not known",
            cure=Lines(file=FILE, section="general", add=("queue_log = yes",), then=RELOAD),
        )
    realtime = sight.section("extconfig.conf", "settings").get("queue_log")
    if realtime and not general.is_yes("queue_log_to_file"):
        yield Finding(
            where=sight.pbx,
            says="queue_log goes into a database and into no file",
            cure=Lines(file=FILE, section="general", add=("queue_log_to_file = yes",), then=RELOAD),
        )
    name, book = general.get("queue_log_name", "queue_log"), sight.queue_log
    if book is not None and PurePath(book.path).name != name:
        yield Finding(
            where=sight.pbx,
            says=f"Asterisk writes its book as {name!r}, ZUOXI_PBX_URLS names "
            f"{PurePath(book.path).name!r}",
            cure=Lines(
                file=FILE,
                section="general",
                add=(f"queue_log_name = {PurePath(book.path).name}",),
                then=RELOAD,
            ),
        )


def queue_log_file(sight: Sight) -> Iterator[Finding]:
    """Whether this user can read it, and whether it is the one that grows."""
    book = sight.queue_log
    if book is None:
        yield Finding(
            where=sight.pbx,
            says="no queue_log is named: how calls left their queues is not known, rows say ami_only",
            cure="in ZUOXI_PBX_URLS, at the end of the entry: ?queue_log=/var/log/asterisk/queue_log",
        )
    elif book.trouble is not None:
        yield Finding(
            where=sight.pbx,
            says=f"queue_log cannot be read: {book.trouble}",
            cure=f"usermod -aG asterisk ZUOXI_USER && chmod g+r {book.path} "
            f"&& chmod g+x {PurePath(book.path).parent}, or name the right path in ZUOXI_PBX_URLS",
        )
    elif (
        book.changed_at is not None
        and sight.started_at is not None
        and book.changed_at < sight.started_at - _SLOW_START
    ):
        yield Finding(
            where=sight.pbx,
            says=f"{book.path} has not grown since Asterisk started, which always writes a row: it is "
            "another Asterisk's, or a copy",
            cure="name in ZUOXI_PBX_URLS the file that grows: asterisk -rx 'core show settings' shows "
            "the folder as Log directory",
        )


def clock(sight: Sight) -> Iterator[Finding]:
    ahead = sight.clock_ahead_seconds
    if abs(ahead) > MOST_CLOCK_SECONDS:
        yield Finding(
            where=sight.pbx,
            says=f"Asterisk's clock is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} ours",
            cure="on both machines: apt-get install chrony && chronyc makestep",
        )


RULES: Final[tuple[Rule, ...]] = (is_written, queue_log_file, clock)
