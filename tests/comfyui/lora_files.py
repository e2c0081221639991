"""LoRA files as AI-Toolkit saves them for each family, and files that no training would save."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.comfyui import flux, unet
from tests.comfyui.encoders import CLIP_G, CLIP_L, CLIP_PARTS
from tests.comfyui.models import VERSION
from tests.comfyui.weights import Tensor, noise, write

RANK = 4
TRAINED = (".attentions.", ".time_emb_proj", ".conv_shortcut")  # AI-Toolkit takes linear layers and 1x1 convolutions

SD15 = "sd15.safetensors"
SD15_TEXT = "sd15-text.safetensors"
SDXL = "sdxl.safetensors"
SDXL_TEXT = "sdxl-text.safetensors"
FLUX = "flux.safetensors"
OTHER_FLUX = "flux-other.safetensors"
NONSENSE = "nonsense.safetensors"
HALF_KNOWN = "half-known.safetensors"
TRUNCATED = "truncated.safetensors"


def make(cache: Path) -> Path:
    """Make what is missing; return the folder."""
    folder = cache / f"loras-{VERSION}"
    text = _text("lora_te", *CLIP_L)
    texts = _text("lora_te1", *CLIP_L) | _text("lora_te2", *CLIP_G)
    write(folder / SD15, _unet(unet.SD15))
    write(folder / SD15_TEXT, _unet(unet.SD15) | text)
    write(folder / SDXL, _unet(unet.SDXL))
    write(folder / SDXL_TEXT, _unet(unet.SDXL) | texts)
    write(folder / FLUX, _flux("transformer."))
    write(folder / OTHER_FLUX, {name: tensor for name, tensor in _flux("transformer.").items() if ".attn." in name})
    write(folder / NONSENSE, _peft("transformer.nope.0", 64, 64))
    write(folder / HALF_KNOWN, _flux("transformer.") | _peft("transformer.nope.0", 64, 64))
    whole = (folder / FLUX).read_bytes()
    (folder / TRUNCATED).write_bytes(whole[: len(whole) // 2])
    return folder


def _unet(layout: unet.Layout) -> dict[str, Tensor]:
    found = {}
    for module in unet.modules(layout):
        shape = module.weight.shape
        if any(part in module.diffusers for part in TRAINED) and shape[2:] in ((), (1, 1)):
            found |= _kohya(f"lora_unet_{module.diffusers.replace('.', '_')}", shape)
    return found


def _text(prefix: str, width: int, layers: int) -> dict[str, Tensor]:
    found = {}
    for layer in range(layers):
        for part, shape in _parts(width):
            found |= _kohya(f"{prefix}_text_model_encoder_layers_{layer}_{part.replace('.', '_')}", shape)
    return found


def _parts(width: int) -> Iterator[tuple[str, tuple[int, int]]]:
    yield from ((part, (width, width)) for part in CLIP_PARTS)
    yield "mlp.fc1", (4 * width, width)
    yield "mlp.fc2", (width, 4 * width)


def _flux(prefix: str) -> dict[str, Tensor]:
    return {key: value for module in flux.trained() for key, value in _peft(prefix + module[0], *module[1:]).items()}


def _kohya(name: str, shape: tuple[int, ...]) -> dict[str, Tensor]:
    """Return down, up and alpha; alpha is the rank, so that the strength is what a person chooses."""
    down, up = (RANK, *shape[1:]), (shape[0], RANK, *shape[2:])
    alpha = Tensor((), mean=RANK)
    return {f"{name}.lora_down.weight": noise(*down), f"{name}.lora_up.weight": noise(*up), f"{name}.alpha": alpha}


def _peft(name: str, outputs: int, inputs: int) -> dict[str, Tensor]:
    return {f"{name}.lora_A.weight": noise(RANK, inputs), f"{name}.lora_B.weight": noise(outputs, RANK)}
