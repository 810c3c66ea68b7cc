"""Pictures of a centre for the tests of `/metrics`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from agent_ui.books.view import Reconciled, Standing
from agent_ui.operations.metrics import Picture
from agent_ui.operations.tally import Tally
from crm_core.commands import LinkStands, RecordsStand
from crm_core.durations import Durations
from crm_core.events import GapRecorded, LinkChanged, LinkState
from crm_core.ids import PbxId
from crm_core.live_board.board import LiveBoard
from tests.agent_ui.world import PBX


def a_picture(board: LiveBoard) -> Picture:
    return Picture(
        at=datetime.now(UTC),
        board=board,
        tally=Tally(),
        sockets=(),
        pops=Durations((0.1,)),
        books=(),
        records=None,
        links={PBX: None},
    )


def a_full_picture() -> Picture:
    """One in which every family has a line."""
    now, board, tally = datetime.now(UTC), LiveBoard(), Tally()
    board.feed(LinkChanged(at=now, pbx=PBX, state=LinkState.UP))
    tally.feed(GapRecorded(at=now, pbx=PBX, began_at=now, boot_changed=False))
    records = RecordsStand(
        lease_held=True, waiting=0, trouble=None, lost=0, refused=0, commits=Durations((0.1,))
    )
    link = LinkStands(read=5, ignored=4, quarantined=3, mended=2, failures=1)
    books = (
        Reconciled(pbx=PBX, standing=Standing.EQUAL, until=now, recorded_from=now),
        Reconciled(pbx=PbxId("other"), standing=Standing.AMI_ONLY),
    )
    return replace(a_picture(board), tally=tally, records=records, links={PBX: link}, books=books)
