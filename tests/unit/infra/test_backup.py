"""Backups: only what changed, whole while the volume changes, checked, and restored as they were."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from isengard.domain.job import Job
from isengard.domain.request import TrainingRequest
from isengard.errors import BackendOutput, Conflict, NotFound
from isengard.infra import backup
from isengard.infra.backup import BackupStore
from isengard.infra.queue import Queue
from isengard.infra.redis_server import EmbeddedServer
from isengard.infra.storage import Storage


@pytest.fixture
def store(tmp_path: Path) -> BackupStore:
    return BackupStore(tmp_path / "backups")


@pytest.fixture
def filled(storage: Storage) -> Storage:
    """A volume with a character of two pictures, a LoRA, a job's pictures, and what no backup needs."""
    storage.write_json(storage.character("char-1"), {"id": "char-1"})
    storage.write_json(storage.dataset_metadata("char-1"), {"images": ["a", "b"]})
    for name in "ab":
        storage.write_bytes(storage.dataset_images("char-1") / f"{name}.png", name.encode() * 1000)
    storage.write_bytes(storage.loras("char-1") / "v1.safetensors", b"weights")
    storage.write_json(storage.outputs("gen-1") / "outputs.json", {"outputs": ["000.png"]})
    storage.write_bytes(storage.outputs("gen-1") / "000.png", b"picture")
    storage.write_bytes(storage.thumb("ab12"), b"thumb")
    storage.write_bytes(storage.models / "big.safetensors", b"model")
    (storage.outputs("gen-1") / ".001.png.host_1.deadbeef.partial").write_bytes(b"half")
    return storage


def contents(root: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.relative_to(root).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


def take(store: BackupStore, storage: Storage, **options: bool) -> backup.Snapshot:
    return store.take(storage, lambda _: None, **options)


def test_what_was_made_comes_back_as_it_was(store: BackupStore, filled: Storage, tmp_path: Path) -> None:
    store.restore(take(store, filled), tmp_path / "restored", lambda _: None)
    before, after = contents(filled.root), contents(tmp_path / "restored")
    left_out = {name for name in before if name.startswith(("cache/", "comfyui/")) or name.endswith(".partial")}
    assert after == {name: content for name, content in before.items() if name not in left_out}
    assert "loras/char-1/v1.safetensors" in after


def test_models_come_along_when_asked_for(store: BackupStore, filled: Storage) -> None:
    names = {entry.path for entry in take(store, filled, with_models=True).entries}
    assert "comfyui/models/big.safetensors" in names


def test_a_second_backup_writes_only_what_changed(
    store: BackupStore, filled: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(store, filled)
    read: list[str] = []
    copied = backup._copied
    monkeypatch.setattr(backup, "_copied", lambda source, target: (read.append(source.name), copied(source, target))[1])
    filled.write_bytes(filled.outputs("gen-1") / "001.png", b"another")
    second = take(store, filled)
    assert [name for name in read if len(name) != 64] == ["001.png"]
    assert len(store.names()) == 2
    store.verify(second.entries)


def test_the_same_content_is_kept_once(store: BackupStore, filled: Storage) -> None:
    filled.write_bytes(filled.outputs("gen-2") / "000.png", b"picture")
    take(store, filled)
    assert len(list(store.folder.glob("objects/*/*"))) < len(store.get().entries)


def test_damage_is_found_and_mended_by_the_next_backup(store: BackupStore, filled: Storage, tmp_path: Path) -> None:
    snapshot = take(store, filled)
    weights = next(entry for entry in snapshot.entries if entry.path.endswith("v1.safetensors"))
    store.place(weights.sha256).write_bytes(b"rot")
    with pytest.raises(BackendOutput, match=r"v1\.safetensors"):
        store.restore(snapshot, tmp_path / "restored", lambda _: None)
    with pytest.raises(BackendOutput, match="damaged"):
        store.verify(snapshot.entries)
    store.verify(take(store, filled).entries)


def test_a_backup_is_never_restored_over_something(store: BackupStore, filled: Storage) -> None:
    with pytest.raises(Conflict, match="not empty"):
        store.restore(take(store, filled), filled.root, lambda _: None)


def test_a_list_that_names_a_file_outside_is_refused(store: BackupStore, filled: Storage, tmp_path: Path) -> None:
    snapshot = take(store, filled)
    evil = backup.Snapshot(snapshot.name, (backup.Entry("../outside", 1, 0, 0o644, snapshot.entries[0].sha256),))
    with pytest.raises(BackendOutput, match="outside"):
        store.restore(evil, tmp_path / "restored", lambda _: None)


def test_old_backups_go_and_their_contents_with_them(store: BackupStore, filled: Storage) -> None:
    take(store, filled)
    (filled.outputs("gen-1") / "000.png").unlink()
    take(store, filled)
    assert store.prune(1) == 1
    store.verify(store.get().entries)
    with pytest.raises(NotFound):
        store.get("2020-01-01T00-00-00.000000Z")


def test_records_and_pictures_fit_each_other_while_they_change(store: BackupStore, filled: Storage) -> None:
    """A character's pictures are exchanged all the time, under its lock, as the app does it."""
    begun, ending = threading.Event(), threading.Event()

    def change() -> None:
        for number in range(10_000):
            if ending.is_set():
                return
            with filled.locked("char-1"):
                folder = filled.dataset_images("char-1")
                new = f"{number}.png"
                filled.write_bytes(folder / new, os.urandom(100))
                filled.write_json(filled.dataset_metadata("char-1"), {"images": [new]})
                for path in folder.glob("*.png"):
                    if path.name != new:
                        path.unlink()
            begun.set()

    changer = threading.Thread(target=change)
    changer.start()
    assert begun.wait(20)
    try:
        for _ in range(5):
            snapshot = take(store, filled)
            pictures = [
                e.path.rsplit("/", 1)[1] for e in snapshot.entries if e.path.startswith("datasets/char-1/images")
            ]
            record = next(e for e in snapshot.entries if e.path == "datasets/char-1/metadata.json")
            assert f'"{pictures[0]}"' in store.place(record.sha256).read_text()
            assert len(pictures) == 1
    finally:
        ending.set()
        changer.join()


def test_the_queue_comes_back_though_it_was_written_to(store: BackupStore, filled: Storage, tmp_path: Path) -> None:
    server = EmbeddedServer(filled.redis_dir)
    server.start()
    queue = Queue(server.url)
    jobs = [queue.submit(Job.of(TrainingRequest(character_id="char-1"), "corr-1")) for _ in range(20)]
    queue._redis.execute_command("WAITAOF", 1, 0, 5000)  # on the disk: the server may hold writes back for 2 s
    ending = threading.Event()

    def write() -> None:
        while not ending.is_set():
            queue.submit(Job.of(TrainingRequest(character_id="char-1"), "corr-1"))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        snapshot = take(store, filled)
    finally:
        ending.set()
        writer.join()
        queue.close()
        server.stop()
    store.restore(snapshot, tmp_path / "restored", lambda _: None)
    elsewhere = EmbeddedServer(Storage(tmp_path / "restored").redis_dir)
    elsewhere.start()
    restored = Queue(elsewhere.url)
    assert [restored.find(job.id) for job in jobs] == jobs
    restored.close()
    elsewhere.stop()
