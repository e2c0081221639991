"""Requests that are too large or too many."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI, Request

from isengard.api import problems
from isengard.api.limits import MB, Limits, Often
from isengard.infra.queue import Queue
from isengard.infra.rates import Rates
from tests.unit.api.echo import ask, echo

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
KINDS = (Often("jobs", re.compile("/api/training"), 3), Often("uploads", re.compile("/api/free"), 0))


@pytest.fixture
def app(queue: Queue) -> Limits:
    return Limits(echo, Rates(queue), KINDS)


async def _endless() -> AsyncIterator[bytes]:
    for _ in range(200):
        yield b"x" * MB


def test_a_told_length_is_refused_before_it_is_read(app: Limits) -> None:
    for path, headers, megabytes in (("/api/jobs", JSON, 2), ("/api/x", FORM, 95), ("/api/loras", FORM, 4200)):
        for more, status in ((0, 200), (1, 413)):
            told = {**headers, "Content-Length": str(megabytes * MB + more)}
            answer = ask(app, "POST", path, headers=told, content=b"")
            assert answer.status_code == status, (path, more)
            assert status == 200 or f"{megabytes} MB" in answer.json()["detail"]


@pytest.mark.parametrize("length", ["-1", "1e3", "many", " 5"])
def test_a_length_that_is_none_is_refused(app: Limits, length: str) -> None:
    assert ask(app, "POST", headers={**JSON, "Content-Length": length}, content=b"").status_code == 413


def test_a_body_without_a_length_is_cut_off(queue: Queue) -> None:
    api = FastAPI()
    problems.install(api)

    @api.post("/api/jobs")
    async def take(request: Request) -> int:
        return len(await request.body())

    answer = ask(Limits(api, Rates(queue), ()), "POST", "/api/jobs", headers=JSON, content=_endless())
    assert answer.status_code == 413
    assert "2 MB" in answer.json()["detail"]


def test_too_many_in_a_minute_are_told_when_to_come_back(app: Limits) -> None:
    answers = [ask(app, "POST", "/api/training", headers=JSON) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert answers[-1].json()["hint"].startswith("Go on in")
    assert ask(app, "GET", "/api/training").status_code == 200


def test_a_limit_of_zero_is_none(app: Limits) -> None:
    assert {ask(app, "POST", "/api/free", headers=JSON).status_code for _ in range(10)} == {200}


def test_without_redis_requests_go_on(tmp_path: object) -> None:
    nowhere = Queue(f"unix://{tmp_path}/none.sock", "test")
    assert ask(Limits(echo, Rates(nowhere), KINDS), "POST", "/api/training", headers=JSON).status_code == 200
