"""Which architecture AI-Toolkit must be told for a base model, and the files that it then reads.

AI-Toolkit takes an architecture that it does not know for Stable Diffusion 1.5 and ends well, so it is never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from isengard.domain.base_model import BaseModelRow
from isengard.errors import InvalidInput

PIPELINE = ("model_index.json", "vae/*.safetensors")
TRANSFORMER = (*PIPELINE, "transformer/*.safetensors", "text_encoder/*.safetensors")
UNET = (*PIPELINE, "unet/*.safetensors", "text_encoder/*.safetensors")


@dataclass(frozen=True)
class Arch:
    """``key`` as in AI-Toolkit's config; ``writes`` is what it then writes as ss_base_model_version.

    ``files`` are patterns below the model's folder. ``aliases`` maps names of the hub that it loads whatever the
    config says to folders below the model's folder.
    """

    key: str
    writes: str
    files: tuple[str, ...] = TRANSFORMER
    flow: bool = True  # trained with flow matching; otherwise DDPM
    alpha: bool = False  # its LoRA files keep an alpha of their own; the others force alpha = rank
    built_in: bool = False  # part of the loader that also takes everything unknown
    model_kwargs: dict[str, str] = field(default_factory=dict)  # values that end in "/" are folders of the model
    aliases: dict[str, str] = field(default_factory=dict)


SD15 = Arch("sd1", "sd_1.5", UNET, flow=False, alpha=True, built_in=True)
SDXL = Arch("sdxl", "sdxl_1.0", (*UNET, "text_encoder_2/*.safetensors"), flow=False, alpha=True, built_in=True)
FLUX = Arch("flux", "flux.1", (*TRANSFORMER, "text_encoder_2/*.safetensors"), built_in=True)
Z_IMAGE = Arch("zimage", "zimage")
QWEN_IMAGE = Arch("qwen_image", "qwen_image")
KREA2 = Arch(
    "krea2",
    "krea2",
    ("*.safetensors", "text_encoder/*.safetensors", "vae/*.safetensors"),
    model_kwargs={"text_encoder_path": "text_encoder/", "vae_path": "./"},
)
KLEIN_4B = Arch(
    "flux2_klein_4b",
    "flux2_klein_4b",
    ("flux-2-klein-base-4b.safetensors", "ae.safetensors", "text_encoder/*.safetensors"),
    aliases={"Qwen/Qwen3-4B": "text_encoder"},
)
KLEIN_9B = Arch(
    "flux2_klein_9b",
    "flux2_klein_9b",
    ("flux-2-klein-base-9b.safetensors", "ae.safetensors", "text_encoder/*.safetensors"),
    aliases={"Qwen/Qwen3-8B": "text_encoder"},
)
ARCHS = {arch.key: arch for arch in (SD15, SDXL, FLUX, Z_IMAGE, QWEN_IMAGE, KREA2, KLEIN_4B, KLEIN_9B)}
FAMILIES = {
    "sd15": SD15,
    "sdxl": SDXL,
    "flux": FLUX,
    "z-image": Z_IMAGE,
    "qwen-image": QWEN_IMAGE,
    "krea2": KREA2,
}
SIZES = {"4b": KLEIN_4B, "9b": KLEIN_9B}  # of the family flux2, by a part of the row's id


def find_arch(base: BaseModelRow) -> Arch | None:
    """Return the architecture of a base model, None where AI-Toolkit has none that we know to be right."""
    named = getattr(base, "trainer_arch", "")
    if named:
        return ARCHS.get(named)
    if base.family == "flux2":
        return next((arch for size, arch in SIZES.items() if size in base.id.split("-")), None)
    return FAMILIES.get(base.family)


def arch_of(base: BaseModelRow) -> Arch:
    """Return the architecture of a base model, or raise InvalidInput."""
    found = find_arch(base)
    if found is None:
        raise InvalidInput(
            f"AI-Toolkit has no architecture for {base.name} that Isengard knows to be right.",
            f"Choose another base model. Known to work: {', '.join(sorted({*FAMILIES, 'flux2'}))}.",
        )
    return found


def missing_files(arch: Arch, folder: Path) -> list[str]:
    """Return what is not there of the files that training needs."""
    return [pattern for pattern in arch.files if not any(folder.glob(pattern))]
