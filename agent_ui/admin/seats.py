"""Seats: who sits where, and the five values with which a seat's phone registers.

For administrators. The password stands in no page until somebody asks for it, and that is audited.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from agent_ui.admin.view import SIP_PORT, PhoneValues, SeatPage, SeatRow, SeatsPage
from agent_ui.auth import Visit, visit_of
from agent_ui.deps import deps_of
from agent_ui.pages import page
from agent_ui.security import needs
from crm_core.access.permissions import Permission
from crm_core.centre import seats
from crm_core.centre.seats import SeatFile
from crm_core.db import reading, transaction
from crm_core.settings import Settings

router = APIRouter()
Who = Annotated[Visit, Depends(visit_of)]
ADMINISTRATORS = needs(Permission.ADMINISTER)


@router.get("/seats", dependencies=[ADMINISTRATORS])
async def seat_list(request: Request, visit: Who) -> Response:
    """All seats with their holders."""
    async with reading(deps_of(request).engine) as connection:
        found = await seats.seat_files(connection)
    shown = SeatsPage(
        rows=tuple(_row(seat) for seat in found), shows_pbx=len({seat.pbx for seat in found}) > 1
    )
    return page(request, visit, "admin/seats.html", shown)


@router.get("/seats/{pbx}/{extension}", dependencies=[ADMINISTRATORS])
async def one_seat(request: Request, visit: Who, pbx: str, extension: str) -> Response:
    """The five values, the password hidden."""
    async with reading(deps_of(request).engine) as connection:
        seat = await seats.seat_file(connection, pbx, extension)
    return _page(request, visit, seat)


@router.post("/seats/{pbx}/{extension}/show", dependencies=[ADMINISTRATORS])
async def show_password(request: Request, visit: Who, pbx: str, extension: str) -> Response:
    """The same page with the password."""
    deps = deps_of(request)
    async with transaction(deps.engine) as connection:
        password = await seats.reveal_secret(
            connection, pbx, extension, actor=visit.who.name, now=deps.now()
        )
        seat = await seats.seat_file(connection, pbx, extension)
    return _page(request, visit, seat, password)


@router.post("/seats/{pbx}/{extension}/password", dependencies=[ADMINISTRATORS])
async def new_password(request: Request, visit: Who, pbx: str, extension: str) -> Response:
    """A new password; Asterisk hears of it within seconds (`telephony.plan_writer`)."""
    deps = deps_of(request)
    async with transaction(deps.engine) as connection:
        password = await seats.new_secret(
            connection, pbx, extension, actor=visit.who.name, now=deps.now()
        )
        seat = await seats.seat_file(connection, pbx, extension)
    return _page(request, visit, seat, password, is_new=True)


def _page(
    request: Request,
    visit: Visit,
    seat: SeatFile,
    password: str | None = None,
    *,
    is_new: bool = False,
) -> Response:
    host, port = sip_address(deps_of(request).settings, seat.pbx)
    values = PhoneValues(
        host=host,
        port=port,
        transport="UDP",
        user_name=seat.user_name,
        display_name=seat.extension,
        password=password,
    )
    shown = SeatPage(
        row=_row(seat),
        values=values if seat.registers else None,
        is_new_password=is_new,
        unreachable=_is_loopback(host),
    )
    return page(request, visit, "admin/seat.html", shown)


def _row(seat: SeatFile) -> SeatRow:
    return SeatRow(
        pbx=seat.pbx,
        extension=seat.extension,
        registers=seat.registers,
        contact=seat.contact,
        held_by=seat.held_by,
        held_number=seat.held_number,
        held_since=seat.held_since,
    )


def sip_address(settings: Settings, pbx: str) -> tuple[str, int]:
    """Where the phones of this PBX register: `sip=HOST:PORT` of its entry in `ZUOXI_PBX_URLS`.

    Without that the PBX's own host; where that is loopback (Asterisk beside us, which says nothing
    about phones elsewhere) the host of `ZUOXI_PUBLIC_URL`.
    """
    entry = next((one for one in settings.pbxs if one.pbx == pbx), None)
    if entry is not None and entry.sip:
        host, _, port = entry.sip.rpartition(":")
        return host.strip("[]"), int(port)
    host = entry.host if entry is not None else ""
    public = urlsplit(settings.public_url).hostname
    if public and (not host or _is_loopback(host)):
        host = public
    return host or "127.0.0.1", SIP_PORT


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
