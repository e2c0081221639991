"""LoRA files that diffusers loads into a pipeline with a UNet: kohya's spelling and diffusers' own; loads no tensor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from isengard.domain.base_model import BaseModelRow
from isengard.domain.lora import LoraFacts
from isengard.errors import InvalidInput
from isengard.plugins.weights import read_weights
from plugins.diffusers.models import Shapes, text_encoder_shapes, unet_shapes

DOWN = (".lora_A.weight", ".lora_down.weight")
UP = (".lora_B.weight", ".lora_up.weight")
ALPHA = ".alpha"
Shape = tuple[int, ...]


@dataclass
class Pair:
    """The two halves of one layer."""

    down: Shape = ()
    up: Shape = ()

    def fits(self, target: Shape) -> bool:
        """Tell whether their product has the shape of a weight."""
        if len(self.down) < 2 or len(self.up) < 2 or self.down[0] != self.up[1]:
            return False
        return self.up[0] == target[0] and self.down[1:] == target[1:]


@dataclass
class Pairs:
    """What is in a file: layers by name, and what is no half of a layer."""

    layers: dict[str, Pair] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)


def check_lora(path: Path, folder: Path, base_name: str) -> None:
    """Raise InvalidInput unless every pair of the LoRA matches a weight of the base model in name and shape."""
    pairs = _pairs(read_weights(path).shapes)
    if not pairs.layers or pairs.others:
        raise InvalidInput(
            "This file's keys are not those of a LoRA that diffusers loads.",
            "Export it in kohya's or in diffusers' (PEFT) format; LoKr, LoHa and others need ComfyUI.",
        )
    wrong = _misfits(pairs, _places(folder))
    if wrong:
        raise InvalidInput(
            f"This LoRA was made for another model: {len(wrong)} of {len(pairs.layers)} parts do not fit {base_name}.",
            "Choose the base model that the LoRA was trained on.",
        )


def check_start(path: Path, folder: Path, targets: Sequence[str], rank: int | None) -> None:
    """Raise InvalidInput unless a file holds just what a training of these modules at this rank begins with."""
    layers = [layer for layer, _ in _layers(unet_shapes(folder)) if layer.endswith(tuple(f".{one}" for one in targets))]
    names = {layer: {f"unet.{layer}", f"lora_unet_{layer.replace('.', '_')}"} for layer in layers}
    pairs = _pairs(read_weights(path).shapes)
    missing = [layer for layer in layers if not names[layer] & pairs.layers.keys()]
    more = pairs.layers.keys() - set().union(*names.values())
    if missing or more or pairs.others:
        raise InvalidInput(
            "The LoRA to go on from has other layers than are trained here.", "Start from another, or from nothing."
        )
    ranks = sorted({pair.down[0] for pair in pairs.layers.values() if pair.down})
    if ranks != [rank]:
        raise InvalidInput(
            f"The LoRA to go on from has rank {', '.join(map(str, ranks))}, not {rank}.", "Leave the rank empty."
        )


def facts_of(path: Path, folders: Sequence[tuple[BaseModelRow, Path]]) -> LoraFacts:
    """Return what the file is, as far as it fits one of these base models whole."""
    weights = read_weights(path)
    pairs = _pairs(weights.shapes)
    whole = pairs.layers and not pairs.others
    fitting = [row for row, folder in folders if whole and not _misfits(pairs, _places(folder))]
    ranks = Counter(pair.down[0] for pair in pairs.layers.values() if pair.down)
    return LoraFacts(
        families=tuple(dict.fromkeys(row.family for row in fitting)),
        fits=tuple(row.id for row in fitting),
        key_format="kohya" if any(name.startswith("lora_") for name in pairs.layers) else "diffusers",
        rank=ranks.most_common(1)[0][0] if ranks else None,
        known=len(weights.tensors) if fitting else 0,
        keys=len(weights.tensors),
        has_text_encoder=any(name.startswith(("lora_te", "text_encoder")) for name in pairs.layers),
        metadata=weights.metadata,
    )


def _pairs(shapes: Shapes) -> Pairs:
    found = Pairs()
    for name, shape in shapes.items():
        layer, end = _split(name)
        if not end:
            found.others.append(name)
        elif end in DOWN:
            found.layers.setdefault(layer, Pair()).down = shape
        elif end in UP:
            found.layers.setdefault(layer, Pair()).up = shape
    return found


def _split(name: str) -> tuple[str, str]:
    end = next((end for end in (*DOWN, *UP, ALPHA) if name.endswith(end)), "")
    return name.removesuffix(end), end


def _misfits(pairs: Pairs, places: Shapes) -> list[str]:
    return [name for name, pair in pairs.layers.items() if name not in places or not pair.fits(places[name])]


def _places(folder: Path) -> Shapes:
    """Shapes of the base model's weights by what LoRA files call their layers."""
    first, second = text_encoder_shapes(folder)
    found: Shapes = {}
    for dotted, flat, shapes in (
        ("unet.", ("lora_unet_",), unet_shapes(folder)),
        ("text_encoder.", ("lora_te_", "lora_te1_"), first),
        ("text_encoder_2.", ("lora_te2_",), second),
    ):
        for layer, shape in _layers(shapes):
            found[dotted + layer] = shape
            found |= {prefix + layer.replace(".", "_"): shape for prefix in flat}
    return found


def _layers(shapes: Shapes) -> Iterator[tuple[str, Shape]]:
    return ((name.removesuffix(".weight"), shape) for name, shape in shapes.items() if name.endswith(".weight"))
