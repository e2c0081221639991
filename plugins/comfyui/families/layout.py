"""Where the parts of a LoRA go: the weights of a model, and the names by which LoRAs call them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

Shape = tuple[int, ...]
Rows = tuple[int, int]  # first row and number of rows of a weight that is several layers in one, in model widths


class Slot(NamedTuple):
    """One weight of the model, or some rows of it, that a LoRA's module changes.

    ``shape`` is set where it is the same in every model, as in text encoders.
    """

    tensor: str
    rows: Rows | None = None
    shape: Shape | None = None


Slots = dict[str, Slot]
Alias = tuple[str, Rows | None]  # another name for a module, and its rows


@dataclass(frozen=True)
class Base:
    """The weights of a model by name; a shape is None where only the architecture is known."""

    tensors: Mapping[str, Shape | None]
    width: int | None = None


@dataclass(frozen=True)
class Family:
    """One architecture: its published weights, its modules' other names, and what tells it from its cousins."""

    id: str
    label: str
    published: Callable[[], Iterable[str]]  # names of the weights, without a prefix
    aliases: Callable[[str], Iterable[Alias]]
    mark: str  # a weight that no other file of a pipeline has
    width_of: str = ""  # the weight whose first dimension is the model's width
    prefixes: tuple[str, ...] = ("",)
    flat_prefixes: tuple[str, ...] = ()  # put before a name whose dots became underscores
    flat_aliases: Callable[[str], Iterable[Alias]] | None = None  # where those names differ from the dotted ones
    text_encoders: Callable[[], Iterable[tuple[str, Slot]]] = tuple
    told_by: Mapping[str, Callable[[int, int], bool]] = field(default_factory=dict)  # see ``contradicts``

    def contradicts(self, tensor: str, out: int, into: int) -> bool:
        """Tell whether a layer of these output and input features cannot be this weight of this family."""
        return any(tensor.endswith(end) and not fits(out, into) for end, fits in self.told_by.items())


def slots(family: Family, base: Base) -> Slots:
    """Map every module name that ComfyUI 0.33 understands for this model to the weight that it changes."""
    found: Slots = {}
    for tensor in base.tensors:
        module = tensor.removesuffix(".weight")
        found[f"diffusion_model.{module}"] = Slot(tensor)
        if module != tensor:
            found[f"lora_unet_{flat(module)}"] = Slot(tensor)
            found |= _aliased(family, module, tensor)
    found |= family.text_encoders()
    return found


def _aliased(family: Family, module: str, tensor: str) -> Iterator[tuple[str, Slot]]:
    for name, rows in family.aliases(module):
        slot = Slot(tensor, rows)
        yield from ((prefix + name, slot) for prefix in family.prefixes)
    for name, rows in (family.flat_aliases or family.aliases)(module):
        slot = Slot(tensor, rows)
        yield from ((prefix + flat(name), slot) for prefix in family.flat_prefixes)


def names(family: Family) -> Slots:
    """Map what the modules of the published model are called, without prefixes, to their weights."""
    found = dict(family.text_encoders())
    for tensor in family.published():
        module = tensor.removesuffix(".weight")
        for name, rows in ((module, None), *family.aliases(module), *(family.flat_aliases or family.aliases)(module)):
            found[name] = found[flat(name)] = Slot(tensor, rows)
    return found


def flat(module: str) -> str:
    """Spell a module's name as kohya does."""
    return module.replace(".", "_")


@dataclass(frozen=True)
class Blocks:
    """A row of equal blocks: what we call it, what diffusers calls it, and its layers by both names."""

    theirs: str
    depth: int
    layers: Mapping[str, tuple[Alias, ...]]


def block_aliases(
    module: str, blocks: Mapping[str, Blocks], single: Mapping[str, tuple[Alias, ...]]
) -> Iterator[Alias]:
    """Names by which diffusers knows a module of a transformer."""
    yield from single.get(module, ())
    head, index, layer = split_block(module)
    if head in blocks:
        theirs = blocks[head].theirs
        for name, rows in blocks[head].layers.get(layer, ()):
            yield f"{theirs}.{index}.{name}", rows


def split_block(module: str) -> tuple[str, str, str]:
    """Split ``double_blocks.3.img_mlp.0`` into ``double_blocks``, ``3`` and ``img_mlp.0``; at most once."""
    pieces = module.split(".")
    for at, piece in enumerate(pieces[:-1]):
        if piece.isdigit():
            return ".".join(pieces[:at]), piece, ".".join(pieces[at + 1 :])
    return "", "", module


def published(blocks: Mapping[str, Blocks], single: Iterable[str]) -> Iterator[str]:
    """Names of all weights of a transformer that is made of equal blocks."""
    for head, row in blocks.items():
        for index in range(row.depth):
            yield from (f"{head}.{index}.{layer}.weight" for layer in row.layers)
    yield from (f"{module}.weight" for module in single)


def fused(*names: str) -> tuple[Alias, ...]:
    """Name layers of the model's own width that lie below each other in one weight."""
    return tuple((name, (at, 1)) for at, name in enumerate(names))
