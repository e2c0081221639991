"""The services as the app makes them, on a volume and a key prefix of the test's own; nothing is started."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from isengard.build import build_house
from isengard.config import Settings
from isengard.domain.base import new_id
from isengard.domain.character import Character, NewCharacter
from isengard.domain.lora import Lora
from isengard.infra.redis_server import EmbeddedServer
from isengard.runtime import Runtime
from isengard.services.house import Isengard
from isengard.services.uploads import Upload
from plugins.diffusers.models import unet_shapes


@pytest.fixture
def made(server: EmbeddedServer, tmp_path: Path) -> Iterator[tuple[Isengard, Runtime]]:
    settings = Settings(
        volume_root=tmp_path / "volume",
        redis_url=server.url,
        redis_prefix=f"test-{uuid.uuid4().hex[:8]}",
        max_upload_mb=1,
        min_free_disk_gb=0,
        memory_budget_gb=16,
    )
    house, runtime = build_house(settings)
    runtime.storage.prepare()
    runtime.queue.group.prepare()
    yield house, runtime
    runtime.queue.close()


@pytest.fixture
def house(made: tuple[Isengard, Runtime]) -> Isengard:
    return made[0]


@pytest.fixture
def runtime(made: tuple[Isengard, Runtime]) -> Runtime:
    return made[1]


@pytest.fixture
def zara(house: Isengard) -> Character:
    return house.characters.create(NewCharacter(name="Zara", trigger_word="zvka person", consent="fictional"))


@pytest.fixture
def pictured(house: Isengard, zara: Character, encoded: Callable[..., bytes]) -> Character:
    """Zara with one picture."""
    house.datasets.add(zara.id, [Upload("zara.jpg", encoded())])
    return house.characters.get(zara.id)


@pytest.fixture
def weights(project_root: Path, tmp_path: Path) -> Path:
    """A LoRA file of one pair that fits the pocket model."""
    shapes = unet_shapes(project_root / "plugins" / "diffusers" / "pocket")
    name = next(name for name in sorted(shapes) if name.endswith("to_q.weight"))
    rows, columns = shapes[name]
    stem = f"unet.{name.removesuffix('.weight')}"
    path = tmp_path / "pair.safetensors"
    pair = {f"{stem}.lora_A.weight": np.zeros((4, columns)), f"{stem}.lora_B.weight": np.zeros((rows, 4))}
    save_file({key: value.astype(np.float32) for key, value in pair.items()}, path)
    return path


@pytest.fixture
def shelve(house: Isengard, weights: Path) -> Callable[..., Lora]:
    """Put a LoRA of a character on the shelf, as a training does."""

    def add(character: Character, base_model: str = "pocket") -> Lora:
        names = {"character_id": character.id, "character_name": character.name, "version": ""}
        return house.loras.shelf.add(weights, Lora(id=new_id("lora"), base_model=base_model, **names))

    return add
