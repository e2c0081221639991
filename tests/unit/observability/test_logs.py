"""Log files: JSON lines in the plan's fields, a file a day, and never in the way of the work."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest
import structlog

from isengard.observability import configure, correlation_id, job_context, logs, request_context


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    configure(tmp_path / "logs", "DEBUG", console=False)
    return tmp_path / "logs"


def lines(folder: Path, service: str) -> list[dict[str, Any]]:
    path = folder / service / f"{datetime.now(UTC):%Y-%m-%d}.log"
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line, parse_constant=pytest.fail) for line in text[:-1].split("\n")]


def test_a_line_has_the_plan_s_fields_and_no_other(folder: Path) -> None:
    with request_context("api", "corr-1"):
        structlog.get_logger("services.characters").info("character.created", character_id="char-1", count=3)
    (line,) = lines(folder, "api")
    stamp = line.pop("timestamp")
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z", stamp)
    assert line == {
        "level": "INFO",
        "service": "api",
        "correlation_id": "corr-1",
        "logger": "services.characters",
        "message": "character.created",
        "context": {"character_id": "char-1", "count": 3},
    }


def test_each_service_has_its_folder_and_the_worker_takes_the_rest(folder: Path) -> None:
    for service in ("api", "web"):
        with request_context(service):
            structlog.get_logger("x").info("seen", by=service)
    with job_context("corr-9", "train-1"):
        structlog.get_logger("x").info("seen", by="job")
    structlog.get_logger("x").info("seen", by="nobody")
    assert [line["context"]["by"] for line in lines(folder, "api")] == ["api"]
    assert [line["context"]["by"] for line in lines(folder, "web")] == ["web"]
    job, nobody = lines(folder, "worker")
    assert (job["correlation_id"], job["context"]["job_id"]) == ("corr-9", "train-1")
    assert (nobody["service"], nobody["correlation_id"]) == ("worker", "")


def test_other_libraries_lines_are_json_too(folder: Path) -> None:
    logging.getLogger("somebody.else").warning("%s of %s, password=hunter2", 3, 4)
    (line,) = lines(folder, "worker")
    assert (line["level"], line["logger"]) == ("WARNING", "somebody.else")
    assert line["message"] == "3 of 4, password=***"


@pytest.mark.parametrize("library", [False, True])
def test_an_exception_is_kept_whole_but_without_its_secrets(folder: Path, library: bool) -> None:
    log: Any = logging.getLogger("x") if library else structlog.get_logger("x")
    try:
        raise ConnectionError("cannot reach redis://:hunter2@box with hf_abcdef")
    except ConnectionError:
        log.exception("queue.unreachable")
    (line,) = lines(folder, "worker")
    assert "Traceback" in line["context"]["exception"]
    assert "redis://:***@box" in line["context"]["exception"]
    assert "hunter2" not in json.dumps(line)
    assert "abcdef" not in json.dumps(line)


def test_nothing_breaks_a_line(folder: Path) -> None:
    log = structlog.get_logger("x")
    log.info("two\nlines", path=Path("/x"), lone="\ud800", odd=object, nan=float("inf"), text="\u2028\x00")
    log.info("after")
    first, second = lines(folder, "worker")
    assert first["message"] == "two\nlines"
    assert second["message"] == "after"
    assert first["context"]["nan"] == "inf"


def test_a_level_below_the_setting_is_not_written(tmp_path: Path) -> None:
    configure(tmp_path, "WARNING", console=False)
    structlog.get_logger("quiet").info("not.this")
    structlog.get_logger("quiet").warning("this")
    assert [line["message"] for line in lines(tmp_path, "worker")] == ["this"]


def test_lines_of_many_threads_stay_whole(folder: Path) -> None:
    def write(n: int) -> None:
        with job_context(f"corr-{n}", f"train-{n}"):
            for _ in range(50):
                structlog.get_logger("x").info("step", text="x" * 500)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = lines(folder, "worker")
    assert len(written) == 200
    assert all(line["correlation_id"][5:] == line["context"]["job_id"][6:] for line in written)


def test_a_new_day_begins_a_new_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime(2099, 1, 2, tzinfo=tz)

    structlog.get_logger("x").info("today")
    monkeypatch.setattr(logs, "datetime", Tomorrow)
    structlog.get_logger("x").info("tomorrow")
    assert len(list((folder / "worker").iterdir())) == 2
    assert "tomorrow" in (folder / "worker" / "2099-01-02.log").read_text()


def test_a_folder_that_takes_no_lines_is_told_once_and_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    configure(tmp_path / "logs", console=False)
    for _ in range(3):
        structlog.get_logger("x").info("still.here")
    told = capsys.readouterr().err
    assert told.count("Logs cannot be written") == 1
    assert "Traceback" not in told


def test_the_console_shows_the_same_line_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(tmp_path)
    structlog.get_logger("x").info("job.finished", seconds=3, token="abc")
    shown = capsys.readouterr().err
    assert re.search(r"\d\d:\d\d:\d\d INFO {4}job\.finished seconds=3 token=\*\*\*", shown)


@pytest.mark.parametrize("given", ["corr-1", "A.b_c-9", "x" * 80])
def test_a_sane_correlation_id_of_the_caller_is_kept(given: str) -> None:
    with request_context("api", given) as chosen:
        assert chosen == given == correlation_id()


@pytest.mark.parametrize("given", [None, "", "x" * 81, "a b", "a\nb", "../x", "<script>", "é", "-a"])
def test_any_other_correlation_id_is_replaced(given: str | None) -> None:
    with request_context("api", given) as chosen:
        assert chosen.startswith("req-")
        assert chosen == correlation_id()
    assert correlation_id() != chosen


def test_the_sweep_runs_by_itself_at_the_start(tmp_path: Path, eventually: Callable[..., None]) -> None:
    old = tmp_path / "api" / "2020-01-01.log"
    old.parent.mkdir()
    old.write_text("{}\n")
    configure(tmp_path, console=False)
    eventually(lambda: not old.exists())
