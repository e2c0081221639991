"""LoRAs against base models. What is taken and left out was counted with ComfyUI 0.33's own key mapping."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path

import pytest

from isengard.errors import InvalidInput
from plugins.comfyui.lora_keys import check, describe

Shape = Sequence[int]
RANK = 4
FLUX, SDXL_WORDS = 3072, 2048


def written(path: Path, shapes: Mapping[str, Shape], metadata: Mapping[str, str] | None = None) -> Path:
    """A file whose tensors are a hole: they take no room."""
    header: dict[str, object] = {"__metadata__": dict(metadata or {})}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + prod(shape) * 2
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    return path


def peft(prefix: str, layers: Mapping[str, tuple[int, int]]) -> dict[str, Shape]:
    found: dict[str, Shape] = {}
    for name, (out, into) in layers.items():
        found |= {f"{prefix}{name}.lora_A.weight": (RANK, into), f"{prefix}{name}.lora_B.weight": (out, RANK)}
    return found


def kohya(prefix: str, layers: Mapping[str, tuple[int, int]]) -> dict[str, Shape]:
    found: dict[str, Shape] = {}
    for name, (out, into) in layers.items():
        flat = prefix + name.replace(".", "_")
        found |= {f"{flat}.lora_down.weight": (RANK, into), f"{flat}.lora_up.weight": (out, RANK), f"{flat}.alpha": ()}
    return found


def attention(block: str, width: int, words: int) -> dict[str, tuple[int, int]]:
    layers = {f"{block}.attn{n}.{name}": (width, width) for n in (1, 2) for name in ("to_q", "to_out.0")}
    for name in ("to_k", "to_v"):
        layers |= {f"{block}.attn1.{name}": (width, width), f"{block}.attn2.{name}": (width, words)}
    return layers | {f"{block}.ff.net.0.proj": (8 * width, width), f"{block}.ff.net.2": (width, 4 * width)}


SD15 = attention("down_blocks.0.attentions.0.transformer_blocks.0", 320, 768)
SDXL = {
    name: size
    for index in range(10)
    for name, size in attention(f"down_blocks.2.attentions.1.transformer_blocks.{index}", 1280, SDXL_WORDS).items()
}
CLIP = {"text_model.encoder.layers.3.self_attn.q_proj": (768, 768), "text_model.encoder.layers.3.mlp.fc1": (3072, 768)}
CLIP_G = {"text_model.encoder.layers.31.mlp.fc2": (1280, 5120)}


def flux(width: int = FLUX) -> dict[str, tuple[int, int]]:
    double, single = "transformer_blocks.18", "single_transformer_blocks.37"
    square = {f"{double}.attn.{name}": (width, width) for name in ("to_q", "to_k", "add_v_proj", "to_out.0")}
    square |= {f"{single}.attn.{name}": (width, width) for name in ("to_q", "to_k", "to_v")}
    return square | {
        f"{double}.ff.net.0.proj": (4 * width, width),
        f"{double}.norm1.linear": (6 * width, width),
        f"{single}.proj_mlp": (4 * width, width),
        f"{single}.proj_out": (width, 5 * width),
    }


def klein(width: int) -> dict[str, tuple[int, int]]:
    return {
        "transformer_blocks.0.attn.to_q": (width, width),
        "transformer_blocks.0.ff.linear_in": (6 * width, width),
        "single_transformer_blocks.3.attn.to_qkv_mlp_proj": (9 * width, width),
        "single_transformer_blocks.3.attn.to_out": (width, 4 * width),
    }


Z_IMAGE = {f"layers.29.attention.{name}": (3840, 3840) for name in ("to_q", "to_k", "to_v", "to_out.0")}
QWEN = {"transformer_blocks.59.attn.add_q_proj": (3072, 3072), "transformer_blocks.0.img_mod.1": (18432, 3072)}
KREA = {"transformer_blocks.27.attn.to_gate": (6144, 6144), "transformer_blocks.0.ff.up": (16384, 6144)}
LOKR = {"w1": (4, 4), "w2_a": (80, RANK), "w2_b": (RANK, 80)}

TAKEN = {
    "sd15": ("sd15", "kohya", kohya("lora_unet_", SD15)),
    "sd15-text": ("sd15", "kohya", kohya("lora_unet_", SD15) | kohya("lora_te_", CLIP)),
    "sd15-lokr": (
        "sd15",
        "kohya",
        {f"lora_unet_down_blocks_0_attentions_0_proj_in.lokr_{end}": shape for end, shape in LOKR.items()},
    ),
    "sdxl": ("sdxl", "kohya", kohya("lora_unet_", SDXL)),
    "sdxl-text": ("sdxl", "kohya", kohya("lora_unet_", SDXL) | kohya("lora_te1_", CLIP) | kohya("lora_te2_", CLIP_G)),
    "sdxl-original-names": (
        "sdxl",
        "kohya",
        kohya("lora_unet_", {"input_blocks.8.1.transformer_blocks.9.attn2.to_k": (1280, SDXL_WORDS)}),
    ),
    "flux": ("flux", "diffusers", peft("transformer.", flux())),
    "flux-own-names": ("flux", "kohya", kohya("lora_unet_", {"single_blocks.37.linear1": (7 * FLUX, FLUX)})),
    "flux2": ("flux2", "diffusers", peft("transformer.", klein(3072))),
    "z-image": ("z-image", "ComfyUI", peft("diffusion_model.", Z_IMAGE)),
    "qwen-image": ("qwen-image", "ComfyUI", peft("diffusion_model.", QWEN)),
    "krea2": ("krea2", "ComfyUI", peft("diffusion_model.", KREA)),
}
FAMILIES = ("sd15", "sdxl", "flux", "flux2", "z-image", "qwen-image", "krea2")


def refusal(path: Path, family: str, files: Sequence[Path] = ()) -> str:
    with pytest.raises(InvalidInput) as told:
        check(path, family, "The model", files)
    assert told.value.hint
    return told.value.message


@pytest.mark.parametrize("name", TAKEN)
def test_what_comfyui_loads_is_described_and_taken(tmp_path: Path, name: str) -> None:
    family, form, keys = TAKEN[name]
    path = written(tmp_path / "a.safetensors", keys)
    facts = describe(path)
    assert (facts.families, facts.key_format, facts.rank, facts.keys) == ((family,), form, RANK, len(keys))
    assert facts.known == facts.keys
    assert facts.has_text_encoder == name.endswith("-text")
    assert facts.algorithm == ("LoKr" if "lokr" in name else "LoRA")
    check(path, family, "The model")


@pytest.mark.parametrize("base", FAMILIES)
@pytest.mark.parametrize("name", ["sd15", "sdxl", "flux", "flux2", "z-image", "qwen-image", "krea2"])
def test_a_lora_of_another_family_is_refused_by_that_name(tmp_path: Path, name: str, base: str) -> None:
    path = written(tmp_path / "a.safetensors", TAKEN[name][2])
    if base == name:
        check(path, base, "The model")
    else:
        total = len(TAKEN[name][2])
        assert f"({total} of {total} parts)" in refusal(path, base)


def test_the_words_for_another_family(tmp_path: Path) -> None:
    path = written(tmp_path / "a.safetensors", kohya("lora_unet_", SDXL))
    assert refusal(path, "flux") == "This LoRA was made for SDXL (300 of 300 parts); The model needs a FLUX LoRA."


def test_names_that_fit_two_families_are_told_apart_by_what_the_maker_wrote(tmp_path: Path) -> None:
    keys = peft("transformer.", {"transformer_blocks.0.attn.to_q": (FLUX, FLUX)})
    plain = written(tmp_path / "a.safetensors", keys)
    check(plain, "flux", "The model")
    check(plain, "flux2", "The model")
    signed = written(tmp_path / "b.safetensors", keys, {"ss_base_model_version": "flux2_klein_4b"})
    assert describe(plain).families == ("flux", "flux2", "qwen-image", "krea2")
    assert describe(signed).families == ("flux2",)
    assert "made for FLUX.2" in refusal(signed, "flux")
    check(signed, "flux2", "The model")


@pytest.mark.parametrize(
    ("family", "keys", "words"),
    [
        # attention is left out, feed-forward is loaded: 280 of 1400 in a whole SDXL LoRA
        ("sdxl", peft("unet.", SDXL), "only 40 of 200 parts"),
        ("z-image", kohya("lora_unet_", Z_IMAGE), "only 0 of 12 parts"),
        ("flux", peft("diffusion_model.", flux()), "only 0 of 22 parts"),
        ("flux", peft("transformer.nope.", {"0": (8, 8)}), "only 0 of 2 parts"),
        ("flux", peft("transformer.", flux() | {"nope.0": (8, 8)}), "only 22 of 24 parts"),
        ("sd15", kohya("lora_unet_", SD15) | {"lora_unet_conv_in.lora_magnitude_vector": (320,)}, "only 30 of 31"),
        ("sd15", peft("unet.", {"down_blocks.0.downsamplers.0.conv": (320, 320)}) | {"x": (1,)}, "only 2 of 3"),
    ],
)
def test_parts_that_would_be_left_out_are_counted_and_named(
    tmp_path: Path, family: str, keys: dict[str, Shape], words: str
) -> None:
    message = refusal(written(tmp_path / "a.safetensors", keys), family)
    assert words in message
    assert any(key in message for key in keys)


def test_a_lora_without_its_other_half_is_refused(tmp_path: Path) -> None:
    keys = kohya("lora_unet_", SD15)
    lost = next(key for key in keys if key.endswith("lora_up.weight"))
    keys.pop(lost)
    message = refusal(written(tmp_path / "a.safetensors", keys), "sd15")
    assert message == f"This LoRA is not whole: 1 parts are missing: {lost}."


def test_halves_of_different_ranks_are_refused(tmp_path: Path) -> None:
    keys = kohya("lora_unet_", SD15)
    name = next(key for key in keys if key.endswith("lora_down.weight"))
    keys[name] = (RANK + 1, *keys[name][1:])
    message = refusal(written(tmp_path / "a.safetensors", keys), "sd15")
    assert "in 1 of its 10 layers the halves do not belong together" in message


def test_a_whole_model_is_no_lora(tmp_path: Path) -> None:
    path = written(tmp_path / "a.safetensors", {"model.diffusion_model.out.2.weight": (4, 320, 3, 3)})
    assert refusal(path, "sd15").startswith("This file is no LoRA: none of its 1 tensors")


def test_an_unknown_base_takes_no_lora_that_is_known_to_be_another_s(tmp_path: Path) -> None:
    known = written(tmp_path / "a.safetensors", TAKEN["flux"][2])
    assert refusal(known, "new") == "This LoRA was made for FLUX; The model is another model."
    check(written(tmp_path / "b.safetensors", peft("new.", {"0": (8, 8)})), "new", "The model")


# --- with the base model's own file ------------------------------------------------------------


def klein_file(path: Path, width: int, singles: int) -> Path:
    shapes: dict[str, Shape] = {
        "img_in.weight": (width, 128),
        "double_stream_modulation_img.lin.weight": (6 * width, width),
        "double_blocks.0.img_attn.qkv.weight": (3 * width, width),
        "double_blocks.0.img_mlp.0.weight": (6 * width, width),
    }
    for index in range(singles):
        shapes[f"single_blocks.{index}.linear1.weight"] = (9 * width, width)
        shapes[f"single_blocks.{index}.linear2.weight"] = (width, 4 * width)
    return written(path, shapes)


def test_a_lora_of_another_width_is_refused_only_where_the_file_is_given(tmp_path: Path) -> None:
    small = klein_file(tmp_path / "base.safetensors", 3072, 4)
    check(written(tmp_path / "a.safetensors", peft("transformer.", klein(3072))), "flux2", "The model", [small])
    wide = written(tmp_path / "b.safetensors", peft("transformer.", klein(4096)))
    check(wide, "flux2", "The model")
    assert "4 of its 4 layers do not fit" in refusal(wide, "flux2", [small])


def test_a_lora_of_a_deeper_model_is_refused(tmp_path: Path) -> None:
    shallow = klein_file(tmp_path / "base.safetensors", 3072, 3)
    lora = written(tmp_path / "a.safetensors", peft("transformer.", klein(3072)))
    assert "made for another size of this model: 4 of its 8 parts" in refusal(lora, "flux2", [shallow])


def test_rows_of_a_fused_weight_are_compared(tmp_path: Path) -> None:
    base = klein_file(tmp_path / "base.safetensors", 3072, 4)
    keys = peft("transformer.", {"transformer_blocks.0.attn.to_q": (3 * 3072, 3072)})
    message = refusal(written(tmp_path / "a.safetensors", keys), "flux2", [base])
    assert "(9216 x 3072 in place of 3072 x 3072)" in message


def test_a_checkpoint_is_read_below_its_prefix_beside_other_files(tmp_path: Path) -> None:
    head = "model.diffusion_model."
    names = {f"{head}input_blocks.1.1.proj_in.weight": (320, 320, 1, 1)}
    names[f"{head}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"] = (320, 768)
    checkpoint = written(tmp_path / "base.safetensors", names)
    vae = written(tmp_path / "vae.safetensors", {"decoder.conv_in.weight": (512, 4, 3, 3)})
    block = "down_blocks.0.attentions.0.transformer_blocks.0"
    fits = written(tmp_path / "a.safetensors", kohya("lora_unet_", {f"{block}.attn2.to_k": (320, 768)}))
    check(fits, "sd15", "The model", [vae, checkpoint])
    wide = written(tmp_path / "b.safetensors", kohya("lora_unet_", {f"{block}.attn2.to_k": (640, 768)}))
    assert "1 of its 1 layers do not fit" in refusal(wide, "sd15", [vae, checkpoint])


def test_a_damaged_base_file_is_called_by_its_name(tmp_path: Path) -> None:
    lora = written(tmp_path / "a.safetensors", TAKEN["flux"][2])
    broken = tmp_path / "flux1-dev.safetensors"
    broken.write_bytes(b"")
    assert refusal(lora, "flux", [broken]).startswith("The base model's file 'flux1-dev.safetensors' is not")
