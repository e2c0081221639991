"""Pictures decoded in a child: the same pixels, and nothing that a file does to its decoder reaches the app."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from isengard.domain.dataset import Crop
from isengard.errors import InvalidInput
from isengard.infra import decoder as decoder_module
from isengard.infra.decoder import Decoder
from isengard.infra.pictures import check, upright_png

PHOTOS = Path(__file__).parents[2] / "photos"
RIGHTS = "import sys; sys.path.insert(0, '.'); from isengard.infra import decoder_child as c; c._give_up_rights(); "


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    made = Decoder()
    yield made
    made.close()


@pytest.fixture
def child_that(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda does: monkeypatch.setattr(decoder_module, "COMMAND", [sys.executable, "-c", does])


BEFORE: set[int] = set()


@pytest.fixture(autouse=True)
def _others() -> None:
    """Leave out the children of apps that other tests keep in this process."""
    BEFORE.clear()
    BEFORE.update(one.pid for one in psutil.Process().children())


def children() -> list[psutil.Process]:
    found = [one for one in psutil.Process().children() if one.pid not in BEFORE]
    return [one for one in found if "isengard.infra.decoder_child" in one.cmdline()]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_the_pixels_are_the_same_as_in_this_process(decoder: Decoder, encoded: Callable[..., bytes], form: str) -> None:
    content, crop = encoded(form, (300, 200)), Crop(left=10, top=20, width=100, height=90)
    for wanted in (None, crop):
        here, there = check(content, wanted), decoder.check(content, wanted)
        assert there.image.tobytes() == here.image.tobytes()
        assert (there.suffix, there.width, there.height) == (here.suffix, here.width, here.height)
    assert decoder.upright_png(content) == upright_png(content)


def test_a_refusal_says_what_it_says_in_this_process(decoder: Decoder) -> None:
    for content in (b"", b"hello", (PHOTOS / "hopper.jpg").read_bytes()[:900]):
        with pytest.raises(InvalidInput) as here:
            check(content)
        with pytest.raises(InvalidInput) as there:
            decoder.check(content)
        assert (there.value.message, there.value.hint) == (here.value.message, here.value.hint)


def test_many_threads_share_two_children(decoder: Decoder, encoded: Callable[..., bytes]) -> None:
    contents = [encoded(tint=tint) for tint in range(24)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(decoder.check, contents))
    assert [one.image.tobytes() for one in found] == [check(content).image.tobytes() for content in contents]
    assert 1 <= len(children()) <= 2


@pytest.mark.parametrize(
    "does", ["import os; os.kill(os.getpid(), 11)", "raise SystemExit(3)", "print('nonsense' * 9)"]
)
def test_a_decoder_that_breaks_refuses_the_picture(
    decoder: Decoder, encoded: Callable[..., bytes], child_that: Callable[[str], None], does: str
) -> None:
    child_that(does)
    with pytest.raises(InvalidInput) as told:
        decoder.check(encoded())
    assert told.value.hint


def test_a_decoder_that_hangs_is_ended(
    decoder: Decoder,
    encoded: Callable[..., bytes],
    child_that: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decoder_module, "LIMIT_SECONDS", 0.5)
    child_that("import time; time.sleep(600)")
    with pytest.raises(InvalidInput):
        decoder.check(encoded())


def test_after_a_crash_the_next_picture_is_decoded(decoder: Decoder, encoded: Callable[..., bytes]) -> None:
    decoder.check(encoded())
    (child,) = children()
    child.send_signal(signal.SIGSEGV)
    child.wait(10)
    assert decoder.check(encoded()).suffix == "jpg"


def test_a_child_that_idled_away_is_started_anew(decoder: Decoder, encoded: Callable[..., bytes]) -> None:
    decoder.check(encoded())
    (child,) = children()
    free = decoder._free.get()
    assert free is not None
    assert free._process.stdin is not None
    free._process.stdin.close()  # as at its own end: it leaves with status 0
    child.wait(10)
    read, write = os.pipe()
    os.close(read)
    free._process.stdin = os.fdopen(write, "wb")
    decoder._free.put(free)
    assert decoder.check(encoded()).suffix == "jpg"


def test_children_end_with_the_app(encoded: Callable[..., bytes]) -> None:
    decoder = Decoder()
    decoder.check(encoded())
    (child,) = children()
    decoder.close()
    child.wait(10)


def test_a_child_knows_no_secret(
    decoder: Decoder, encoded: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISENGARD_PASSWORD", "open sesame")
    decoder.check(encoded())
    assert set(children()[0].environ()) <= {"PATH", "LANG", "LC_CTYPE", "MALLOC_ARENA_MAX"}


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("import os; os.write(os.memfd_create('x'), b'x')", "File too large"),
        ("bytearray(3 * 2**30)", "MemoryError"),
        ("[open('/dev/null') for _ in range(100)]", "Too many open files"),
        ("c.CPU_SECONDS = 1; c._allow_cpu(); exec('while True: pass')", ""),
    ],
)
def test_a_child_may_not(does: str, said: str) -> None:
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", RIGHTS + does],
        cwd=PHOTOS.parents[1],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0
    assert said in done.stderr


def test_nothing_waits_for_a_watch_that_is_over(decoder: Decoder, encoded: Callable[..., bytes]) -> None:
    before = set(threading.enumerate())
    decoder.check(encoded())
    for one in set(threading.enumerate()) - before:
        one.join(10)  # far below its own minute
        assert not one.is_alive()
