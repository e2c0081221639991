"""Which architecture a LoRA was made for: by its modules' names and shapes, and by what its maker wrote."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from plugins.comfyui.families import FAMILIES, Slots, names
from plugins.comfyui.lora_parts import Lora, Parts, change

CLAIMED_IN = ("ss_base_model_version", "modelspec.architecture")  # metadata of kohya's and AI-Toolkit's files
CLAIMS = {  # how that text begins
    "sd_1.5": "sd15",
    "sd_v1": "sd15",
    "stable-diffusion-v1": "sd15",
    "sdxl": "sdxl",
    "stable-diffusion-xl": "sdxl",
    "flux2": "flux2",
    "flux-2": "flux2",
    "flux.2": "flux2",
    "flux": "flux",
    "zimage": "z-image",
    "z-image": "z-image",
    "z_image": "z-image",
    "qwen": "qwen-image",
    "krea2": "krea2",
    "krea-2": "krea2",
}
PREFIXES = ("diffusion_model.", "lora_unet_", "lora_transformer_", "lycoris_", "transformer.", "unet.")


class Origin(NamedTuple):
    """A family, and how many of a LoRA's keys it knows."""

    family: str
    keys: int


def origins_of(lora: Lora) -> list[Origin]:
    """Find the families that know most of a LoRA's keys; of several, the one alone that its maker names, else all."""
    bare = [(_without_prefix(module), parts) for module, parts in lora.modules.items()]
    known = {id_: sum(len(parts) for module, parts in bare if _knows(id_, module, parts)) for id_ in FAMILIES}
    most = max(known.values())
    best = [Origin(id_, keys) for id_, keys in known.items() if keys == most and most]
    claimed = [origin for origin in best if origin.family == claim_of(lora)]
    return claimed or best


def claim_of(lora: Lora) -> str:
    """Family that the file's maker names, '' where there is none that we know."""
    for key in CLAIMED_IN:
        named = lora.metadata.get(key, "").lower()
        for start, family in CLAIMS.items():
            if named.startswith(start):
                return family
    return ""


def contradicts(family: str, tensor: str, parts: Parts) -> bool:
    """Tell whether a module's shape shows that it is from another family than the weight that shares its name."""
    if not any(tensor.endswith(end) for end in FAMILIES[family].told_by):
        return False
    made = change(parts)
    return made is not None and FAMILIES[family].contradicts(tensor, made.out, made.into)


def _knows(family: str, module: str, parts: Parts) -> bool:
    slot = _names(family).get(module)
    return slot is not None and not (slot.rows is None and contradicts(family, slot.tensor, parts))


@cache
def _names(family: str) -> Slots:
    return names(FAMILIES[family])


def _without_prefix(module: str) -> str:
    return next((module[len(prefix) :] for prefix in PREFIXES if module.startswith(prefix)), module)
