"""An expansion from references to sorted pictures: dry runs of the real pipeline, with the real face analyser."""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from isengard.build import build_house
from isengard.config import Settings
from isengard.domain.character import Character, NewCharacter
from isengard.domain.event import JobEvent
from isengard.domain.job import Job
from isengard.domain.lease import Stop
from isengard.domain.synthetic import Manifest, SyntheticConfig, SyntheticRequest
from isengard.errors import Cancelled, Conflict, NotFound
from isengard.infra.redis_server import EmbeddedServer
from isengard.services.datasets import Upload
from isengard.services.house import Isengard
from isengard.workers.expand_dataset import ExpandDataset

REFERENCES = (1, 2, 3, 4, 8)


@pytest.fixture
def house(server: EmbeddedServer, tmp_path: Path) -> Iterator[Isengard]:
    settings = Settings(
        volume_root=tmp_path / "volume",
        redis_url=server.url,
        redis_prefix=f"test-{uuid.uuid4().hex[:8]}",
        min_free_disk_gb=0,
        memory_budget_gb=16,
    )
    made, runtime = build_house(settings)
    runtime.storage.prepare()
    runtime.queue.group.prepare()
    yield made
    runtime.queue.close()


@pytest.fixture
def zuri(house: Isengard, project_root: Path) -> Character:
    """A drawn character with five pictures."""
    character = house.characters.create(NewCharacter(name="Zuri", trigger_word="zuvra person"))
    sample = project_root / "isengard" / "sample"
    for number in REFERENCES:
        for suffix in ("jpg", "txt"):
            path = sample / f"zuri-{number:02d}.{suffix}"
            house.datasets.add(character.id, [Upload(path.name, path.read_bytes())])
    return house.characters.get(character.id)


@pytest.fixture
def expand(house: Isengard) -> Callable[..., str]:
    """Run an expansion in this thread; returns what its job says at the end."""
    synthetic = house.synthetic
    handler = ExpandDataset(
        house.jobs.storage, synthetic.characters, synthetic.shelf, synthetic.plugins, synthetic.sources
    )

    def run(
        character: Character, on_event: Callable[[JobEvent], Any] = print, stop: Stop | None = None, **config: Any
    ) -> str:
        filled = synthetic.filled(SyntheticConfig(dry_run=True, **config))
        job = Job.of(SyntheticRequest(character_id=character.id, config=filled), "corr-1")
        return handler(job, on_event, stop or Stop()).message

    return run


def manifest_of(house: Isengard, character: Character) -> Manifest:
    return house.synthetic.shelf.manifest(character.id)


def folder(house: Isengard, character: Character, name: str) -> set[str]:
    return {path.name for path in (house.jobs.storage.synthetic(character.id) / name).glob("*.png")}


def test_a_dry_run_fills_the_folders_as_its_manifest_says(
    house: Isengard, zuri: Character, expand: Callable[..., str]
) -> None:
    said = expand(zuri, target_count=10)
    manifest = manifest_of(house, zuri)
    assert said.startswith("10 of 10 accepted")
    assert len(manifest.runs) == 1
    assert len(manifest.runs[0].references) == 5
    for picture in manifest.pictures:
        scores = picture.scores
        good = scores.faces == 1 and (scores.similarity or 0) >= 0.7 and (scores.sharpness or 0) >= 0.3
        assert good or not picture.passed
        assert "zuvra person" in picture.caption
        assert hashlib.sha256(house.synthetic.shelf.path(zuri.id, picture).read_bytes()).hexdigest() == picture.sha256
    passed = {picture.filename for picture in manifest.pictures if picture.passed}
    assert folder(house, zuri, "images") == passed
    assert folder(house, zuri, "rejected") == {picture.filename for picture in manifest.pictures} - passed
    assert len(passed) == 10


def test_the_same_seed_gives_the_same_manifest_and_another_one_does_not(
    house: Isengard, zuri: Character, expand: Callable[..., str]
) -> None:
    path = house.synthetic.shelf.record(zuri.id)
    expand(zuri, target_count=4)
    first = path.read_bytes()
    expand(zuri, target_count=4)
    assert path.read_bytes() == first, "what is there already is not made again"
    house.synthetic.clear(zuri.id)
    expand(zuri, target_count=4)
    assert path.read_bytes() == first
    house.synthetic.clear(zuri.id)
    expand(zuri, target_count=4, seed_start=7)
    assert {one["id"] for one in json.loads(path.read_bytes())["pictures"]}.isdisjoint(
        {one["id"] for one in json.loads(first)["pictures"]}
    )


def test_cancelled_midway_it_keeps_what_was_made_and_goes_on_from_there(
    house: Isengard, zuri: Character, expand: Callable[..., str]
) -> None:
    stop = Stop(cancel=threading.Event())

    def after_two(_event: JobEvent) -> None:
        if len(manifest_of(house, zuri).pictures) >= 2:
            stop.cancel.set()

    with pytest.raises(Cancelled):
        expand(zuri, after_two, stop, target_count=5)
    kept = {one.id: one for one in manifest_of(house, zuri).pictures}
    assert len(kept) == 2
    assert expand(zuri, target_count=5).startswith("5 of 5 accepted")
    after = manifest_of(house, zuri)
    assert {one.id: one for one in after.pictures if one.id in kept} == kept
    assert len({one.id for one in after.pictures}) == len(after.pictures)


def test_a_bounded_number_of_tries_ends_it_and_it_says_so(
    house: Isengard, zuri: Character, expand: Callable[..., str]
) -> None:
    said = expand(zuri, target_count=2, max_attempts=2, min_sharpness=1.0)
    assert said.startswith("0 of 2 accepted, 4 made: the limit of 2 tries for each is used up, most were: ")
    assert manifest_of(house, zuri).counts["rejected"] == 4


def test_thresholds_and_decisions_move_files_without_new_pictures(
    house: Isengard, zuri: Character, expand: Callable[..., str]
) -> None:
    expand(zuri, target_count=3)
    made = {one.id for one in manifest_of(house, zuri).pictures}
    assert house.synthetic.adjust(zuri.id, {"min_sharpness": 1.0}).counts["passed"] == 0
    assert folder(house, zuri, "images") == set()
    chosen = min(made)
    shown = house.synthetic.decide(zuri.id, chosen, "keep")
    assert shown.counts["passed"] == shown.counts["kept_by_hand"] == 1
    assert folder(house, zuri, "images") == {f"{chosen}.png"}
    loose = house.synthetic.adjust(zuri.id, {"min_sharpness": 0.3})
    assert {one.id for one in loose.pictures} == made
    assert loose.counts["passed"] >= 3
    rejected = house.synthetic.decide(zuri.id, chosen, "reject")
    assert rejected.counts["passed"] == loose.counts["passed"] - 1
    expand(zuri, target_count=3)
    assert next(one for one in manifest_of(house, zuri).pictures if one.id == chosen).decision == "reject"


def test_pictures_without_one_clear_face_are_no_references(
    house: Isengard, expand: Callable[..., str], encoded: Callable[..., bytes]
) -> None:
    nobody = house.characters.create(NewCharacter(name="Nobody", trigger_word="nbdy person"))
    house.datasets.add(nobody.id, [Upload("wall.jpg", encoded())])
    with pytest.raises(Conflict, match="exactly one clear face"):
        expand(nobody)


def test_what_is_held_out_is_no_reference_and_neither_is_what_is_synthetic(
    house: Isengard, zuri: Character, expand: Callable[..., str]
) -> None:
    held = house.datasets.images(zuri.id).items[0]
    house.datasets.hold_out(zuri.id, [held.id], held_out=True)
    expand(zuri, target_count=2)
    manifest = manifest_of(house, zuri)
    used = {one.id for one in manifest.runs[0].references}
    assert len(used) == 4
    assert held.id not in used | set(manifest.runs[0].unused)
    assert held.id not in {one.reference for one in manifest.pictures}
    assert house.synthetic.use(zuri.id).added == manifest.counts["passed"]
    expand(zuri, target_count=2, seed_start=7)
    assert {one.id for one in manifest_of(house, zuri).runs[1].references} == used


def test_pictures_taken_for_training_have_caption_and_origin_and_can_be_undone(
    house: Isengard, zuri: Character, expand: Callable[..., str]
) -> None:
    expand(zuri, target_count=3)
    passed = [one for one in manifest_of(house, zuri).pictures if one.passed]
    assert house.synthetic.use(zuri.id).model_dump() == {"added": 3, "already_there": 0}
    taken = [image for image in house.datasets.images(zuri.id).items if image.source == "synthetic"]
    assert {(image.sha256, image.caption) for image in taken} == {(one.sha256, one.caption) for one in passed}
    assert house.synthetic.use(zuri.id).model_dump() == {"added": 0, "already_there": 3}
    assert all(one.in_dataset for one in house.synthetic.look(zuri.id).pictures if one.passed)
    house.datasets.undo(zuri.id)
    assert len(house.datasets.images(zuri.id).items) == len(REFERENCES)
    assert not any(one.in_dataset for one in house.synthetic.look(zuri.id).pictures)


def test_one_expansion_of_a_character_at_a_time(house: Isengard, zuri: Character) -> None:
    job = house.synthetic.submit(zuri.id, SyntheticConfig(dry_run=True))
    assert house.synthetic.submit(zuri.id, SyntheticConfig(dry_run=True)).id == job.id, "the same, asked for twice"
    with pytest.raises(Conflict, match="already"):
        house.synthetic.submit(zuri.id, SyntheticConfig(dry_run=True, seed_start=7))
    assert house.synthetic.look(zuri.id).job == job
    with pytest.raises(Conflict):
        house.synthetic.clear(zuri.id)


def test_a_character_that_is_deleted_meanwhile_leaves_nothing_behind(
    house: Isengard, zuri: Character, expand: Callable[..., str]
) -> None:
    def delete(_event: JobEvent) -> None:
        if manifest_of(house, zuri).pictures:
            house.characters.delete(zuri.id)

    with pytest.raises(NotFound):
        expand(zuri, delete, target_count=4)
    assert not house.jobs.storage.synthetic(zuri.id).exists()


def test_what_clean_up_took_is_made_again_but_a_persons_word_stays(
    house: Isengard, zuri: Character, expand: Callable[..., str]
) -> None:
    expand(zuri, target_count=3)
    chosen, other = [one.id for one in manifest_of(house, zuri).pictures if one.passed][:2]
    house.synthetic.decide(zuri.id, chosen, "reject")
    house.synthetic.adjust(zuri.id, {"min_sharpness": 1.0})
    house.jobs.storage.remove(house.jobs.storage.synthetic(zuri.id) / "rejected")
    assert house.synthetic.look(zuri.id).pictures == ()
    house.synthetic.adjust(zuri.id, {"min_sharpness": 0.3})
    assert expand(zuri, target_count=3).startswith("3 of 3")
    made = {one.id: one for one in manifest_of(house, zuri).pictures}
    assert made[other].passed
    assert made[chosen].decision == "reject"
    assert chosen not in {one.id for one in house.synthetic.look(zuri.id).pictures}
