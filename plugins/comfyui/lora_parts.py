"""The tensors of a LoRA file, put together module by module: halves, ranks, and what they would add to a weight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

from isengard.plugins.weights import Tensor, read_weights

# Ends of a key by the way of saving it, (up, down), in the order in which ComfyUI 0.33 looks for them.
HALVES = (
    (".lora_up.weight", ".lora_down.weight"),  # kohya
    ("_lora.up.weight", "_lora.down.weight"),  # diffusers before PEFT
    (".lora_B.weight", ".lora_A.weight"),  # PEFT
    (".lora.up.weight", ".lora.down.weight"),
    (".lora_B", ".lora_A"),
    (".lora_linear_layer.up.weight", ".lora_linear_layer.down.weight"),
    (".lora_B.default.weight", ".lora_A.default.weight"),
)
PARTNER = dict(HALVES) | {down: up for up, down in HALVES}
LOHA = tuple(f".hada_w{n}_{half}" for n in (1, 2) for half in "ab")
TUCKER = (".hada_t1", ".hada_t2")
LOKR = (".lokr_w1", ".lokr_w2", ".lokr_w1_a", ".lokr_w1_b", ".lokr_w2_a", ".lokr_w2_b", ".lokr_t2")
GLORA = (".a1.weight", ".a2.weight", ".b1.weight", ".b2.weight")
ALWAYS = (".alpha", ".dora_scale")  # taken for every module that is known, whatever else it has
PLAIN = (".diff", ".diff_b", ".set_weight", ".w_norm", ".b_norm")
OTHER = (".lora_mid.weight", ".reshape_weight", ".oft_blocks", ".rescale", ".lora_magnitude_vector", ".lora_B.bias")
ENDS = frozenset((*PARTNER, *LOHA, *TUCKER, *LOKR, *GLORA, *ALWAYS, *PLAIN, *OTHER))
LONGEST_END = 3  # pieces between dots

Parts = dict[str, Tensor]  # tensors of one module by the end of their key
Shape = tuple[int, ...]


def split(key: str) -> tuple[str, str]:
    """Split a key into its module and its end; the end is '' where it is none of a LoRA's."""
    pieces = key.split(".")
    for count in range(min(LONGEST_END, len(pieces) - 1), 0, -1):
        end = "." + ".".join(pieces[-count:])
        if end in ENDS:
            return key[: -len(end)], end
    for end in HALVES[1]:
        if key.endswith(end):
            return key[: -len(end)], end
    return key, ""


@dataclass(frozen=True)
class Lora:
    """What the header of a LoRA file says."""

    modules: Mapping[str, Parts]
    keys: int
    metadata: Mapping[str, str]


def read_lora(path: Path) -> Lora:
    """Read a file's header and put the tensors of each module together; raises InvalidInput as ``read_weights``."""
    weights = read_weights(path)
    modules: dict[str, Parts] = {}
    for key, tensor in weights.tensors.items():
        module, end = split(key)
        modules.setdefault(module, {})[end] = tensor
    return Lora(modules, len(weights.tensors), weights.metadata)


def used(parts: Parts) -> Iterator[str]:
    """Yield the ends of the keys that ComfyUI 0.33 takes from a module that it knows; it leaves the others out."""
    yield from (end for end in (*ALWAYS, *LOKR, *PLAIN[:4]) if end in parts)
    up = half(parts)
    if up:
        yield from (up, PARTNER[up])
        yield from (end for end in (".lora_mid.weight",) if up == HALVES[0][0] and end in parts)
        yield from (end for end in (".reshape_weight",) if end in parts)
    if LOHA[0] in parts:
        yield from LOHA
        yield from (TUCKER if TUCKER[0] in parts else ())
    yield from (GLORA if GLORA[0] in parts else ())
    yield from (".b_norm",) if {".w_norm", ".b_norm"} <= parts.keys() else ()
    yield from (end for end in (".oft_blocks", ".rescale") if ".oft_blocks" in parts and end in parts)


def half(parts: Parts) -> str:
    """End of the up half that counts, '' where there is none."""
    return next((up for up, _ in HALVES if up in parts), "")


def missing(parts: Parts) -> list[str]:
    """List the ends that a module's other tensors ask for and that are not there."""
    wanted = [PARTNER[end] for end in parts if end in PARTNER]
    wanted += [end for group in (LOHA, GLORA, TUCKER) if parts.keys() & set(group) for end in group]
    wanted += [LOKR[a + 1] for a in (2, 4) if LOKR[a] in parts] + [LOKR[a] for a in (2, 4) if LOKR[a + 1] in parts]
    if parts.keys() & set(LOKR):
        wanted += [whole for whole, a in ((LOKR[0], LOKR[2]), (LOKR[1], LOKR[4])) if a not in parts]
    return [end for end in wanted if end not in parts]


@dataclass(frozen=True)
class Change:
    """What a module would add to a weight: output features, input features times kernel."""

    out: int
    into: int


def rank(parts: Parts) -> int | None:
    """Rank of a module, None where it has none."""
    up = half(parts)
    if up:
        return parts[PARTNER[up]].shape[0] if parts[PARTNER[up]].shape else None
    for end in (LOHA[1], LOKR[5], LOKR[3]):
        if end in parts and parts[end].shape:
            return parts[end].shape[0]
    return None


def change(parts: Parts) -> Change | None:
    """Size of what a module adds, None where that is not told by its tensors' shapes.

    Raises ValueError where its tensors cannot be multiplied. Sources: LyCORIS, docs/Algo-Details.md.
    """
    up = half(parts)
    if up:
        return _low_rank(parts[up].shape, parts[PARTNER[up]].shape, parts.get(".lora_mid.weight"))
    if LOHA[0] in parts and TUCKER[0] not in parts:
        return _low_rank(parts[LOHA[0]].shape, parts[LOHA[1]].shape, None)
    if parts.keys() & set(LOKR) and LOKR[6] not in parts:
        first, second = _factor(parts, LOKR[0], LOKR[2], LOKR[3]), _factor(parts, LOKR[1], LOKR[4], LOKR[5])
        return Change(first.out * second.out, first.into * second.into)
    if ".diff" in parts:
        return _flat(parts[".diff"].shape)
    return None


def _factor(parts: Parts, whole: str, first: str, second: str) -> Change:
    if whole in parts:
        return _flat(parts[whole].shape)
    return _low_rank(parts[first].shape, parts[second].shape, None)


def _low_rank(up: Shape, down: Shape, mid: Tensor | None) -> Change:
    if len(up) < 2 or len(down) < 2 or prod(up[1:]) != down[0]:
        raise ValueError("halves of different ranks")
    kernel = prod(mid.shape[2:]) if mid else 1
    return Change(up[0], prod(down[1:]) * kernel)


def _flat(shape: Shape) -> Change:
    if not shape:
        raise ValueError("a number where a table is due")
    return Change(shape[0], prod(shape[1:]))
