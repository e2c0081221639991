"""The volume: whole files or nothing, and no path that leaves it."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from isengard.errors import DiskFull, IsengardError, NotFound, ReadOnlyVolume
from isengard.infra import leftovers
from isengard.infra.storage import Storage

KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from isengard.infra.storage import Storage
storage = Storage(Path(sys.argv[1]))
with storage.writing(storage.character("char-1")) as partial:
    partial.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def everything(storage: Storage) -> set[str]:
    return {p.relative_to(storage.root).as_posix() for p in storage.root.rglob("*") if p.is_file()}


# --- whole or nothing ------------------------------------------------------------------------


def test_what_is_written_is_there_with_its_folders(storage: Storage) -> None:
    storage.write_json(storage.dataset_metadata("char-1"), {"name": "Zoë"})
    assert storage.dataset_metadata("char-1").read_text(encoding="utf-8") == '{\n "name": "Zoë"\n}'
    assert everything(storage) == {"datasets/char-1/metadata.json"}


def test_an_error_while_writing_leaves_the_old_file_and_no_trace(storage: Storage) -> None:
    target = storage.character("char-1")
    storage.write_bytes(target, b"old")

    def break_off() -> None:
        with storage.writing(target) as partial:
            partial.write_bytes(b"half of the n")
            raise ValueError("changed my mind")

    with pytest.raises(ValueError, match="changed my mind"):
        break_off()
    assert target.read_bytes() == b"old"
    assert everything(storage) == {"characters/char-1.json"}


def test_a_kill_while_writing_leaves_the_old_file_and_its_leftover_is_swept(storage: Storage) -> None:
    storage.write_bytes(storage.character("char-1"), b"old")
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, str(storage.root)], check=False)
    assert killed.returncode == -9
    assert storage.character("char-1").read_bytes() == b"old"
    assert len(everything(storage)) == 2
    storage.prepare()
    assert everything(storage) == {"characters/char-1.json"}


def test_the_sweep_spares_what_others_still_write(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = storage.uploads("char-1")
    folder.mkdir()
    with monkeypatch.context() as other:
        other.setattr(os, "getpid", os.getppid)  # a process that lives
        living = folder / leftovers.partial_name("a.jpg")
    with monkeypatch.context() as other:
        other.setattr(leftovers.socket, "gethostname", lambda: "other_host.example")
        elsewhere, forgotten = (folder / leftovers.partial_name("b.jpg") for _ in range(2))
    hidden = folder / ".gitkeep"
    for path in (living, elsewhere, forgotten, hidden):
        path.write_bytes(b"x")
    long_ago = time.time() - 2 * leftovers.STALE_SECONDS
    os.utime(forgotten, (long_ago, long_ago))
    storage.prepare()
    assert set(folder.iterdir()) == {living, elsewhere, hidden}


def test_what_comes_in_is_gone_unless_it_was_published(storage: Storage) -> None:
    with storage.incoming() as path:
        path.write_bytes(b"refused")
    with storage.incoming() as path:
        path.write_bytes(b"taken")
        storage.publish(path, storage.loras("char-1") / "v1.safetensors")
    assert everything(storage) == {"loras/char-1/v1.safetensors"}


def test_removing_what_is_not_there_is_no_error(storage: Storage) -> None:
    storage.remove(storage.uploads("char-1"))
    storage.write_bytes(storage.uploads("char-1") / "a.jpg", b"x")
    storage.remove(storage.uploads("char-1"))
    assert everything(storage) == set()


# --- paths -----------------------------------------------------------------------------------

EVIL = ["..", ".", "", "../x", "/etc/passwd", "a/b", "a\\b", "a\0b", "a\n", "A", "a..b", "-a", "x" * 81, "~", "ä"]


@pytest.mark.parametrize("identifier", EVIL, ids=ascii)
@pytest.mark.parametrize("place", ["character", "uploads", "dataset", "dataset_metadata", "work", "thumb"])
def test_an_id_that_is_no_plain_word_never_becomes_a_path(storage: Storage, place: str, identifier: str) -> None:
    with pytest.raises(NotFound):
        getattr(storage, place)(identifier)
    with pytest.raises(NotFound), storage.locked(identifier):
        pytest.fail("it got a lock")
    assert everything(storage) == set()


@pytest.mark.parametrize("relative", ["../x", "a/../../x", "/etc/passwd", "outputs/../..", "outputs/\0", "way-out/x"])
def test_a_stored_path_cannot_leave_the_volume(storage: Storage, tmp_path: Path, relative: str) -> None:
    (tmp_path / "x").write_text("secret")
    (storage.root / "way-out").symlink_to(tmp_path)
    with pytest.raises(NotFound):
        storage.resolve(relative)


def test_a_stored_path_leads_back_to_its_file(storage: Storage) -> None:
    path = storage.outputs("gen-1") / "000.png"
    assert storage.relative(path) == "outputs/gen-1/000.png"
    assert storage.resolve("outputs/gen-1/000.png") == path
    with pytest.raises(NotFound):
        storage.relative(storage.root.parent / "elsewhere")


def test_a_file_of_a_job_is_found_by_its_bare_name_only(storage: Storage, tmp_path: Path) -> None:
    sample = storage.work("train-1") / "samples" / "step-10.png"
    storage.write_bytes(sample, b"x")
    secret = tmp_path / "secret.txt"
    secret.write_text("x")
    (storage.work("train-1") / "link.txt").symlink_to(secret)
    assert storage.work_file("train-1", "step-10.png") == sample
    for name in ("*", "samples/step-10.png", "../train-1/samples/step-10.png", "nothing.png", "link.txt", ""):
        with pytest.raises(NotFound):
            storage.work_file("train-1", name)


# --- a disk that refuses ---------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_told_and_leaves_the_old_file(storage: Storage) -> None:
    target = storage.character("char-1")
    storage.write_bytes(target, b"old")

    def overfill() -> None:
        with storage.writing(target) as partial:
            partial.symlink_to("/dev/full")
            partial.write_bytes(b"new")

    with pytest.raises(DiskFull, match="is full; nothing was changed") as told:
        overfill()
    assert "Delete" in told.value.hint
    assert target.read_bytes() == b"old"
    assert everything(storage) == {"characters/char-1.json"}


@pytest.mark.skipif(not Path("/sys/kernel").exists(), reason="needs a file system that takes no files")
def test_a_read_only_volume_is_told() -> None:
    with pytest.raises(ReadOnlyVolume, match="does not take writes") as told:
        Storage(Path("/sys/kernel/isengard")).prepare()
    assert "VOLUME_ROOT" in told.value.hint


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.EDQUOT, DiskFull), (errno.EROFS, ReadOnlyVolume), (errno.EACCES, ReadOnlyVolume), (errno.EIO, OSError)],
)
def test_each_refusal_of_the_disk_has_its_name(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(kind):
        storage.check_writable()
    assert everything(storage) == set()


def test_room_is_asked_for_before_the_work(storage: Storage) -> None:
    storage.require_space(0)
    with pytest.raises(DiskFull, match=r"this needs 1000000\.0 GB"):
        storage.require_space(1_000_000)
    with pytest.raises(DiskFull):
        Storage(storage.root, min_free_gb=1_000_000).require_space()


# --- locks -----------------------------------------------------------------------------------


def test_a_lock_keeps_other_threads_out(storage: Storage) -> None:
    counter = storage.root / "counter"
    counter.write_text("0")

    def add() -> None:
        for _ in range(20):
            with storage.locked("char-1"):
                counter.write_text(str(int(counter.read_text()) + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.read_text() == "80"


def test_a_lock_keeps_other_processes_out_and_ends_with_them(storage: Storage, eventually: Callable[..., None]) -> None:
    code = (
        "import sys, time; from pathlib import Path; from isengard.infra.storage import Storage\n"
        "with Storage(Path(sys.argv[1])).locked('char-1'): print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(storage.root)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    entered = threading.Event()

    def enter() -> None:
        with storage.locked("char-1"):
            entered.set()

    threading.Thread(target=enter, daemon=True).start()
    assert not entered.wait(0.2)
    other.kill()
    other.wait()
    eventually(entered.is_set)


def test_one_lock_does_not_stand_in_the_way_of_another(storage: Storage) -> None:
    with storage.locked("char-1"), storage.locked("char-2"):
        assert True


def test_names_of_half_written_files_say_whose_they_are() -> None:
    assert re.match(
        rf"\.v1\.safetensors\..+_{os.getpid()}\.[0-9a-f]{{8}}\.partial\Z", leftovers.partial_name("v1.safetensors")
    )


def test_every_refusal_has_a_hint(storage: Storage) -> None:
    with pytest.raises(IsengardError) as told:
        storage.work_file("train-1", "x")
    assert told.value.hint


def test_unused_locks_are_swept_and_held_ones_never(storage: Storage) -> None:
    folder = storage.cache / "locks"
    past = time.time() - 2 * 86_400
    with storage.locked("held"):
        with storage.locked("unused"):
            pass
        with storage.locked("young"):
            pass
        for name in ("held", "unused"):
            os.utime(folder / name, (past, past))
        storage.sweep_locks()
        assert {path.name for path in folder.iterdir()} == {"held", "young"}


def test_a_lock_excludes_others_though_it_is_swept_while_they_wait(storage: Storage) -> None:
    inside = counted = 0

    def count() -> None:
        nonlocal inside, counted
        for _ in range(50):
            with storage.locked("one"):
                inside += 1
                assert inside == 1
                counted += 1
                inside -= 1
                (storage.cache / "locks" / "one").unlink()  # as a sweeper does that holds it, last of all

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted == 200
