"""Two sessions to one Asterisk do not come back together: what was refused meanwhile is asked again."""

from __future__ import annotations

from pathlib import Path

from crm_core.commands import AddMember, Done
from crm_core.events import LinkState
from tests.telephony.a_pbx import LAB, a_site
from tests.telephony.ami.scripted import Sent, refused

ADD = AddMember(pbx=LAB, queue="support", interface="PJSIP/8001", agent_number="1001")


async def test_the_link_is_told_to_be_up_again_when_control_comes_after_the_events(
    tmp_path: Path,
) -> None:
    # Seen after a restart of Asterisk: the desk said ready, and nobody was in any queue.
    def only_events(sent: Sent) -> bytes:
        if sent["Events"] == "on":
            return site.asterisk.accepts(sent)
        return refused(sent, "Authentication failed")

    async with a_site(tmp_path) as site:
        site.server.answers["Login"] = only_events
        async with site.followed():
            await site.link(LinkState.UP)
            assert (await site.does(ADD)).refused is not None
            site.server.answers["Login"] = site.asterisk.accepts
            await site.link(LinkState.UP, nth=2)
            assert await site.does(ADD) == Done()
