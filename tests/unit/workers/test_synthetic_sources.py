"""The sources that draw with a model: a quick LoRA trained once, and workflows that take references."""

# ruff: noqa: ARG002 - a socket has arguments that not every backend needs

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from isengard.domain.base_model import BaseModelRow
from isengard.domain.catalogue import Attempt, Sizes, attempts
from isengard.domain.event import Picture, PluginEvent, Progress, Weights
from isengard.domain.lease import GpuLease, Needs
from isengard.domain.lora import Lora
from isengard.domain.request import GenerationRequest, TrainingRequest
from isengard.domain.synthetic import SyntheticConfig
from isengard.errors import BackendOutput, BackendUnavailable
from isengard.infra.gpu import Arbiter
from isengard.infra.library import LoraShelf
from isengard.infra.shots import Catalogues
from isengard.infra.sota import Registry
from isengard.infra.storage import Storage
from isengard.plugins.protocols import Abilities, BackendStatus, ImageRun, TrainingRun, WorkflowChoice
from isengard.plugins.registry import Plugins
from isengard.plugins.sources import ExpansionRun, ReferencePicture
from isengard.workers.by_reference import ByReference
from isengard.workers.proto_lora import ProtoLora


class Trainer:
    """Trains in no time; remembers what it was given."""

    name = "trainer"

    def __init__(self) -> None:
        self.runs: list[TrainingRun] = []
        self.weights = True

    def status(self) -> BackendStatus:
        return BackendStatus(self.name, "training", available=True)

    def supports(self, base_model: BaseModelRow) -> bool:
        return base_model.id == "pocket"

    def defaults(self, request: TrainingRequest, base_model: BaseModelRow) -> TrainingRequest:
        return request.model_copy(update={"config": request.config.model_copy(update={"steps": 7})})

    def needs(self, request: TrainingRequest, base_model: BaseModelRow) -> Needs:
        return Needs()

    def resumable(self, checkpoint: Path) -> bool:
        return True

    def train(self, run: TrainingRun, lease: GpuLease) -> Iterator[PluginEvent]:
        self.runs.append(run)
        yield Progress(message="training")
        if self.weights:
            path = run.work_dir / "weights.safetensors"
            path.write_bytes(b"weights")
            yield Weights(step=7, path=str(path))


class Artist:
    """Draws a flat picture for each shot; remembers what it was given."""

    name = "artist"

    def __init__(self, workflows: Sequence[WorkflowChoice] = ()) -> None:
        self.runs: list[ImageRun] = []
        self.workflows = workflows

    def status(self) -> BackendStatus:
        return BackendStatus(self.name, "image", available=True)

    def supports(self, base_model: BaseModelRow) -> bool:
        return base_model.id == "pocket"

    def abilities(self, base_model: BaseModelRow, workflow: str = "") -> Abilities:
        able = self.workflows if base_model.id == "flux2-klein-4b" else ()
        return Abilities(("euler",), by_reference=able)

    def defaults(self, request: GenerationRequest, base_model: BaseModelRow) -> GenerationRequest:
        return request.model_copy(update={"steps": 3, "width": 64, "height": 64})

    def needs(self, request: GenerationRequest, base_model: BaseModelRow) -> Needs:
        return Needs()

    def generate(self, run: ImageRun, lease: GpuLease) -> Iterator[PluginEvent]:
        self.runs.append(run)
        run.work_dir.mkdir(parents=True, exist_ok=True)
        for shot in run.shots:
            path = run.work_dir / f"{shot.index}.png"
            Image.new("RGB", (64, 64), "teal").save(path)
            yield Picture(index=shot.index, path=str(path), seed=shot.request.seed or 0, width=64, height=64)


@pytest.fixture
def trainer() -> Trainer:
    return Trainer()


@pytest.fixture
def artist() -> Artist:
    return Artist([WorkflowChoice("klein-edit", "Klein", "edit")])


@pytest.fixture
def tools(storage: Storage, project_root: Path, trainer: Trainer, artist: Artist) -> dict[str, Any]:
    plugins = Plugins(training=[trainer], image=[artist])  # type: ignore[list-item]
    return {
        "registry": Registry(project_root / "sota" / "registry.yml", project_root, storage.models),
        "plugins": plugins,
        "arbiter": Arbiter(None, 16, plugins.release_all),
        "catalogues": Catalogues(project_root / "sota" / "shots.yml"),
    }


@pytest.fixture
def quick(storage: Storage, tools: dict[str, Any]) -> ProtoLora:
    return ProtoLora(storage=storage, loras=LoraShelf(storage), **tools)


@pytest.fixture
def run(storage: Storage, tmp_path: Path) -> ExpansionRun:
    references = []
    for number in range(4):
        path = tmp_path / f"reference-{number}.png"
        Image.new("RGB", (64, 64), "red").save(path)
        references.append(ReferencePicture(f"img-{number}", path, f"a photo {number}", (10, 10, 40, 40)))
    config = SyntheticConfig(source="proto_lora", base_model="pocket")
    return ExpansionRun("syn-1", "corr-1", "zvka person", config, references, "hash-1", storage.work("syn-1"))


def planned(source: ProtoLora | ByReference, run: ExpansionRun, wanted: int = 5) -> list[Attempt]:
    sizes = Sizes(wanted=wanted, rounds=1, references=len(run.references))
    return attempts(source.catalogue(run), run.trigger_word, sizes, 42)[0]


def test_the_quick_lora_is_trained_once_on_the_references_and_is_in_no_list(
    quick: ProtoLora, run: ExpansionRun, trainer: Trainer, artist: Artist, storage: Storage
) -> None:
    plan = planned(quick, run)
    assert [one.index for one in quick.draw(run, plan, print)] == [0, 1, 2, 3, 4]
    list(quick.draw(replace(run, job_id="syn-2", work_dir=storage.work("syn-2")), plan, print))
    assert len(trainer.runs) == 1
    assert [item.caption for item in trainer.runs[0].dataset] == [one.caption for one in run.references]
    assert trainer.runs[0].request.config.preset == "quick"
    assert LoraShelf(storage).all() == []
    assert artist.runs[0].loras[0].path == artist.runs[1].loras[0].path
    list(quick.draw(replace(run, references_hash="hash-2"), plan, print))
    assert len(trainer.runs) == 2, "other references, another LoRA"


def test_each_picture_has_its_own_prompt_and_seed(quick: ProtoLora, run: ExpansionRun, artist: Artist) -> None:
    plan = planned(quick, run)
    list(quick.draw(run, plan, print))
    drawn = [(shot.request.prompt, shot.request.seed) for shot in artist.runs[0].shots]
    assert drawn == [(one.prompt, one.seed) for one in plan]
    assert len({seed for _, seed in drawn}) == 5


def test_a_killed_quick_training_goes_on_from_its_checkpoint(
    quick: ProtoLora, run: ExpansionRun, trainer: Trainer
) -> None:
    checkpoint = run.work_dir / "quick" / "checkpoints" / "step-000004"
    checkpoint.mkdir(parents=True)
    list(quick.draw(run, planned(quick, run), print))
    assert trainer.runs[0].resume_from == checkpoint


def test_a_training_that_gives_no_weights_is_no_success(quick: ProtoLora, run: ExpansionRun, trainer: Trainer) -> None:
    trainer.weights = False
    with pytest.raises(BackendOutput):
        list(quick.draw(run, planned(quick, run), print))


def test_a_lora_of_ones_own_is_drawn_with_and_nothing_is_trained(
    quick: ProtoLora, run: ExpansionRun, trainer: Trainer, artist: Artist, storage: Storage, tmp_path: Path
) -> None:
    (tmp_path / "own.safetensors").write_bytes(b"own")
    own = LoraShelf(storage).add(
        tmp_path / "own.safetensors", Lora(id="lora-own", character_id="char-1", version="", base_model="pocket")
    )
    mine = replace(run, config=run.config.model_copy(update={"lora_id": own.id}))
    list(quick.draw(mine, planned(quick, mine), print))
    assert trainer.runs == []
    assert artist.runs[0].loras[0].lora.id == "lora-own"
    assert quick.basis(mine) != quick.basis(run)


def test_a_reference_comes_first_and_two_others_with_it(
    tools: dict[str, Any], run: ExpansionRun, artist: Artist
) -> None:
    edit = ByReference("instruct_edit", "edit", **tools)
    assert edit.status().available
    klein = replace(run, config=SyntheticConfig(source="instruct_edit", base_model="flux2-klein-4b"))
    plan = planned(edit, klein, 6)
    made = {picture.index for picture in edit.draw(klein, plan, print)}
    assert made == {one.index for one in plan}
    places = {shot.index: run for run in artist.runs for shot in run.shots}
    for one in plan:
        drawn = places[one.index]
        assert drawn.references[0] == run.references[one.reference].image
        assert len(set(drawn.references)) == 3
        request = next(shot.request for shot in drawn.shots if shot.index == one.index)
        assert request.workflow == "klein-edit"
        assert request.prompt == one.instruction
        assert "same person" in request.prompt


def test_without_a_workflow_it_says_what_to_do(tools: dict[str, Any], run: ExpansionRun, artist: Artist) -> None:
    artist.workflows = ()
    for name, task in (("instruct_edit", "edit"), ("face_adapter", "face_adapter")):
        source = ByReference(name, task, **tools)  # type: ignore[arg-type]
        assert not source.status().available
        assert source.status().hint
        with pytest.raises(BackendUnavailable):
            source.catalogue(replace(run, config=SyntheticConfig(source="instruct_edit")))
