"""What `zuoxi doctor` says: something that is wrong, and the lines that cure it. Plain values."""

from __future__ import annotations

from crm_core.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Lines of one section of one of Asterisk's files; `then` makes them count."""

    file: str
    section: str
    add: tuple[str, ...] = ()
    """Where the section has the key already, instead of what it says."""
    remove: tuple[str, ...] = ()
    then: str
    """A command of this machine, or a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong. Nothing secret stands in it."""

    where: str
    """A PBX's name, or the part of Zuoxi."""
    says: str
    cure: Lines | str
    """Lines for Asterisk, or what to do in one line."""


def told(finding: Finding) -> list[str]:
    """As the terminal shows it: the finding, and indented the cure.

    Names of queues and members are somebody else's words: no character of theirs moves the cursor.
    """
    lines = [f"{finding.where}: {finding.says}", *_cure(finding.cure)]
    return ["".join(each if each.isprintable() else "\ufffd" for each in line) for line in lines]


def _cure(cure: Lines | str) -> list[str]:
    if isinstance(cure, str):
        return [f"    {cure}"]
    place = f"in {cure.file}, section [{cure.section}]"
    return [
        *(f"    {place}: remove {line}" for line in cure.remove),
        *(f"    {place}: {line}" for line in cure.add),
        f"    then: {cure.then}",
    ]
