"""What the doctor saw of one Asterisk. Pure values; who looks is `looking`, who judges the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from datetime import datetime

from crm_core.centre.plan import SwitchPlan
from crm_core.findings import Finding
from crm_core.quick_dataclass import dataclass
from telephony import dialplan


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section of a file of Asterisk, templates resolved; a key may come more than once."""

    name: str
    pairs: tuple[tuple[str, str], ...]

    def get(self, key: str, default: str = "") -> str:
        """The value that counts: the last one."""
        return next((value for name, value in reversed(self.pairs) if name == key), default)

    def is_yes(self, key: str, default: bool = False) -> bool:
        """As Asterisk's `ast_true` reads it."""
        value = self.get(key)
        return value.lower() in ("yes", "true", "y", "t", "1", "on") if value else default


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the dialplan that is loaded; an include of its context has no `exten`."""

    context: str
    exten: str
    application: str
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenMember:
    queue: str
    name: str
    interface: str
    state_interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLogSight:
    """The file as this user sees it; `trouble` says why it cannot be read."""

    path: str
    trouble: str | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Nothing secret is in it: of `manager.conf` the sections of our own accounts, without secrets."""

    pbx: str
    accounts: tuple[str, ...]
    """That of the session that listens, and that of the session that acts; one where both are one."""
    trouble: str | None = None
    """Why there is no link; then nothing else is known."""
    address: str = ""
    files: Mapping[str, tuple[Section, ...]] = field(default_factory=dict)
    """By name; a file that Asterisk does not have, or does not show, is missing."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """What this account may not ask → what Asterisk said."""
    modules: Mapping[str, bool] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    members: tuple[SeenMember, ...] = ()
    system_name: str = ""
    started_at: datetime | None = None
    clock_ahead_seconds: float = 0.0
    """How far Asterisk's clock is ahead of ours."""
    queue_log: QueueLogSight | None = None
    """None: `ZUOXI_PBX_URLS` names none."""
    plan: SwitchPlan | None = None
    """What the set-up says; None: the database did not answer."""

    @property
    def includes_ours(self) -> bool:
        """The dialplan is that of `asterisk_conf/`, not one of somebody else's making."""
        return dialplan.QUEUE_ROUTINE in self.contexts

    @property
    def has_seats(self) -> bool:
        """People sign in to Zuoxi here, and Zuoxi adds them to queues."""
        return self.plan is not None and bool(self.plan.seats)

    @property
    def contexts(self) -> frozenset[str]:
        return frozenset(step.context for step in self.steps)

    def section(self, file: str, name: str) -> Section:
        """That section, empty where there is none."""
        found = (each for each in self.files.get(file, ()) if each.name == name)
        return next(found, Section(name=name, pairs=()))

    def sections(self, file: str, but: Iterable[str] = ("general",)) -> Iterator[Section]:
        return (each for each in self.files.get(file, ()) if each.name not in but)

    @property
    def listens(self) -> str:
        return self.accounts[0]

    @property
    def acts(self) -> str:
        return self.accounts[-1]


Rule = Callable[[Sight], Iterator[Finding]]
