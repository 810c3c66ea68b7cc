"""What a real Asterisk has written becomes calls by `zuoxi import queue-log` alone: nobody listened."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from crm_core import migrations
from crm_core.call_log.models import Call, OfferAttempt
from crm_core.db import engine_of, reading
from crm_core.ids import PbxId
from telephony.queue_log.importing import import_queue_log
from tests.lab.asterisk import Laboratory
from tests.lab.scenarios import CallerBehaviour
from tests.lab.sipp import Caller, callers, phones

pytestmark = pytest.mark.asterisk


async def test_call_between_seats_that_nobody_saw_has_its_seconds(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    behaviour = CallerBehaviour(talk_ms=2200)
    began_at = datetime.now(UTC)
    with (
        phones(laboratory),
        callers(laboratory, "8001", [Caller(number="8002")], behaviour, source="127.0.0.1") as call,
    ):
        call.wait()
    url = f"sqlite:///{tmp_path}/zuoxi.db"
    await migrations.upgrade(url)
    engine = engine_of(url)
    try:
        await import_queue_log(engine, [laboratory.queue_log], PbxId("lab"), now=datetime.now(UTC))
        async with reading(engine) as connection:
            rows = await connection.execute(
                select(
                    Call.direction,
                    Call.caller_number_raw,
                    Call.called_number,
                    Call.confidence,
                    Call.talk_seconds,
                    Call.started_at,
                    OfferAttempt.interface,
                    OfferAttempt.result,
                )
                .join(OfferAttempt, OfferAttempt.call_id == Call.call_id)
                .where(Call.direction == "internal")
                .order_by(Call.started_at)
            )
            *_, (direction, caller, called, confidence, talked, started_at, *ring) = rows
    finally:
        await engine.dispose()
    assert (direction, caller, called) == ("internal", "8002", "8001")
    assert (confidence, ring) == ("queue_log_only", ["PJSIP/8001", "answered"])
    assert talked in (2, 3)
    assert abs((started_at - began_at).total_seconds()) < 3
