"""Whether ComfyUI would load a LoRA whole on a base model; it draws on without a word where it would not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from isengard.domain.lora import LoraFacts
from isengard.errors import InvalidInput
from plugins.comfyui.families import FAMILIES, Base, Family, Slots, slots
from plugins.comfyui.lora_base import base_of, published_base, room
from plugins.comfyui.lora_family import claim_of, contradicts, origins_of
from plugins.comfyui.lora_parts import ALWAYS, Change, Lora, Parts, change, missing, rank, read_lora, used

NAMED = 3  # keys of a long list that a message names
FORMATS = {  # by how the names of modules begin
    "diffusion_model.": "ComfyUI",
    "text_encoders.": "ComfyUI",
    "lora_unet_": "kohya",
    "lora_te": "kohya",
    "lycoris_": "LyCORIS",
    "lora_transformer_": "OneTrainer",
    "transformer.": "diffusers",
    "unet.": "diffusers",
    "text_encoder": "diffusers",
}
ALGORITHMS = {  # by how the ends of keys begin
    ".hada_": "LoHa",
    ".lokr_": "LoKr",
    ".dora_": "DoRA",
    ".lora_magnitude": "DoRA",
    ".oft_": "OFT",
    ".a1.": "GLoRA",
}
TEXT_ENCODERS = ("lora_te", "text_encoder")
OWN_MODEL = "Choose the base model that the LoRA was trained on."
AGAIN = "Download or train it again."
OTHER_FORMAT = "Export it in a format that ComfyUI reads; AI-Toolkit's and kohya's own are."


def describe(path: Path) -> LoraFacts:
    """Read a LoRA's facts out of its header. Raises InvalidInput where it is no whole .safetensors file."""
    lora = read_lora(path)
    origins = origins_of(lora)
    whole = [parts for parts in lora.modules.values() if not missing(parts)]
    ranks = Counter(found for parts in whole if (found := rank(parts)))
    widths = Counter(made.into for parts in whole if (made := _change_of(parts)))
    forms = Counter(_format_of(module) for module in lora.modules)
    return LoraFacts(
        families=tuple(origin.family for origin in origins),
        key_format=forms.most_common(1)[0][0] if forms else "",
        algorithm=_algorithm_of(lora),
        rank=ranks.most_common(1)[0][0] if ranks else None,
        width=widths.most_common(1)[0][0] if widths else None,
        known=origins[0].keys if origins else 0,
        keys=lora.keys,
        has_text_encoder=any(module.startswith(TEXT_ENCODERS) for module in lora.modules),
        metadata=dict(lora.metadata),
    )


def _change_of(parts: Parts) -> Change | None:
    try:
        return change(parts)
    except ValueError:  # halves that do not belong together: ``check`` says so
        return None


def _format_of(module: str) -> str:
    return next((form for start, form in FORMATS.items() if module.startswith(start)), "bare")


def _algorithm_of(lora: Lora) -> str:
    ends = {end for parts in lora.modules.values() for end in parts}
    return next((name for start, name in ALGORITHMS.items() if any(end.startswith(start) for end in ends)), "LoRA")


def check(path: Path, base_family: str, base_name: str, base_files: Sequence[Path] = ()) -> None:
    """Raise InvalidInput unless ComfyUI 0.33 would load every tensor of the file on the base model.

    ``base_files`` are the model's own .safetensors files; with them every shape is compared too.
    Of no file more than the header is read.
    """
    lora = read_lora(path)
    _check_whole(lora)
    family = FAMILIES.get(base_family)
    if family:
        _check_on(family, base_of(family, base_files), base_name, lora)
        return
    origins = origins_of(lora)
    if origins:
        label = FAMILIES[origins[0].family].label
        raise InvalidInput(f"This LoRA was made for {label}; {base_name} is another model.", OWN_MODEL)


def _check_whole(lora: Lora) -> None:
    """Check what can be seen without a base model: there is a LoRA, and its halves belong together."""
    if not any(parts.keys() - {"", *ALWAYS} for parts in lora.modules.values()):
        raise InvalidInput(f"This file is no LoRA: none of its {lora.keys} tensors is part of one.", "Choose a LoRA.")
    lonely = [f"{module}{end}" for module, parts in lora.modules.items() for end in missing(parts)]
    if lonely:
        raise InvalidInput(f"This LoRA is not whole: {len(lonely)} parts are missing: {_some(lonely)}.", AGAIN)
    torn = [module for module, parts in lora.modules.items() if not _belongs_together(parts)]
    if torn:
        raise InvalidInput(
            f"This LoRA is broken: in {len(torn)} of its {len(lora.modules)} layers the halves do not belong together: "
            f"{_some(torn)}.",
            AGAIN,
        )


def _belongs_together(parts: Parts) -> bool:
    try:
        change(parts)
    except ValueError:
        return False
    return ".alpha" not in parts or parts[".alpha"].shape in {(), (1,)}


def _check_on(family: Family, base: Base, base_name: str, lora: Lora) -> None:
    places = slots(family, base)
    left = _left_out(lora, places)
    odd = any(contradicts(family.id, places[name].tensor, parts) for name, parts in _placed(lora, places))
    if left or odd or claim_of(lora) not in {"", family.id}:
        _refuse_other_family(family, base_name, lora)
    if left and not _left_out(lora, slots(family, published_base(family))):
        raise InvalidInput(
            f"This LoRA was made for another size of this model: {len(left)} of its {lora.keys} parts are for layers "
            f"that {base_name} does not have: {_some(left)}.",
            OWN_MODEL,
        )
    if left:
        raise InvalidInput(
            f"ComfyUI would load only {lora.keys - len(left)} of {lora.keys} parts of this LoRA on {base_name}. "
            f"It would leave out {_some(left)}.",
            OTHER_FORMAT,
        )
    _check_shapes(lora, places, base, base_name)


def _refuse_other_family(family: Family, base_name: str, lora: Lora) -> None:
    origins = origins_of(lora)
    if origins and family.id not in {origin.family for origin in origins}:
        raise InvalidInput(
            f"This LoRA was made for {FAMILIES[origins[0].family].label} ({origins[0].keys} of {lora.keys} parts); "
            f"{base_name} needs a {family.label} LoRA.",
            OWN_MODEL,
        )


def _left_out(lora: Lora, places: Slots) -> list[str]:
    """Keys that ComfyUI would leave out."""
    return [
        module + end
        for module, parts in lora.modules.items()
        for end in (parts.keys() - set(used(parts)) if module in places else parts)
    ]


def _placed(lora: Lora, places: Slots) -> list[tuple[str, Parts]]:
    return [(n, parts) for n, parts in lora.modules.items() if n in places and places[n].rows is None]


def _check_shapes(lora: Lora, places: Slots, base: Base, base_name: str) -> None:
    wrong = []
    for module, parts in lora.modules.items():
        wanted, made = room(base, places[module]), change(parts)
        if wanted and made and wanted != made and ".reshape_weight" not in parts:
            wrong.append(f"{module} ({made.out} x {made.into} in place of {wanted.out} x {wanted.into})")
    if wrong:
        raise InvalidInput(
            f"This LoRA was made for another model: {len(wrong)} of its {len(lora.modules)} layers do not fit "
            f"{base_name}: {_some(wrong, 1)}.",
            OWN_MODEL,
        )


def _some(names: Sequence[str], count: int = NAMED) -> str:
    more = len(names) - count
    return ", ".join(names[:count]) + (f" and {more} more" if more > 0 else "")
