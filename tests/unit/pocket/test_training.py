"""The pocket model's training: its clock, its optimizer, and that it goes on as if it had never stopped."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from scripts.pocket import base, budget, dataset, decoder, vae
from scripts.pocket.budget import LONGEST_STEP, Budget
from scripts.pocket.muon import ADAMS_STEP, Muon, orthogonal
from scripts.pocket.tokenizer import make_tokenizer
from scripts.pocket.world import as_json


def test_a_pause_costs_no_more_than_the_longest_step(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(budget.time, "monotonic", lambda: now[0])
    clock = Budget("test", 1000, used=5)
    for seconds in (2.0, 3600.0, 1.0):
        now[0] += seconds
        clock.tell(1, 0.5)
    assert clock.used == 5 + 2 + LONGEST_STEP + 1


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 48, 12), (1, 12, 108)])
def test_an_orthogonal_matrix_stretches_no_direction_much_more_than_another(shape: tuple[int, int, int]) -> None:
    made = orthogonal(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
    stretches = torch.linalg.svdvals(made.float())
    assert made.shape == shape
    assert stretches.min() > 0.3
    assert stretches.max() < 1.5


def test_the_optimizer_steps_as_far_as_adam_and_downhill() -> None:
    weight = torch.nn.Parameter(torch.randn(32, 8, 3, 3, generator=torch.Generator().manual_seed(0)))
    with ThreadPoolExecutor(1) as workers:
        optimizer = Muon([weight], rate=0.01, weight_decay=0.0, workers=workers)
        before = weight.detach().clone()
        weight.pow(2).sum().backward()
        optimizer.step()
    step = weight.detach() - before
    assert (step * before).sum() < 0
    assert float(step.square().mean().sqrt()) == pytest.approx(0.01 * ADAMS_STEP, rel=0.5)


def test_a_training_that_was_stopped_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "BATCH", 4)
    monkeypatch.setattr(budget.time, "monotonic", lambda: 0.0)  # the learning rate follows the clock
    _draw_nothing(tmp_path)
    straight = base.BaseTraining(tmp_path, 100)
    straight.step_on()
    straight.save()
    straight.step_on()
    again = base.BaseTraining(tmp_path, 100)
    assert not again.untaught
    again.step_on()
    straight.save()
    expected = torch.load(tmp_path / "base.pt", weights_only=True)
    again.save()
    got = torch.load(tmp_path / "base.pt", weights_only=True)
    assert expected["step"] == got["step"] == 2
    for name, weight in expected["average"].items():
        assert torch.allclose(weight, got["average"][name], atol=1e-6), name


def test_training_the_decoder_leaves_latents_what_they_are(tmp_path: Path) -> None:
    _draw_nothing(tmp_path)
    base.BaseTraining(tmp_path, 100).save()
    shipped = vae.new_vae()
    shipped.save_pretrained(str(tmp_path / "vae"))
    training = decoder.DecoderTraining(tmp_path, 100)
    training.step_on()
    training.save()
    for trained in (training.model, decoder.DecoderTraining(tmp_path, 100).model):
        for name, weight in shipped.encoder.state_dict().items():
            assert torch.equal(weight, trained.encoder.state_dict()[name]), name
        changed = [not torch.equal(w, trained.decoder.state_dict()[n]) for n, w in shipped.decoder.state_dict().items()]
        assert all(changed)


def test_the_decoder_is_not_asked_for_what_lies_outside_of_a_crop(tmp_path: Path) -> None:
    _draw_nothing(tmp_path)
    base.BaseTraining(tmp_path, 100).save()
    vae.new_vae().save_pretrained(str(tmp_path / "vae"))
    weights = torch.cat([part[2] for part in decoder.DecoderTraining(tmp_path, 100)._crops()])
    inside = weights[:, decoder.EDGE : -decoder.EDGE, decoder.EDGE : -decoder.EDGE]
    assert (inside >= 1).all()
    lines = weights[:, 0, 20], weights[:, -1, 20], weights[:, 20, 0], weights[:, 20, -1]
    assert all((line == 0).any() for line in lines)
    assert any((line > 0).any() for line in lines)  # at the picture's own edge it is


def _draw_nothing(folder: Path) -> None:
    """Write sets whose latents are noise: the training does not look at pictures."""
    rng = random.Random(0)
    for name in ("people", "named"):
        drawings = list(dataset._people(rng, 12))
        names = "vorb" if name == "named" else ""
        dataset._write(folder / f"{name}.json", [as_json(one.identity, one.shot, names) for one in drawings])
        np.save(folder / f"{name}.npy", np.zeros((12, 128, 128, 3), np.uint8))
    make_tokenizer(folder / "tokenizer", dataset.load(folder, "people").drawings)
    noise = torch.randn(2, 12, 8, 16, 16, generator=torch.Generator().manual_seed(0)).half()
    torch.save({"people": noise[0], "named": noise[1], "scaling_factor": 1.0}, folder / "latents.pt")
