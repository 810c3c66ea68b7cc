"""The description of the API is a promise to other programs: a change of it must be meant."""

from __future__ import annotations

import json

from tests.golden import OPENAPI, openapi


def test_description_of_the_api_is_what_is_written_down() -> None:
    """Meant? `make golden` writes it anew; say it in CHANGELOG.md."""
    assert openapi() == OPENAPI.read_bytes()


def test_every_path_of_the_design_is_described() -> None:
    paths = json.loads(OPENAPI.read_bytes())["paths"]
    assert {
        "/api/v1/calls": {"get", "post"},
        "/api/v1/customers": {"get", "post"},
        "/api/v1/gaps": {"get"},
        "/api/v1/live": {"get"},
    }.items() <= {path: set(methods) for path, methods in paths.items()}.items()
