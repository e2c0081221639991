"""What other web sites make a browser send."""

from __future__ import annotations

import pytest

from isengard.api.forwarded import Forwarded
from isengard.api.sites import OwnSite
from tests.unit.api.echo import ask, echo

FRIEND = "https://friend.example"
POD = "https://abc-7860.proxy.runpod.net"


def status(method: str = "POST", *, guarded: bool = True, **headers: str) -> int:
    app = Forwarded(OwnSite(echo, [FRIEND], [POD], guarded=guarded), (), ())
    return ask(app, method, headers={name.replace("_", "-"): value for name, value in headers.items()}).status_code


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_sites_may_not_write(method: str, site: str) -> None:
    assert status(method, Sec_Fetch_Site=site) == 403
    assert status("GET", Sec_Fetch_Site=site) == 200


def test_the_own_page_and_programs_may_write() -> None:
    assert status() == 200
    assert status(Sec_Fetch_Site="same-origin") == 200
    assert status(Sec_Fetch_Site="none") == 200
    assert status(Origin="http://127.0.0.1:7860") == 200
    assert status(Origin=POD, Host="10.0.0.7:7860") == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:8000", "http://localhost:7860"])
def test_without_fetch_metadata_the_origin_decides(origin: str) -> None:
    assert status(Origin=origin) == 403


def test_a_configured_origin_may_write() -> None:
    assert status(Origin=FRIEND, Sec_Fetch_Site="cross-site") == 200
    assert status(Origin="https://friend.example.evil", Sec_Fetch_Site="cross-site") == 403


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "LOCALHOST", "[::1]:7860"])
def test_without_a_password_it_answers_to_loopback_names(host: str) -> None:
    assert status("GET", guarded=False, Host=host) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "localhost.evil", "x@127.0.0.1"]
)
def test_without_a_password_it_answers_to_no_other_name(host: str) -> None:
    """DNS rebinding: the page's name, our address."""
    assert status("GET", guarded=False, Host=host) == 403
    assert status("GET", guarded=True, Host="isengard.lan") == 200


def test_without_a_password_it_does_not_serve_a_proxy() -> None:
    assert status("GET", guarded=False, X_Forwarded_For="198.51.100.7") == 403
