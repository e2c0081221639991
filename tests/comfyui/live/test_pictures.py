"""Pictures of every family that the small models stand for, from the real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from isengard.domain.event import Picture, Preview, Progress
from tests.comfyui.live.conftest import Real, apart, pixels

pytestmark = pytest.mark.comfyui

BASES = ("sd15", "sdxl", "flux-dev", "flux-schnell")


@pytest.mark.parametrize("base", BASES)
def test_a_base_model_draws_by_seed_and_prompt(real: Real, base: str) -> None:
    first = real.plain(base)
    assert first.shape == (64, 64, 3)
    assert first.std() > 5
    assert apart(real.draw(base, seed=8), first) > 1
    assert apart(real.draw(base, prompt="a drawing of a house"), first) > 1


@pytest.mark.parametrize("base", ["sd15", "flux-dev"])
def test_the_same_seed_gives_the_same_picture_after_the_server_has_forgotten_all(real: Real, base: str) -> None:
    first = real.plain(base)
    real.session.client.free()
    real.said.clear()
    assert apart(real.draw(base), first) == 0
    assert any("Requested to load" in line for line in real.said), "the models were unloaded before"


def test_a_picture_has_the_size_that_was_asked_for(real: Real) -> None:
    assert real.draw("sd15", width=128, height=64, steps=1).shape == (64, 128, 3)


def test_several_pictures_come_in_order_each_with_its_seed(real: Real) -> None:
    run = real.run("sd15", count=3)
    pictures = [event for event in real.events(run) if isinstance(event, Picture)]
    assert [(one.index, one.seed) for one in pictures] == [(0, 7), (1, 8), (2, 9)]
    drawn = [pixels(Path(one.path)) for one in pictures]
    assert apart(drawn[0], real.plain("sd15")) == 0
    assert apart(drawn[1], drawn[0]) > 1
    assert apart(drawn[2], drawn[1]) > 1


def test_steps_and_previews_are_told_on_the_way(real: Real) -> None:
    run = real.run("sd15", width=128, height=128, steps=24)
    events = real.events(run)
    steps = [event.step for event in events if isinstance(event, Progress) and event.total_steps == 24]
    assert steps == sorted(steps)
    assert steps[-1] == 24
    previews = [event for event in events if isinstance(event, Preview)]
    assert previews
    for preview in previews:
        with Image.open(preview.path) as image:
            image.load()
            assert min(image.size) >= 8


def test_a_picture_carries_its_graph_and_the_editors_workflow(real: Real) -> None:
    run = real.run("sd15", prompt="a photo of zuvra person, smiling")
    [picture] = [event for event in real.events(run) if isinstance(event, Picture)]
    with Image.open(picture.path) as image:
        told = image.info
    graph = json.loads(told["prompt"])
    assert any("smiling" in str(node["inputs"].get("text")) for node in graph.values())
    assert {node["type"] for node in json.loads(told["workflow"])["nodes"]} == {
        node["class_type"] for node in graph.values()
    }
    assert json.loads(told["correlation_id"]) == run.correlation_id


@pytest.mark.parametrize("base", ["sd15", "flux-dev"])
def test_a_picture_can_start_from_another_one(real: Real, base: str, tmp_path: Path) -> None:
    start = tmp_path / "start.png"
    Image.effect_noise((128, 64), 80).convert("RGB").save(start)
    size = {"width": 128, "height": 64}  # as the service takes it from the picture
    drawn = real.draw(base, (), start, denoise=0.5, **size)
    assert drawn.shape == (64, 128, 3)
    other = tmp_path / "other.png"
    Image.linear_gradient("L").resize((128, 64)).convert("RGB").save(other)
    assert apart(real.draw(base, (), other, denoise=0.5, **size), drawn) > 0.1  # equal seeds are equal to the bit


def test_a_picture_can_be_made_larger(real: Real) -> None:
    start = real.path("sd15")
    assert real.draw("sd15", (), start, denoise=0.3, upscale_by=2.0).shape == (128, 128, 3)
