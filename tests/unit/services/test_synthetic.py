"""Which source and base model an expansion takes, and what is refused before there is a job."""

from __future__ import annotations

import pytest

from isengard.domain.base_model import BaseModelRow
from isengard.domain.character import Character
from isengard.domain.synthetic import SyntheticConfig
from isengard.errors import BackendUnavailable, Conflict, NotFound
from isengard.plugins.protocols import Abilities, BackendStatus, WorkflowChoice
from isengard.services.house import Isengard


class Editor:
    """An image backend that edits with two models, and draws with none."""

    name = "editor"

    def status(self) -> BackendStatus:
        return BackendStatus(self.name, "image", available=True)

    def supports(self, _base_model: BaseModelRow) -> bool:
        return False

    def abilities(self, base_model: BaseModelRow, _workflow: str = "") -> Abilities:
        able = base_model.id in {"flux2-klein-9b", "flux2-klein-4b"}
        return Abilities((), by_reference=[WorkflowChoice("edit", "Edit", "edit")] if able else [])


def test_auto_takes_the_best_that_works_here(house: Isengard) -> None:
    filled = house.synthetic.filled(SyntheticConfig())
    assert (filled.source, filled.base_model) == ("proto_lora", "pocket")
    assert house.synthetic.filled(SyntheticConfig(source="augmentation")).base_model == ""


def test_a_dry_run_draws_with_no_model_whatever_was_chosen(house: Isengard) -> None:
    assert house.synthetic.filled(SyntheticConfig(dry_run=True, source="proto_lora")).source == "augmentation"


def test_a_model_too_large_for_this_machine_is_taken_only_when_asked_for(house: Isengard) -> None:
    house.synthetic.plugins.image.append(Editor())  # type: ignore[arg-type]
    assert house.synthetic.filled(SyntheticConfig()).source == "proto_lora"
    asked = house.synthetic.filled(SyntheticConfig(source="instruct_edit"))
    assert asked.base_model == "flux2-klein-4b"
    named = SyntheticConfig(source="instruct_edit", base_model="flux2-klein-9b")
    assert house.synthetic.filled(named).base_model == "flux2-klein-9b"
    with pytest.raises(BackendUnavailable):
        house.synthetic.filled(SyntheticConfig(source="instruct_edit", base_model="sdxl"))


def test_what_is_not_here_is_refused_with_what_to_do(house: Isengard) -> None:
    for source in ("instruct_edit", "face_adapter"):
        with pytest.raises(BackendUnavailable) as refused:
            house.synthetic.filled(SyntheticConfig(source=source))
        assert refused.value.hint
    with pytest.raises(NotFound):
        house.synthetic.filled(SyntheticConfig(lora_id="lora-none"))


def test_without_a_picture_that_may_be_used_there_is_nothing_to_expand(house: Isengard, pictured: Character) -> None:
    image = house.datasets.images(pictured.id).items[0]
    house.datasets.hold_out(pictured.id, [image.id], held_out=True)
    with pytest.raises(Conflict, match="no photos"):
        house.synthetic.submit(pictured.id, SyntheticConfig(dry_run=True))
