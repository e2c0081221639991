"""Log files by age: plain for 7 days, compressed until the 30th, then gone."""

from __future__ import annotations

import gzip
from datetime import date, timedelta
from pathlib import Path

import pytest

from isengard.observability import retention
from isengard.observability.retention import sweep

TODAY = date(2026, 3, 31)


def log_of(folder: Path, days: int, ending: str = "log") -> Path:
    path = folder / "worker" / f"{TODAY - timedelta(days=days)}.{ending}"
    path.parent.mkdir(exist_ok=True)
    path.write_text("a line\n" * 100)
    return path


@pytest.mark.parametrize("days", [0, 1, 7, -1])
def test_a_week_stays_plain(tmp_path: Path, days: int) -> None:
    path = log_of(tmp_path, days)
    sweep(tmp_path, TODAY)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("days", [8, 30])
def test_after_a_week_a_file_is_compressed_and_loses_nothing(tmp_path: Path, days: int) -> None:
    path = log_of(tmp_path, days)
    for _ in range(2):
        sweep(tmp_path, TODAY)
    (packed,) = path.parent.iterdir()
    assert packed.name == f"{path.name}.gz"
    assert gzip.decompress(packed.read_bytes()).decode() == "a line\n" * 100


@pytest.mark.parametrize("ending", ["log", "log.gz"])
def test_after_30_days_a_file_is_gone(tmp_path: Path, ending: str) -> None:
    path = log_of(tmp_path, 31, ending)
    sweep(tmp_path, TODAY)
    assert not path.exists()


def test_what_is_no_log_of_a_day_is_left_alone_and_in_nobody_s_way(tmp_path: Path) -> None:
    strange = [log_of(tmp_path, 0).with_name(name) for name in ("2020-99-99.log", "notes.log", "2020-01-01.logs")]
    for path in strange:
        path.write_text("x")
    old = log_of(tmp_path, 40)
    sweep(tmp_path, TODAY)
    assert all(path.exists() for path in strange)
    assert not old.exists()


def test_a_file_that_cannot_be_compressed_now_is_kept_for_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubborn, gone = log_of(tmp_path, 10), log_of(tmp_path, 40)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(retention.shutil, "copyfileobj", refuse)
        sweep(tmp_path, TODAY)
    assert stubborn.exists()
    assert not gone.exists()
    sweep(tmp_path, TODAY)
    assert {path.name for path in stubborn.parent.iterdir()} == {f"{stubborn.name}.gz"}
