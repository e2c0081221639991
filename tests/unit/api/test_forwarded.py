"""Whose word counts on where a request comes from."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from isengard.api.forwarded import Forwarded, host_name
from tests.unit.api.echo import ask, echo

POD = "https://abc-7860.proxy.runpod.net"
LIES = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-Prefix": "/evil",
    "X-Real-IP": "127.0.0.1",
    "Forwarded": "for=127.0.0.1;host=evil.example",
    "X-Gradio-Server": "http://evil.example",
}


def seen(*, proxies: tuple[str, ...] = (), urls: tuple[str, ...] = (POD,), **told: Any) -> dict[str, Any]:
    app = Forwarded(echo, [ip_network(network) for network in proxies], urls)
    found: dict[str, Any] = ask(app, **told).json()
    return found


def test_a_stranger_is_not_believed() -> None:
    found = seen(headers=LIES)
    assert found["client"] == "203.0.113.9"
    assert found["scheme"] == "http"
    assert found["headers"]["host"] == "127.0.0.1:7860"
    assert "evil" not in str(found)


def test_a_named_proxy_is_believed() -> None:
    headers = {"X-Forwarded-For": "198.51.100.7, 10.0.0.8", "X-Forwarded-Host": "isengard.example"}
    found = seen(proxies=("10.0.0.0/8",), urls=("https://isengard.example",), client="10.0.0.3", headers=headers)
    assert found["client"] == "198.51.100.7"
    assert found["scheme"] == "https"
    assert found["headers"]["host"] == "isengard.example"


def test_what_a_client_says_behind_a_named_proxy_is_not_taken_for_its_address() -> None:
    found = seen(proxies=("10.0.0.0/8",), client="10.0.0.3", headers={"X-Forwarded-For": "127.0.0.1, 198.51.100.7"})
    assert found["client"] == "198.51.100.7"


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host"])
def test_a_public_name_is_known_to_be_https(header: str) -> None:
    found = seen(headers={header: "abc-7860.proxy.runpod.net"})
    assert found["scheme"] == "https"
    assert found["headers"]["host"] == "abc-7860.proxy.runpod.net"


def test_a_share_link_matches_by_pattern_and_nothing_else_does() -> None:
    shared = ("https://*.gradio.live",)
    assert seen(urls=shared, headers={"Host": "0123.gradio.live"})["scheme"] == "https"
    assert seen(urls=shared, headers={"Host": "gradio.live.evil.example"})["scheme"] == "http"


@pytest.mark.parametrize(
    ("authority", "name"),
    [
        ("Localhost:7860", "localhost"),
        ("[::1]:7860", "::1"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1@evil.example", ""),
        ("127.0.0.1/evil", ""),
        ("[", ""),
        ("", ""),
    ],
)
def test_names_are_read_strictly(authority: str, name: str) -> None:
    assert host_name(authority) == name
