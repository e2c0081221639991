"""The real server: what its nodes take, its death in the middle of a picture, and how it gives memory back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest

from isengard.domain.event import Picture, Progress
from isengard.errors import BackendUnavailable, InvalidInput
from plugins.comfyui.graph import Values, build
from plugins.comfyui.markers import FILES
from plugins.comfyui.signatures import check, compact
from plugins.comfyui.workflows import Workflow, Workflows
from tests.comfyui import lora_files as files
from tests.comfyui.live.conftest import LEASE, Real, apart, pixels

pytestmark = pytest.mark.comfyui

WORKFLOWS = Workflows().all()
# What 0.3.75 does not have yet: there the picture is refused with these words.
LATER = {"qwen-image-edit": "reference_latents_method is 'index_timestep_zero', which is none of"}


def graph_of(workflow: Workflow) -> dict[str, Any]:
    values = Values(
        prompt="a photo",
        filename_prefix="a",
        seed=1,
        loras=((files.SD15, 1.0), (files.SD15_TEXT, 0.5)),
        images=("start.png", "second.png", "third.png"),
        sampler=workflow.defaults.get("sampler", "euler"),
        scheduler=workflow.defaults.get("scheduler", "simple"),
        files=dict.fromkeys(FILES, "model.safetensors"),
    )
    return build(workflow, values)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=[workflow.id for workflow in WORKFLOWS])
def test_the_server_has_all_that_a_workflow_uses(real: Real, workflow: Workflow) -> None:
    """Names of model files aside: most of them are not here."""
    graph = graph_of(workflow)
    live = real.session.signatures()
    missing = {node["class_type"] for node in graph.values()} - live.keys()
    assert not missing
    found = check(graph, compact(live, list({node["class_type"] for node in graph.values()})))
    if workflow.id in LATER and real.images._place.version == (0, 3, 75):
        assert found
        assert all(LATER[workflow.id] in complaint for complaint in found)
    else:
        assert found == []


def test_a_workflow_of_ones_own_draws_and_a_wrong_one_is_refused_in_plain_words(real: Real) -> None:
    folder = real.images.workflows.folders[False]
    assert folder is not None
    folder.mkdir(exist_ok=True)
    own = Path(__file__).with_name("own-workflow.json").read_text(encoding="utf-8")
    (folder / "mine.json").write_text(own)
    (folder / "odd.json").write_text(own.replace('"VAEDecode"', '"NoSuchNode"'))
    assert apart(real.draw("sd15", workflow="mine"), real.plain("sd15")) == 0
    with pytest.raises(InvalidInput, match="NoSuchNode"):
        real.draw("sd15", workflow="odd")


def test_a_missing_model_file_is_named(real: Real) -> None:
    row = real.rows["sd15"].model_copy(update={"comfyui": {"CHECKPOINT": "checkpoints/not-here.safetensors"}})
    assert not real.images.supports(row)
    real.rows["gone"] = row
    with pytest.raises(BackendUnavailable, match=r"not-here\.safetensors"):
        real.draw("gone")


def test_a_picture_comes_though_its_server_is_killed_meanwhile(real: Real) -> None:
    run = real.run("sd15", seed=60, steps=12)
    killed: list[int] = []
    pictures = []
    for event in real.images.generate(run, LEASE):
        if isinstance(event, Progress) and event.step >= 3 and not killed:
            killed.append(server(real).pid)
            psutil.Process(killed[0]).kill()
        if isinstance(event, Picture):
            pictures.append(event)
    assert killed
    assert server(real).pid != killed[0]
    real.session.client.free()  # so that the next one is really drawn again
    expected = real.draw("sd15", seed=60, steps=12)
    assert [apart(pixels(Path(one.path)), expected) for one in pictures] == [0]


def test_an_idle_server_gives_its_memory_back_and_draws_again(real: Real) -> None:
    real.draw("sd15")
    pid = server(real).pid
    assert real.images.resident() == LEASE.needs
    real.images.release()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert apart(real.draw("sd15"), real.plain("sd15")) == 0


def server(real: Real) -> psutil.Process:
    child = real.images._server._child
    assert child is not None
    return psutil.Process(child.pid)
