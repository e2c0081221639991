"""The handler of generations: every picture is kept as it comes, and an attempt that repeats makes only the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from isengard.domain.base_model import BaseModelRow
from isengard.domain.event import Completed, Picture, PluginEvent
from isengard.domain.job import Job
from isengard.domain.lease import GpuLease, Needs, Stop
from isengard.domain.request import GenerationRequest, Grid, GridAxis
from isengard.errors import BackendCrashed, BackendOutput
from isengard.infra.gpu import Arbiter
from isengard.infra.library import CharacterShelf, InputShelf, LoraShelf, OutputShelf
from isengard.infra.sota import Registry
from isengard.infra.storage import Storage
from isengard.plugins.protocols import BackendStatus, ImageRun
from isengard.plugins.registry import Plugins
from isengard.workers.generate_images import GenerateImages
from isengard.workers.likeness import Likeness


class Gradients:
    """A backend that draws a gradient by the seed, and fails where it is told to."""

    name = "gradients"

    def __init__(self) -> None:
        self.drawn: list[int] = []
        self.fails_at: int | None = None
        self.forgets: Sequence[int] = ()

    def status(self) -> BackendStatus:
        return BackendStatus(self.name, "image", available=True)

    def supports(self, _base: BaseModelRow) -> bool:
        return True

    def needs(self, _request: GenerationRequest, _base: BaseModelRow) -> Needs:
        return Needs()

    def generate(self, run: ImageRun, _lease: GpuLease) -> Iterator[PluginEvent]:
        for shot in run.shots:
            if shot.index == self.fails_at:
                raise BackendCrashed("It ended.", "It is started anew.")
            if shot.index in self.forgets:
                continue
            self.drawn.append(shot.index)
            path = run.work_dir / f"{shot.index}.png"
            seed = shot.request.seed or 0
            Image.linear_gradient("L").resize((64, 48)).point(lambda v, seed=seed: (v + seed) % 256).save(path)
            yield Picture(index=shot.index, path=str(path), seed=seed, width=64, height=48)


@pytest.fixture
def backend() -> Gradients:
    return Gradients()


@pytest.fixture
def shelf(storage: Storage) -> OutputShelf:
    return OutputShelf(storage)


@pytest.fixture
def generate(
    storage: Storage, shelf: OutputShelf, backend: Gradients, project_root: Path
) -> Callable[[Job], Completed]:
    plugins = Plugins(image=[backend])  # type: ignore[list-item]  # what the handler asks of a backend
    registry = Registry(project_root / "sota" / "registry.yml", project_root, storage.models)
    handler = GenerateImages(
        storage=storage,
        loras=LoraShelf(storage),
        outputs=shelf,
        inputs=InputShelf(storage, shelf),
        registry=registry,
        plugins=plugins,
        arbiter=Arbiter(None, 4.0, lambda: None),
        likeness=Likeness(storage, CharacterShelf(storage), plugins),
    )
    return lambda job: handler(job, lambda _event: None, Stop())


def job_of(**request: Any) -> Job:
    return Job.of(GenerationRequest(prompt="a cat", base_model="pocket", seed=7, steps=4, **request), "corr-1")


def test_an_attempt_that_repeats_makes_only_what_is_missing(
    generate: Callable[[Job], Completed], backend: Gradients, shelf: OutputShelf
) -> None:
    job = job_of(count=4)
    backend.fails_at = 2
    with pytest.raises(BackendCrashed):
        generate(job)
    assert [output.seed for output in shelf.of_job(job.id)] == [7, 8]  # kept although the attempt failed
    backend.fails_at = None
    ending = generate(job)
    assert backend.drawn == [0, 1, 2, 3]
    assert [output.seed for output in ending.outputs] == [7, 8, 9, 10]
    assert shelf.of_job(job.id) == list(ending.outputs)


def test_a_picture_that_never_came_is_a_failure_that_names_the_count(
    generate: Callable[[Job], Completed], backend: Gradients, shelf: OutputShelf
) -> None:
    job = job_of(count=3)
    backend.forgets = [1]
    with pytest.raises(BackendOutput, match="2 of 3 pictures"):
        generate(job)
    assert len(shelf.of_job(job.id)) == 2


def test_each_picture_says_how_to_make_it_again(generate: Callable[[Job], Completed], storage: Storage) -> None:
    ending = generate(job_of(prompts=("a cat", "a dog"), count=2))
    assert [output.prompt for output in ending.outputs] == ["a cat", "a dog"]
    again = [GenerationRequest.model_validate(output.settings) for output in ending.outputs]
    assert [(one.prompt, one.seed, one.count, one.prompts) for one in again] == [
        ("a cat", 7, 1, ()),
        ("a dog", 8, 1, ()),
    ]
    with Image.open(storage.resolve(ending.outputs[1].path)) as picture:
        assert picture.info["parameters"].startswith("a dog\n")


def test_a_grid_knows_its_cells_and_is_drawn_as_one_picture(
    generate: Callable[[Job], Completed], shelf: OutputShelf, storage: Storage
) -> None:
    grid = Grid(x=GridAxis(field="steps", values=(4, 8, 12)), y=GridAxis(field="guidance_scale", values=(1.0, 2.0)))
    job = job_of(grid=grid)
    ending = generate(job)
    assert [output.cell for output in ending.outputs] == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)]
    assert {output.seed for output in ending.outputs} == {7}
    assert [(o.settings["steps"], o.settings["guidance_scale"]) for o in ending.outputs][3:] == [
        (4, 2.0),
        (8, 2.0),
        (12, 2.0),
    ]
    assert shelf.grid(job.id) == grid
    with Image.open(storage.grid(job.id)) as page:
        assert page.width > 3 * 64
        assert page.height > 2 * 48


def test_deleting_one_picture_of_a_grid_keeps_the_grid(
    generate: Callable[[Job], Completed], shelf: OutputShelf
) -> None:
    grid = Grid(x=GridAxis(field="seed", values=(1, 2)))
    job = job_of(grid=grid)
    ending = generate(job)
    shelf.delete(ending.outputs[0])
    assert shelf.grid(job.id) == grid
    assert [output.seed for output in shelf.of_job(job.id)] == [2]
