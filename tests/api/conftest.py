"""A running Isengard of the tests' own, spoken to over HTTP."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from own_app import OwnApp  # noqa: E402 - scripts is no package
from rest import Rest  # noqa: E402

PHOTOS = ROOT / "tests" / "photos"


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnApp]:
    with OwnApp(tmp_path_factory.mktemp("api") / "volume") as running:
        yield running


@pytest.fixture(scope="session")
def rest(app: OwnApp) -> Iterator[Rest]:
    made = Rest(app.url)
    yield made
    made.client.close()


@pytest.fixture(scope="session")
def http(rest: Rest) -> httpx.Client:
    """The bare client, for looking at status codes and headers."""
    return rest.client


@pytest.fixture
def character(rest: Rest) -> dict[str, Any]:
    """A new character with one photograph."""
    made: dict[str, Any] = rest.post("/api/characters", json={"name": "Grace", "trigger_word": "grxce person"})
    upload(rest, made["id"], "hopper.jpg")
    return made


def upload(rest: Rest, character_id: str, *names: str) -> Any:
    """Upload photographs of tests/photos."""
    files = [("files", (name, (PHOTOS / name).read_bytes(), "image/jpeg")) for name in names]
    return rest.post(f"/api/characters/{character_id}/images", files=files)


@pytest.fixture
def train(rest: Rest) -> Callable[..., Any]:
    """Start a training of so many steps."""

    def start(character_id: str, steps: int = 4, **config: Any) -> Any:
        wanted = {"steps": steps, "batch_size": 2, **config}
        return rest.post("/api/training", json={"character_id": character_id, "config": wanted})

    return start
