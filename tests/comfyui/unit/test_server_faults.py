"""Starting, watching and ending the server: what fails is said plainly, and nothing is tried for ever."""

from __future__ import annotations

import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from comfy_double.process import CHECKOUT, Double, free_port
from comfy_double.studio import Studio

from isengard.domain.event import Progress
from isengard.domain.lease import Stop
from isengard.errors import BackendCrashed, BackendUnavailable, Cancelled, IsengardError
from plugins.comfyui import server


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LONGEST_PAUSE", 0.05)


# --- what is not here ------------------------------------------------------------------------


def test_an_empty_folder_is_a_normal_state_with_one_command_to_fill_it(studio: Studio, tmp_path: Path) -> None:
    studio.options["comfyui_dir"] = str(tmp_path / "empty")
    status = studio.backend.status()
    assert not status.available
    assert "empty" in status.reason
    assert "scripts/setup_backends comfyui" in status.hint


def test_a_missing_environment_is_told(studio: Studio, tmp_path: Path) -> None:
    studio.options["comfyui_python"] = str(tmp_path / "no" / "python")
    status = studio.backend.status()
    assert not status.available
    assert "environment" in status.reason
    assert status.version == "0.33.0"
    with pytest.raises(BackendUnavailable) as caught:
        studio.draw()
    assert caught.value.hint


def test_a_checkout_that_is_too_old_is_told(studio: Studio, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(CHECKOUT, old)
    (old / "comfyui_version.py").write_text('__version__ = "0.2.7"\n')
    studio.options["comfyui_dir"] = str(old)
    status = studio.backend.status()
    assert not status.available
    assert "0.2.7" in status.reason


def test_a_server_of_ones_own_by_url_that_is_away_is_told(studio: Studio) -> None:
    studio.options["comfyui_url"] = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(BackendUnavailable, match="does not answer") as caught:
        studio.draw()
    assert "ISENGARD_COMFYUI_URL" in caught.value.hint


# --- starting --------------------------------------------------------------------------------


def test_a_start_that_fails_says_what_the_server_said_and_is_not_tried_again(studio: Studio) -> None:
    studio.plan.write(
        {"at": "start", "do": "exit", "message": "ModuleNotFoundError: No module named 'torchvision'", "times": 0}
    )
    with pytest.raises(BackendUnavailable, match="No module named 'torchvision'") as caught:
        studio.draw()
    assert "setup_backends" in caught.value.hint
    assert not caught.value.retryable, "a server that never worked will not by itself"
    assert studio.started() == 1


def test_a_server_that_once_worked_is_started_until_it_does_again(studio: Studio) -> None:
    assert len(studio.draw()) == 1
    studio.plan.write({"at": "step", "do": "die"}, {"at": "start", "do": "exit", "message": "busy", "times": 2})
    assert len(studio.draw(seed=77)) == 1
    assert studio.started() == 1 + 3


def test_a_server_that_once_worked_and_never_starts_again_is_told(studio: Studio) -> None:
    assert len(studio.draw()) == 1
    studio.plan.write({"at": "step", "do": "die"}, {"at": "start", "do": "exit", "message": "no disk", "times": 0})
    with pytest.raises(BackendUnavailable, match="no disk") as caught:
        studio.draw(seed=77)
    assert caught.value.retryable
    assert studio.started() <= 1 + server.MOST_CRASHES


def test_a_slow_start_is_waited_for_and_said(studio: Studio) -> None:
    studio.plan.write({"at": "start", "do": "sleep", "seconds": 2})
    events = list(studio.events(studio.run()))
    assert isinstance(events[0], Progress)
    assert "Starting ComfyUI" in events[0].message
    assert studio.started() == 1


def test_a_start_can_be_cancelled(studio: Studio, eventually: Callable[..., None]) -> None:
    studio.plan.write({"at": "start", "do": "sleep", "seconds": 30})
    stop = Stop()
    found: list[Any] = []
    drawing = threading.Thread(target=lambda: found.extend(studio.at_once([studio.run(stop=stop)])))
    drawing.start()
    eventually(lambda: studio.started() == 1)
    stop.cancel.set()
    drawing.join(10)
    assert not drawing.is_alive()
    assert isinstance(found[0], Cancelled)


def test_many_jobs_start_one_server(studio: Studio) -> None:
    studio.plan.write({"at": "start", "do": "sleep", "seconds": 0.5})
    found = studio.at_once([studio.run(seed=n) for n in range(6)])
    assert [len(files) if isinstance(files, list) else files for files in found] == [1] * 6
    assert studio.started() == 1


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on who is no ComfyUI."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield int(listening.getsockname()[1])


def _offered(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    """Let these look free first: somebody was quicker than our server."""
    left = list(ports)
    real = server._free_port
    monkeypatch.setattr(server, "_free_port", lambda: left.pop(0) if left else real())


def test_a_taken_port_is_left_for_another(studio: Studio, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _offered(monkeypatch, taken)
    monkeypatch.setattr(server, "_answers", _quick(server._answers))
    assert len(studio.draw()) == 1
    assert studio.started() == 2


def test_a_port_that_stays_taken_is_told(studio: Studio, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _offered(monkeypatch, *[taken] * 20)
    monkeypatch.setattr(server, "_answers", _quick(server._answers))
    with pytest.raises(BackendUnavailable) as caught:
        studio.draw()
    assert "port" in caught.value.message
    assert caught.value.hint


def test_somebody_elses_server_on_our_port_is_not_taken_for_ours(
    studio: Studio, double: Callable[..., Double], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = double()
    _offered(monkeypatch, theirs.port)
    assert len(studio.draw()) == 1
    assert theirs.plan.journal("request", route="POST /prompt") == []


def _quick(answers: Callable[..., bool]) -> Callable[..., bool]:
    """A listener that says nothing would hold the question back for its whole time-out."""
    import httpx

    def ask(url: str, *_: str) -> bool:
        try:
            return httpx.get(f"{url}/system_stats", timeout=0.3, trust_env=False).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    assert answers is not ask
    return ask


# --- crashing --------------------------------------------------------------------------------


def test_a_crash_loop_ends_with_a_plain_message(studio: Studio) -> None:
    studio.plan.write({"at": "step", "do": "die", "times": 0})
    errors: list[IsengardError] = []
    for _ in range(6):
        with pytest.raises(IsengardError) as caught:
            studio.draw()
        errors.append(caught.value)
    assert isinstance(errors[0], BackendCrashed)
    last = errors[-1]
    assert isinstance(last, BackendUnavailable)
    assert f"{server.MOST_CRASHES} times in a row" in last.message or "in a row" in last.message
    assert last.hint
    assert studio.started() <= server.MOST_CRASHES + 1
    before = studio.started()
    with pytest.raises(BackendUnavailable):
        studio.draw()
    assert studio.started() == before, "it is left alone for a while"


def test_after_a_while_a_crashing_server_is_tried_again(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "FORGIVEN_SECONDS", 0.0)
    studio.plan.write({"at": "step", "do": "die", "times": server.MOST_CRASHES})
    results = []
    for _ in range(6):
        try:
            results.append(len(studio.draw()))
        except IsengardError:
            results.append(0)
    assert results[-1] == 1


def test_pictures_between_crashes_forgive_them(studio: Studio) -> None:
    studio.plan.write({"at": "step", "do": "die", "times": 0, "when": {"text": "poison", "step": 1}})
    for turn in range(server.MOST_CRASHES):
        with pytest.raises(BackendCrashed):
            studio.draw(prompt=f"poison {turn}")
        assert len(studio.draw(prompt=f"water {turn}")) == 1


def test_the_wait_before_a_new_start_grows_and_is_bounded(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LONGEST_PAUSE", 16.0)
    stop = Stop()
    stop.cancel.set()
    own = studio.backend._server
    asked: list[bool] = []
    for crashes in range(1, server.MOST_CRASHES):
        own._crashes, own._crashed_at = crashes, server.time.monotonic()
        try:
            own._pause(stop)
            asked.append(False)
        except Cancelled:
            asked.append(True)
    assert asked == [False] + [True] * (server.MOST_CRASHES - 2), "the first crash is answered at once, later ones wait"


# --- idle, memory, log -----------------------------------------------------------------------


def test_an_idle_server_is_ended_and_started_again_on_need(studio: Studio, eventually: Callable[..., None]) -> None:
    studio.idle_seconds = 0.3
    assert len(studio.draw()) == 1
    eventually(lambda: any(line["event"] == "comfyui.ended" for line in studio.said))
    assert not any(line["event"] == "comfyui.crashed" for line in studio.said)
    assert len(studio.draw()) == 1
    assert studio.started() == 2


def test_a_server_at_work_is_not_ended_as_idle(studio: Studio) -> None:
    studio.idle_seconds = 0.3
    studio.plan.write(step_seconds=0.2)
    assert len(studio.draw(steps=10)) == 1
    assert studio.started() == 1


def test_memory_is_given_back_when_it_is_asked_for(studio: Studio) -> None:
    assert len(studio.draw()) == 1
    studio.backend.release()
    freed = studio.plan.journal("free", unload_models=True)
    ended = [line for line in studio.said if line["event"] == "comfyui.ended"]
    assert freed or ended
    assert len(studio.draw()) == 1


def test_what_it_says_is_logged_under_the_run_that_it_speaks_for(
    studio: Studio, eventually: Callable[..., None]
) -> None:
    run = studio.run()
    studio.finish(run)
    eventually(lambda: any("Prompt executed in" in line.get("text", "") for line in list(studio.said)))
    said = [line for line in studio.said if line["event"] == "comfyui.said"]
    texts = [line["text"] for line in said]
    assert any("To see the GUI go to" in text for text in texts)
    assert not any("\x1b" in text or "%|" in text for text in texts), "colours and progress bars are left out"
    ended = next(line for line in said if "Prompt executed in" in line["text"])
    assert ended["correlation_id"] == run.correlation_id


def test_it_ends_with_us(studio: Studio, eventually: Callable[..., None]) -> None:
    assert len(studio.draw()) == 1
    child = studio.backend._server._child
    assert child is not None
    studio.close()
    eventually(lambda: not child.alive)


def test_no_secret_of_ours_reaches_it(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISENGARD_PASSWORD", "s3cret")
    assert len(studio.draw()) == 1
    child = studio.backend._server._child
    assert child is not None
    if sys.platform.startswith("linux"):
        environment = Path(f"/proc/{child.pid}/environ").read_bytes()
        assert b"s3cret" not in environment
