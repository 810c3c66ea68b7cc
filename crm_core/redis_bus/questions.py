"""Questions between processes: asked of whoever listens now, answered within a time limit or not at all.

By publish and subscribe, which tells how many listen: where nobody does, the question is asked again
until its time is over; where somebody does it is asked once, as it may be a command. A question for
one PBX goes to the process that serves it, else to who answers such questions for all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from itertools import count
from typing import Any

import orjson

from crm_core import codec
from crm_core.bus import Answerer, Answerers, Undo, answer_within
from crm_core.commands import Command
from crm_core.errors import Invalid
from crm_core.ids import PbxId
from crm_core.redis_bus.session import AWAY, Session

log = logging.getLogger("zuoxi.bus")

LOOK_AGAIN_SECONDS = 0.1
"""While nobody listens, or Redis is away."""


class Questions:
    """Asks and answers for one process, over whichever `session` there is."""

    def __init__(self, name: str, session: Callable[[], Session | None]) -> None:
        self._name, self._session = name, session
        self._answerers = Answerers()
        self._numbers = count(1)
        self._open: dict[int, asyncio.Future[Any]] = {}
        self._askable: dict[int, tuple[Any, float]] = {}
        """Open questions that may be asked twice, and for how long: all but commands."""
        self._answering: set[asyncio.Task[None]] = set()

    def answer(self, question: type[Any], answerer: Answerer, pbx: PbxId | None) -> Undo:
        undo = self._answerers.add(question, answerer, pbx)
        self._set_listening(question, pbx)

        def no_more() -> None:
            undo()
            self._set_listening(question, pbx)

        return no_more

    def _set_listening(self, question: type[Any], pbx: PbxId | None) -> None:
        session = self._session()
        if session is not None:  # each session begins with all that are wanted
            wanted = (question, pbx) in set(self._answerers)
            channel = session.prefix + _channel(question.__name__, pbx)
            self._soon(self._listen(session, channel, wanted=wanted))

    async def ask(self, question: Any, seconds: float) -> Any | None:
        answerer = self._answerers.of(question)
        if answerer is not None:
            return await answer_within(answerer, question, seconds)
        number = next(self._numbers)
        answer = self._open[number] = asyncio.get_running_loop().create_future()
        if not isinstance(question, Command):
            self._askable[number] = (question, seconds)
        try:
            async with asyncio.timeout(seconds):
                await self._put(question, number, seconds)
                return await answer
        except TimeoutError:
            log.warning("no answer to %s in %.1f s", type(question).__name__, seconds)
            return None
        finally:
            del self._open[number]
            self._askable.pop(number, None)

    async def _put(self, question: Any, number: int, seconds: float) -> None:
        """Return when somebody has heard it."""
        kind, pbx = type(question).__name__, getattr(question, "pbx", None)
        channels = [_channel(kind, pbx), _channel(kind, None)] if pbx else [_channel(kind, None)]
        body = {"to": self._name, "n": number, "for": seconds}
        data = orjson.dumps({**body, "question": orjson.Fragment(codec.to_tagged(question))})
        until = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < until:
            session = self._session()
            if session is not None:
                for channel in channels:
                    try:
                        if await session.tell(channel, data):
                            return
                    except AWAY:
                        break
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    # --- being asked --------------------------------------------------------------------------------

    async def serve(self, session: Session) -> None:
        """Answer, and take answers, as long as this session lasts."""
        channels = [_channel(kind.__name__, pbx) for kind, pbx in self._answerers]
        mine = f"answer:{self._name}"
        await session.questions.subscribe(*(session.prefix + each for each in (mine, *channels)))
        for number, (question, seconds) in list(self._askable.items()):
            # Its answer may have been lost with the session before this one.
            self._soon(self._put(question, number, seconds))
        while True:
            message = await session.questions.get_message(timeout=1.0)
            session.heed_end()
            if message is None:
                continue
            try:
                self._heard(
                    session, message["data"], is_answer=message["channel"].endswith(mine.encode())
                )
            except (Invalid, KeyError, TypeError, ValueError) as wrong:
                log.warning("a question or answer that nobody of ours wrote: %r", wrong)

    def _heard(self, session: Session, data: bytes, *, is_answer: bool) -> None:
        said = orjson.loads(data)
        if is_answer:
            waiting = self._open.get(said["n"])
            if waiting is not None and not waiting.done():
                waiting.set_result(codec.from_tagged(orjson.dumps(said["answer"])))
            return
        question = codec.from_tagged(orjson.dumps(said["question"]))
        answerer = self._answerers.of(question)
        if answerer is not None:
            self._soon(self._answer(session, answerer, question, said))

    async def _answer(
        self, session: Session, answerer: Answerer, question: Any, said: dict[str, Any]
    ) -> None:
        kind = type(question).__name__
        try:
            async with asyncio.timeout(float(said["for"])):
                answer = await answerer(question)
        except TimeoutError:
            return  # who asked has given up, and says so
        except Exception:
            log.exception("%s could not be answered", kind)
            return
        body = {"n": said["n"], "answer": orjson.Fragment(codec.to_tagged(answer))}
        try:
            await session.tell(f"answer:{said['to']}", orjson.dumps(body))
        except AWAY:
            log.warning("the answer to %s could not be told", kind)

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _listen(self, session: Session, channel: str, *, wanted: bool) -> None:
        questions = session.questions
        with suppress(*AWAY):  # the next session listens to all
            await (questions.subscribe(channel) if wanted else questions.unsubscribe(channel))

    async def stop(self) -> None:
        """Nobody is answered any more."""
        for task in list(self._answering):
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)


def _channel(kind: str, pbx: PbxId | None) -> str:
    return f"ask:{kind}:{pbx}" if pbx else f"ask:{kind}"
