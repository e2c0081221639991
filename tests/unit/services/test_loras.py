"""LoRA versions as a person handles them: taken in and out, renamed, deleted and restored."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.numpy import load_file, save_file

from isengard.domain.character import Character
from isengard.domain.lora import Lora, LoraPatch
from isengard.domain.output import Output
from isengard.errors import InvalidInput, NotFound
from isengard.services.house import Isengard
from tests.comfyui.unit.test_lora_keys import TAKEN, kohya, peft, written

LORA = {"0.0": (8, 8)}
BASES = {  # family: base models of the registry that a LoRA of it may be for
    "sd15": {"sd15"},
    "sdxl": {"sdxl"},
    "flux": {"flux-dev", "flux-schnell"},
    "flux2": {"flux2-klein-4b", "flux2-klein-base-4b"},
    "z-image": {"z-image", "z-image-turbo"},
    "qwen-image": {"qwen-image"},
    "krea2": {"krea2-raw", "krea2-turbo"},
}


@pytest.mark.parametrize("name", TAKEN)
def test_the_base_model_is_proposed_from_names_and_shapes(house: Isengard, tmp_path: Path, name: str) -> None:
    family, form, keys = TAKEN[name]
    report = house.loras.inspect(written(tmp_path / "a.safetensors", keys))
    assert report.facts.families == (family,)
    assert report.facts.key_format == form
    assert set(report.base_models) == BASES[family]
    assert report.certain == (len(BASES[family]) == 1)
    assert bool(report.doubt) != report.certain


def test_a_pocket_lora_is_told_by_the_weights_themselves(house: Isengard, weights: Path) -> None:
    report = house.loras.inspect(weights)
    assert (report.base_models, report.certain, report.facts.fits) == (("pocket",), True, ("pocket",))
    assert report.summary == "LoRA for pocket, names as in diffusers, rank 4, 2 tensors"


@pytest.mark.parametrize(
    ("ends", "algorithm"),
    [
        ({"hada_w1_a": (320, 4), "hada_w1_b": (4, 320), "hada_w2_a": (320, 4), "hada_w2_b": (4, 320)}, "LoHa"),
        ({"lokr_w1": (4, 4), "lokr_w2": (80, 80)}, "LoKr"),
        ({"lora_down.weight": (4, 320), "lora_up.weight": (320, 4), "dora_scale": (320, 1)}, "DoRA"),
    ],
)
def test_other_algorithms_are_called_by_their_names(
    house: Isengard, tmp_path: Path, ends: dict[str, tuple[int, int]], algorithm: str
) -> None:
    module = "lora_unet_down_blocks_0_attentions_0_proj_in"
    path = written(tmp_path / "a.safetensors", {f"{module}.{end}": shape for end, shape in ends.items()})
    report = house.loras.inspect(path)
    assert report.facts.algorithm == algorithm
    assert report.summary.startswith(f"{algorithm} for ")


def test_what_cannot_be_told_apart_is_said_openly(house: Isengard, tmp_path: Path) -> None:
    keys = peft("transformer.", {"transformer_blocks.0.attn.to_q": (3072, 3072)})
    path = written(tmp_path / "a.safetensors", keys)
    report = house.loras.inspect(path)
    assert report.facts.families == ("flux", "qwen-image", "flux2")
    assert not report.certain
    assert "several architectures" in report.doubt
    with pytest.raises(InvalidInput) as told:
        house.loras.add(path, "a", "", "")
    assert "flux-dev" in told.value.hint
    signed = written(tmp_path / "b.safetensors", keys, {"ss_base_model_version": "flux2_klein_base_4b"})
    assert house.loras.inspect(signed).facts.families == ("flux2",)


def test_the_width_tells_sizes_of_one_family_apart(house: Isengard, tmp_path: Path) -> None:
    layers = {"transformer_blocks.0.attn.to_q": (4096, 4096), "transformer_blocks.0.ff.linear_in": (6 * 4096, 4096)}
    report = house.loras.inspect(written(tmp_path / "a.safetensors", peft("transformer.", layers)))
    assert set(report.base_models) == {"flux2-klein-9b", "flux2-klein-base-9b"}


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({"modelspec.trigger_phrase": " zvka "}, "zvka"),
        ({"ss_tag_frequency": json.dumps({"10_a": {"smiling": 2, "zvka person": 9}})}, "zvka person"),
        ({"ss_tag_frequency": "[1, 2"}, ""),
        ({"ss_tag_frequency": '{"a": [1]}'}, ""),
        ({"ss_tag_frequency": '{"a": {"x": null, "y": 1}}'}, ""),
        ({}, ""),
    ],
)
def test_a_trigger_word_is_proposed_from_what_the_maker_wrote(
    house: Isengard, tmp_path: Path, said: dict[str, str], word: str
) -> None:
    path = written(tmp_path / "a.safetensors", TAKEN["sdxl"][2], said)
    assert house.loras.inspect(path).trigger_word == word


def test_a_lora_for_a_base_that_is_not_here_is_taken_when_its_names_fit(house: Isengard, tmp_path: Path) -> None:
    keys, said = TAKEN["sdxl"][2], {"ss_network_alpha": "8.0", "ss_steps": "1500", "ss_num_train_images": "many"}
    path = written(tmp_path / "a.safetensors", keys, said)
    taken = house.loras.add(path, "friend.safetensors", "", "zvka")
    assert (taken.base_model, taken.rank, taken.alpha, taken.steps, taken.image_count) == ("sdxl", 4, 8, 1500, 0)
    assert taken.origin == "LoRA for sdxl, names as in kohya, rank 4, 300 tensors"
    with pytest.raises(InvalidInput, match="was not made for FLUX"):
        house.loras.add(path, "friend", "flux-dev", "")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_pickle_is_refused_with_the_reason(house: Isengard, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"evil{suffix}"
    torch.save({"lora_unet_x.lora_up.weight": torch.zeros(2, 2)}, path)
    with pytest.raises(InvalidInput, match="can run programs when it is opened"):
        house.loras.add(path, path.name, "pocket", "")


def test_a_file_of_nothing_known_is_refused(house: Isengard, tmp_path: Path) -> None:
    for keys in ({}, peft("nope.", LORA), kohya("lora_unet_", {"nope": (8, 8)}), {"a": (), "b.lora_A.weight": ()}):
        path = written(tmp_path / "a.safetensors", keys)
        assert house.loras.inspect(path).base_models == ()
        for base in ("", "pocket", "sdxl"):
            with pytest.raises(InvalidInput):
                house.loras.add(path, "a", base, "")


def test_a_version_is_renamed_and_noted(house: Isengard, zara: Character, shelve: Callable[..., Lora]) -> None:
    lora = shelve(zara)
    assert lora.label == "Zara v1"
    named = house.loras.update(lora.id, LoraPatch(name=" Best \x00 one  ", note="soft light"))
    assert (named.label, named.note, named.version) == ("Best one", "soft light", "v1")
    assert house.loras.update(lora.id, LoraPatch(name="")).label == "Zara v1"
    assert house.loras.get(lora.id).note == "soft light"


def test_a_deleted_version_comes_back(house: Isengard, zara: Character, shelve: Callable[..., Lora]) -> None:
    first, second = shelve(zara), shelve(zara)
    house.loras.delete(second.id)
    assert house.loras.shelf.newest(zara.id) == first
    with pytest.raises(NotFound):
        house.loras.file(second.id)
    assert [lora.id for lora in house.loras.deleted()] == [second.id]
    house.loras.restore(second.id)
    assert house.loras.shelf.newest(zara.id) == second
    house.loras.delete(second.id)
    house.loras.remove(second.id)
    with pytest.raises(NotFound):
        house.loras.restore(second.id)


def test_the_archive_holds_file_lineage_config_and_samples(
    house: Isengard, zara: Character, weights: Path, tmp_path: Path
) -> None:
    sample = tmp_path / "sample-000400-0.webp"
    sample.write_bytes(b"picture")
    lora = Lora(
        id="lora-1", character_id=zara.id, character_name="Zoë/..", version="", base_model="pocket", config={"steps": 4}
    )
    lora = house.loras.shelf.add(weights, lora, samples=[sample])
    with zipfile.ZipFile(io.BytesIO(b"".join(house.loras.export(lora.id)))) as archive:
        assert archive.testzip() is None
        names = [name.removeprefix("Zoë-..-v1/") for name in archive.namelist()]
        assert names == ["Zoë-..-v1.safetensors", "Zoë-..-v1.json", "training_config.json", "samples/000.webp"]
        assert archive.read("Zoë-..-v1/Zoë-..-v1.safetensors") == weights.read_bytes()
        assert json.loads(archive.read("Zoë-..-v1/Zoë-..-v1.json"))["id"] == "lora-1"
        assert json.loads(archive.read("Zoë-..-v1/training_config.json")) == {"steps": 4, "version": "v1"}


def test_the_likeness_is_the_mean_of_pictures_made_with_this_lora_alone(
    house: Isengard, zara: Character, shelve: Callable[..., Lora]
) -> None:
    lora = shelve(zara)
    assert house.loras.get(lora.id).likeness is None

    def drawn(job: str, score: float | None, *loras: str, strength: float = 1.0) -> None:
        settings = {"loras": [{"id": one, "strength": strength} for one in loras]}
        named = {"job_id": job, "path": "outputs/x.png", "seed": 1, "width": 8, "height": 8}
        house.outputs.shelf.save(job, [Output(id=f"{job}.0", similarity=score, settings=settings, **named)])

    drawn("gen-1", 0.8, lora.id)
    drawn("gen-2", 0.6, lora.id)
    drawn("gen-3", 0.1, lora.id, "lora-other")
    drawn("gen-4", None, lora.id)
    drawn("gen-5", 0.1, lora.id, strength=0)  # of a comparison: not its doing
    found = house.loras.list().items[0]
    assert (found.likeness, found.likeness_pictures) == (pytest.approx(0.7), 2)
    drawn("gen-2", 1.0, lora.id)
    assert house.loras.get(lora.id).likeness == pytest.approx(0.9)
    assert "likeness" not in lora.record()


def test_a_file_in_kohya_s_names_is_taken_for_the_model_that_is_here(
    house: Isengard, weights: Path, tmp_path: Path
) -> None:
    pair = load_file(weights)
    (module,) = {name.removesuffix(".lora_A.weight") for name in pair if "lora_A" in name}
    flat = "lora_unet_" + module.removeprefix("unet.").replace(".", "_")
    renamed = {
        f"{flat}.lora_down.weight": pair[f"{module}.lora_A.weight"],
        f"{flat}.lora_up.weight": pair[f"{module}.lora_B.weight"],
    }
    save_file(renamed, tmp_path / "kohya.safetensors")
    taken = house.loras.add(tmp_path / "kohya.safetensors", "mine", "", "")
    assert (taken.base_model, taken.rank) == ("pocket", 4)
