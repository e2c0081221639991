"""The door, the log-in and its brake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from isengard.api import problems
from isengard.api.door import Door
from isengard.api.forwarded import Forwarded
from isengard.api.login import COOKIE, SECURE_COOKIE, TRIES, LogIn, router
from isengard.infra.queue import Queue
from isengard.infra.rates import Rates
from isengard.infra.storage import Storage
from isengard.services.owner import Owner
from tests.unit.api.echo import ask, echo

PASSWORD = "speak friend and enter"
HTTPS = {"Host": "me.example"}
Ask = Callable[..., httpx.Response]


@pytest.fixture
def send(storage: Storage, queue: Queue) -> Ask:
    owner = Owner(storage, PASSWORD)
    owner.prepare()
    login = LogIn(owner, Rates(queue))
    api = FastAPI(openapi_url=None)
    problems.install(api)
    api.include_router(router(login))
    api.mount("/", echo)
    app = Forwarded(Door(api, login), (), ["https://me.example"])
    return lambda *told, **more: ask(app, *told, **more)


def enter(send: Ask, password: str = PASSWORD, wanted: str = "/", **more: Any) -> httpx.Response:
    return send("POST", "/login", data={"password": password, "next": wanted}, **more)


@pytest.mark.parametrize(
    "path", ["/", "/config", "/api/jobs", "/metrics", "/health/ready", "/login/", "//login", "/LOGIN"]
)
def test_nothing_is_served_to_strangers(send: Ask, path: str) -> None:
    answer = send("GET", path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["hint"]


def test_a_browser_is_led_to_the_page_and_back(send: Ask) -> None:
    answer = send("GET", "/?tab=image&x=1", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/%3Ftab%3Dimage%26x%3D1"
    page = send("GET", answer.headers["location"])
    assert page.status_code == 200
    assert 'name="next" value="/?tab=image&amp;x=1"' in page.text
    assert "<script" not in page.text
    assert enter(send, wanted="/?tab=image&x=1").headers["location"] == "/?tab=image&x=1"


def test_the_cookie_opens_and_scripts_cannot_read_it(send: Ask) -> None:
    answer = enter(send)
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert send("GET", "/", headers={"Cookie": cookie.partition(";")[0]}).status_code == 200


def test_over_https_the_cookie_is_the_hosts_alone(send: Ask) -> None:
    cookie = enter(send, headers=HTTPS).headers["set-cookie"]
    assert cookie.startswith(f"{SECURE_COOKIE}=")
    assert "Secure" in cookie
    assert "Domain" not in cookie
    assert send("GET", "/", headers={**HTTPS, "Cookie": cookie.partition(";")[0]}).status_code == 200


def test_logging_out_takes_the_cookies_back(send: Ask) -> None:
    session = enter(send).headers["set-cookie"].partition(";")[0]
    answer = send("POST", "/logout", headers={"Cookie": session})
    assert answer.headers["location"] == "/login"
    assert all("Max-Age=0" in cookie for cookie in answer.headers.get_list("set-cookie"))


def test_programs_send_the_password_or_a_token(send: Ask) -> None:
    answer = send("POST", "/api/session", json={"password": PASSWORD})
    assert answer.status_code == 201
    for secret in (PASSWORD, answer.json()["token"]):
        assert send("GET", "/api/jobs", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    for wrong in ("Bearer nonsense", f"Basic {PASSWORD}", "Bearer", PASSWORD):
        assert send("GET", "/api/jobs", headers={"Authorization": wrong}).status_code == 401
    assert send("POST", "/api/session", json={"password": "nonsense"}).status_code == 401


@pytest.mark.parametrize("how", ["page", "session", "bearer"])
def test_guessing_is_braked(send: Ask, how: str) -> None:
    def guess(number: int, client: str = "203.0.113.9", password: str = "") -> httpx.Response:
        secret = password or f"guess {number}"
        if how == "page":
            return enter(send, secret, client=client)
        if how == "session":
            return send("POST", "/api/session", json={"password": secret}, client=client)
        return send("GET", "/api/jobs", headers={"Authorization": f"Bearer {secret}"}, client=client)

    assert {guess(number).status_code for number in range(TRIES)} == {401}
    braked = guess(TRIES)
    assert braked.status_code == 429
    assert "Try again in" in braked.text
    assert guess(0, password=PASSWORD).status_code == 429
    assert guess(0, client="198.51.100.7", password=PASSWORD).status_code in {200, 201, 303}


def test_a_right_password_is_never_braked_once_it_was_seen(send: Ask) -> None:
    right = {"Authorization": f"Bearer {PASSWORD}"}
    assert {send("GET", "/api/jobs", headers=right).status_code for _ in range(TRIES + 5)} == {200}


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "https://evil.example", "/\\evil.example", "/\r\nX: y", "javascript:1", ""]
)
def test_it_leads_nowhere_else(send: Ask, wanted: str) -> None:
    assert enter(send, wanted=wanted).headers["location"] == "/"


def test_what_comes_in_is_escaped(send: Ask) -> None:
    assert "<script>" not in send("GET", '/login?next=/"><script>alert(1)</script>').text
