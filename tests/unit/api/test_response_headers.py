"""What a browser is told, and the types that are never served."""

from __future__ import annotations

import pytest
from starlette.responses import Response
from starlette.types import ASGIApp

from isengard.api.forwarded import Forwarded
from isengard.api.response_headers import ResponseHeaders
from tests.unit.api.echo import ask

ACTIVE = [
    "text/html",
    "TEXT/HTML; charset=utf-8",
    "image/svg+xml",
    "application/xhtml+xml",
    "text/xml",
    "application/javascript",
    "application/pdf",
    "text/css",
    "multipart/x-mixed-replace",
    "x/unknown",
]


def serving(media_type: str) -> ASGIApp:
    return Forwarded(
        ResponseHeaders(Response(b"<script>1</script>", media_type=media_type)), (), ["https://me.example"]
    )


@pytest.mark.parametrize("media_type", ACTIVE)
def test_a_users_file_never_has_an_active_type(media_type: str) -> None:
    answer = ask(serving(media_type), path="/api/outputs/x/file")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment"
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("media_type", ["image/png", "application/json", "text/event-stream"])
def test_what_cannot_run_keeps_its_type(media_type: str) -> None:
    answer = ask(serving(media_type), path="/api/x")
    assert answer.headers["content-type"].startswith(media_type)
    assert "sandbox" in answer.headers["content-security-policy"]


def test_the_page_may_load_nothing_from_elsewhere() -> None:
    answer = ask(serving("text/html"))
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "http" not in policy
    assert "*" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_https_is_asked_for_only_where_it_is() -> None:
    assert "strict-transport-security" not in ask(serving("text/html")).headers
    assert "strict-transport-security" in ask(serving("text/html"), headers={"Host": "me.example"}).headers
