"""A hand in Asterisk's files: plants a fault in a laboratory, and does what the doctor says, to the letter."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from crm_core.centre.plan import SwitchPlan
from crm_core.findings import Finding, Lines, told
from crm_core.settings import PbxUrl, pbx_url
from telephony.doctor import findings
from telephony.doctor.looking import look
from tests.lab.asterisk import Laboratory

ADDS = frozenset({"exten", "same", "load", "member", "#include", "permit", "deny"})
"""Keys that may stand in a section more than once."""


class Patient:
    """One Asterisk, as whoever looks after it handles it."""

    def __init__(self, lab: Laboratory, plan: SwitchPlan) -> None:
        self.lab, self.plan = lab, plan
        self.url = pbx_url(lab.url)

    @property
    def etc(self) -> Path:
        return self.lab.folder / "etc/asterisk"

    def say(self, **url: object) -> list[Finding]:
        """What the doctor says; `url` are changes of the entry in ZUOXI_PBX_URLS."""
        entry: PbxUrl = replace(self.url, **url)  # type: ignore[arg-type]
        return list(findings(asyncio.run(look(entry, self.plan))))

    def edit(self, file: str, change: Callable[[str], str]) -> None:
        path = self.etc / file
        before = path.read_text(encoding="utf-8")
        after = change(before)
        assert after != before, f"nothing was planted in {file}"
        path.write_text(after, encoding="utf-8")

    def set(self, file: str, section: str, *lines: str) -> None:
        """These lines instead of what the section says under their keys."""
        path = self._file_with(file, section)
        text = path.read_text(encoding="utf-8")
        for line in lines:
            text = _with(text, section, line)
        path.write_text(text, encoding="utf-8")

    def remove(self, file: str, section: str, line: str) -> None:
        path = self._file_with(file, section)
        kept, here = [], False
        for each in path.read_text(encoding="utf-8").splitlines(keepends=True):
            here = each.startswith(f"[{section}]") if each.startswith("[") else here
            if not (here and _plain(each) == _plain(line)):
                kept.append(each)
        path.write_text("".join(kept), encoding="utf-8")

    def do(self, then: str) -> None:
        """A command of Asterisk's console as the cure names it, or a restart."""
        commands = re.findall(r"asterisk -rx '([^']*)'", then)
        for command in commands:
            self.lab.rx(command)
        if not commands:
            assert "restart Asterisk" in then, then
            self.lab.restart()

    def cure(self, finding: Finding) -> None:
        assert isinstance(finding.cure, Lines), told(finding)
        for line in finding.cure.remove:
            self.remove(finding.cure.file, finding.cure.section, line)
        for line in finding.cure.add:
            self.set(finding.cure.file, finding.cure.section, re.sub(r" \([a-z ]+\)$", "", line))
        self.do(finding.cure.then)

    @contextmanager
    def operated(self) -> Iterator[None]:
        """Afterwards the files are as they were, and Asterisk has read them."""
        kept = self.lab.folder / "kept"
        shutil.copytree(self.etc, kept)
        try:
            yield
        finally:
            shutil.rmtree(self.etc)
            shutil.move(kept, self.etc)
            self.lab.rx("core reload")

    def _file_with(self, file: str, section: str) -> Path:
        """The file, or the one it includes, in which this section begins."""
        main = self.etc / file
        included: list[str] = re.findall(
            r"^#include (\S+)", main.read_text(encoding="utf-8"), re.MULTILINE
        )
        for path in (main, *(self.etc / name for name in included)):
            if re.search(rf"^\[{re.escape(section)}\]", path.read_text("utf-8"), re.MULTILINE):
                return path
        return main


def _with(text: str, section: str, line: str) -> str:
    """`line` as the last of its section, alone with its key unless that may come again."""
    key = _key(line)
    lines, found, here, begun = text.splitlines(keepends=True), [], False, None
    if key == "#include":
        return f"{text}{line}\n"
    for each in lines:
        if each.startswith("["):
            here = each.startswith(f"[{section}]")
        if here and key not in ADDS and _key(each) == key:
            continue
        found.append(each)
        if here and (begun is None or (key == "same" and "Queue(" in each)):
            begun = len(found)
    if begun is None:
        return f"{text}\n[{section}]\n{line}\n"
    found.insert(begun, f"{line}\n")
    return "".join(found)


def _key(line: str) -> str:
    return line.split(None, 1)[0] if line.startswith("#") else line.partition("=")[0].strip()


def _plain(line: str) -> str:
    return re.sub(r"\s*=>?\s*", "=", line.split(";")[0].strip()).rstrip("=")
