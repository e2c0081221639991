"""What the unit tests stand on: a real Valkey of our own, a volume, pictures, and a way to wait."""

from __future__ import annotations

import io
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from isengard.infra import hub as hub_module
from isengard.infra.hub import Hub
from isengard.infra.queue import Queue
from isengard.infra.redis_server import EmbeddedServer
from isengard.infra.storage import Storage


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """One server for all tests; each test has a key prefix of its own."""
    server = EmbeddedServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def queue(server: EmbeddedServer) -> Iterator[Queue]:
    queue = Queue(server.url, f"test-{uuid.uuid4().hex[:8]}")
    queue.group.prepare()
    yield queue
    queue.close()


@pytest.fixture
def hub(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(hub_module, "WAIT_SECONDS", 0.05)
    hub = Hub(queue)
    hub.start()
    assert hub.connected.wait(10)
    yield hub
    hub.stop()


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    storage = Storage(tmp_path / "volume")
    storage.prepare()
    return storage


@pytest.fixture(scope="session")
def eventually() -> Callable[..., None]:
    """Wait until a condition holds; the limit is for a loaded machine, not a promise."""

    def wait(condition: Callable[[], object], seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not so after {seconds} s"
            time.sleep(0.02)

    return wait


@pytest.fixture(scope="session")
def encoded() -> Callable[..., bytes]:
    """Make the bytes of a picture; its colours differ with ``tint``, so that no two are the same file."""

    def encode(form: str = "JPEG", size: tuple[int, int] = (96, 80), tint: int = 0, **options: object) -> bytes:
        image = Image.linear_gradient("L").resize(size)
        picture = Image.merge("RGB", (image, Image.new("L", size, tint % 256), Image.new("L", size, 128)))
        buffer = io.BytesIO()
        picture.save(buffer, form, **options)
        return buffer.getvalue()

    return encode
