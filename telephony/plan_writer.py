"""Keeps the files that Asterisk reads equal to what the pages say: render, write, check, reload.

The plan is asked for every few seconds, whoever changed it. A changed file is written whole or not at
all; then Asterisk must show what it says (`GetConfigJSON`), and only then the module that reads it is
reloaded, that one alone. Beside the files `.told` keeps what Asterisk has been told: a kill between
the writing and the reload, or a PBX that is away, only makes it later.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from pathlib import Path

from crm_core.bus import Bus
from crm_core.centre.plan import SwitchPlan
from crm_core.commands import PlanOf
from crm_core.errors import Invalid, Unavailable, ZuoxiError
from crm_core.ids import PbxId
from telephony import dialplan
from telephony.ami.actions import Action, GetConfigJSON, Reload
from telephony.ami.link import Answer

log = logging.getLogger("zuoxi.telephony")

LOOK_EVERY_SECONDS = 5.0
TRY_AGAIN_SECONDS = 1.0
ASK_SECONDS = 10.0

TOLD = ".told"

Ask = Callable[[Action], Awaitable[Answer]]


class PlanWriter:
    """`run` until cancelled. `folder` is the one that this PBX's Asterisk includes."""

    def __init__(
        self,
        pbx: PbxId,
        folder: Path,
        bus: Bus,
        ask: Ask,
        *,
        door: str = "",
        allowed: Callable[[], bool] = lambda: True,
    ) -> None:
        self._pbx, self._folder, self._bus, self._ask = pbx, folder, bus, ask
        self._door = door
        self._allowed = allowed
        self._done: SwitchPlan | None = None
        """Written, and Asterisk was told."""
        self._said: str | None = None

    async def run(self) -> None:
        """Look, write, tell; whatever goes wrong is a sentence in the log, once, and tried again."""
        while True:
            wait = LOOK_EVERY_SECONDS
            try:
                if self._allowed():
                    await self.look()
                self._said = None
            except Unavailable as wrong:
                log.debug("%s: Asterisk is not told yet: %s", self._pbx, wrong.detail)
                wait = TRY_AGAIN_SECONDS
            except ZuoxiError as wrong:
                self._warn(wrong.detail)
            except OSError as wrong:
                self._warn(f"cannot write into {self._folder}: {wrong.strerror}")
            except Exception as wrong:
                # A foreign Asterisk may answer anything: that must not end pages and recorder.
                log.debug("%s: the plan was not told", self._pbx, exc_info=wrong)
                self._warn(f"{type(wrong).__name__}: {wrong}")
            await asyncio.sleep(wait)

    def _warn(self, sentence: str) -> None:
        if sentence != self._said:
            self._said = sentence
            log.warning("%s: queues, hotlines and seats: %s", self._pbx, sentence)

    async def look(self) -> None:
        """Once. Raises `Unavailable` (no link yet), `Invalid` (refused, with why), or `OSError`."""
        plan: SwitchPlan | None = await self._bus.ask(PlanOf(pbx=self._pbx), ASK_SECONDS)
        if plan is None:
            raise Unavailable("the records do not say what the plan is")
        if plan == self._done:
            return
        # A thousand seats are 20 ms to render and a disk may be slow: a ringing phone must not wait.
        files, new = await asyncio.to_thread(self._write, plan)
        if new:
            await self._tell(files, new)
        self._done = plan

    def _write(self, plan: SwitchPlan) -> tuple[dict[str, str], dict[str, str]]:
        """All files, and those that Asterisk has not been told of."""
        files = dialplan.render_plan(plan, self._door)
        dialplan.write(files, self._folder)
        told = _told(self._folder)
        new = {name: text for name, text in files.items() if told.get(name) != _digest(text)}
        return files, new

    async def _tell(self, files: Mapping[str, str], new: Mapping[str, str]) -> None:
        for name, text in new.items():
            await self._check(name, text)
        modules = dict.fromkeys(dialplan.PLAN_FILES[name].module or "" for name in new)
        for module in modules:
            await self._require(Reload(module=module), f"it does not reload {module}")
        dialplan.replace(
            self._folder / TOLD,
            json.dumps({name: _digest(text) for name, text in files.items()}),
        )
        log.info("%s: told Asterisk: %s", self._pbx, ", ".join(sorted(new)))

    async def _check(self, name: str, text: str) -> None:
        """Does Asterisk read this file to its end? Its last section must be there."""
        sections = re.findall(r"^\[([^]]+)\]", text, re.MULTILINE)
        whole = dialplan.PLAN_FILES[name].part_of
        if whole is None or not sections:
            return
        question = GetConfigJSON(filename=whole, category=sections[-1])
        why = f"Asterisk does not read {name} in {self._folder}"
        answer = await self._require(question, why)
        if sections[-1] not in json.loads(answer.response.get("JSON", "{}")):
            raise Invalid(f"{why}; see asterisk_conf/README.md, ZUOXI_ASTERISK_CONF")

    async def _require(self, action: Action, why: str) -> Answer:
        answer = await self._ask(action)
        if not answer.ok:
            raise Invalid(
                f"{why} ({answer.message or 'no reason given'}); see asterisk_conf/README.md"
            )
        return answer


def folder_of(pbx: PbxId, pbxs: int, asterisk_conf: Path) -> Path:
    """Where the files of this PBX go: `ZUOXI_ASTERISK_CONF`, or below it where there are several."""
    return asterisk_conf if pbxs == 1 else asterisk_conf / pbx


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _told(folder: Path) -> Mapping[str, str]:
    try:
        found = json.loads((folder / TOLD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
