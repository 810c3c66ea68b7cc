"""Does a request come from one of our own pages, or from another site's?"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from crm_core.settings import Settings


def from_here(connection: HTTPConnection, settings: Settings, *, required: bool) -> bool:
    origin = connection.headers.get("origin")
    if origin is not None:
        return origin in own_origins(connection, settings)
    # Every browser names the Origin of a POST and of a socket; what names none is not a browser.
    site = connection.headers.get("sec-fetch-site")
    return not required and site in (None, "same-origin")


def own_origins(connection: HTTPConnection, settings: Settings) -> frozenset[str]:
    """The origins our pages can have: as addressed now, and as published."""
    scheme = "https" if connection.url.scheme in ("https", "wss") else "http"
    found = {f"{scheme}://{connection.headers.get('host', '')}"}
    if settings.public_url:
        parts = urlsplit(settings.public_url)
        found.add(f"{parts.scheme}://{parts.netloc}")
    return frozenset(found)
