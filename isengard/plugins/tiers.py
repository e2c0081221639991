"""The ladder that a training's settings go down until it fits the memory: what costs the result least comes first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from isengard.domain.base_model import BaseModelRow
from isengard.domain.lease import Needs
from isengard.domain.request import TrainingConfig, TrainingRequest
from isengard.plugins.protocols import TrainingBackend

Changes = Mapping[str, Any]
Rung = Callable[[TrainingConfig, BaseModelRow], Changes]
WORTH = 0.95  # of the memory: a tier that frees less than a twentieth would run out again
EDGE_STEP = 32  # pixels; every family's latents and patches divide it
MOST_ACCUMULATED = 64


@dataclass(frozen=True)
class Tier:
    """A request on the ladder: what is changed of the one at the top, and what it needs then."""

    request: TrainingRequest
    needs: Needs
    changes: tuple[Changes, ...]

    @property
    def changed(self) -> dict[str, Any]:
        """All changes as one; the last of each field counts."""
        return {name: value for changes in self.changes for name, value in changes.items()}


def _checkpointing(config: TrainingConfig, _row: BaseModelRow) -> Changes:
    return {} if config.gradient_checkpointing is not False else {"gradient_checkpointing": True}


def _half_batch(config: TrainingConfig, _row: BaseModelRow) -> Changes:
    """Halve the batch and accumulate twice as many: the same mathematics in half the memory."""
    batch = config.batch_size or 1
    parts = 2 if batch % 2 == 0 else batch
    accumulated = config.gradient_accumulation * parts
    if batch == 1 or accumulated > MOST_ACCUMULATED:
        return {}
    return {"batch_size": batch // parts, "gradient_accumulation": accumulated}


def _captions_once(config: TrainingConfig, _row: BaseModelRow) -> Changes:
    return {} if config.cache_text_embeddings else {"cache_text_embeddings": True, "caption_dropout": 0.0}


def _low_vram(config: TrainingConfig, _row: BaseModelRow) -> Changes:
    return {} if config.low_vram else {"low_vram": True}


def _weights(bits: int) -> Rung:
    return lambda config, _row: {"weight_bits": bits} if (config.weight_bits or 16) > bits else {}


def _texts(bits: int) -> Rung:
    return lambda config, _row: {"text_encoder_bits": bits} if (config.text_encoder_bits or 16) > bits else {}


def _edge(share: float) -> Rung:
    """Leave out the edges above a share of the base model's own."""

    def rung(config: TrainingConfig, row: BaseModelRow) -> Changes:
        most = max(2 * EDGE_STEP, int(row.resolution * share) // EDGE_STEP * EDGE_STEP)
        if config.resolutions:
            kept = tuple(edge for edge in config.resolutions if edge <= most) or (most,)
            return {"resolutions": kept} if kept != config.resolutions else {}
        return {"resolution": most} if (config.resolution or row.resolution) > most else {}

    return rung


def _offload(share: float) -> Rung:
    return lambda config, _row: {"layer_offloading": share} if (config.layer_offloading or 0) < share else {}


def _rank(most: int) -> Rung:
    return lambda config, _row: {"lora_rank": most} if (config.lora_rank or 0) > most else {}


LADDER: tuple[Rung, ...] = (
    _checkpointing,
    _half_batch,
    _half_batch,
    _half_batch,
    _texts(8),
    _captions_once,
    _low_vram,
    _weights(8),
    _edge(0.75),
    _edge(0.5),
    _weights(6),
    _weights(4),
    _offload(0.5),
    _offload(1.0),
    _rank(32),
    _rank(16),
)
RESHAPES = {"lora_rank"}  # a checkpoint of another rank cannot be gone on from


def scarce(needs: Needs, device: str) -> float:
    """Return the memory that a device runs out of first, in GB."""
    return needs.ram_gb if device == "cpu" else needs.vram_gb


def tiers(backend: TrainingBackend, request: TrainingRequest, row: BaseModelRow, device: str) -> Iterator[Tier]:
    """Yield the requests below this one, each changed once more and with less need of the device's memory."""
    settings = backend.abilities(row, device).settings
    tier = Tier(request, backend.needs(request, row), ())
    for rung in LADDER:
        changes = rung(backend.defaults(tier.request, row).config, row)
        if not changes or not changes.keys() <= settings:
            continue
        below = changed(tier.request, changes)
        needs = backend.needs(below, row)
        if scarce(needs, device) < scarce(tier.needs, device):
            tier = Tier(below, needs, (*tier.changes, changes))
            yield tier


def next_tier_down(
    backend: TrainingBackend, request: TrainingRequest, row: BaseModelRow, device: str
) -> TrainingRequest | None:
    """Return what to try after memory ran out, None when nothing is left; it can go on from the same checkpoint.

    ``device`` names the memory that ran out: ``cuda`` for a GPU's, ``cpu`` for the main memory.
    """
    before = scarce(backend.needs(request, row), device)
    for tier in tiers(backend, request, row, device):
        if tier.changed.keys() & RESHAPES:
            return None
        if scarce(tier.needs, device) <= before * WORTH:
            return tier.request
    return None


def nearest_fit(
    backend: TrainingBackend, request: TrainingRequest, row: BaseModelRow, device: str, fits: Callable[[Needs], bool]
) -> Tier | None:
    """Return the first tier that fits, without the changes that it does not need; None when none does."""
    found = next((tier for tier in tiers(backend, request, row, device) if fits(tier.needs)), None)
    if found is None:
        return None
    for changes in found.changes:
        fewer = tuple(kept for kept in found.changes if kept is not changes)
        tried = request
        for kept in fewer:
            tried = changed(tried, kept)
        needs = backend.needs(tried, row)
        if fits(needs):
            found = Tier(tried, needs, fewer)
    return found


def changed(request: TrainingRequest, changes: Changes) -> TrainingRequest:
    """Return the request with other settings."""
    config = TrainingConfig.model_validate(request.config.model_dump() | dict(changes))
    return request.model_copy(update={"config": config})


def in_words(changes: Changes) -> str:
    """Say what is changed: '768 px with 8-bit weights and rank 16'."""
    edge = max(changes.get("resolutions", (changes.get("resolution", 0),)))
    said = [words(changes[name]) for name, words in _WORDS.items() if changes.get(name)]
    others = " and ".join(part for part in (", ".join(said[:-1]), *said[-1:]) if part)
    return " with ".join(part for part in (f"{edge} px" if edge else "", others) if part)


_WORDS: dict[str, Callable[[Any], str]] = {
    "weight_bits": lambda bits: f"{bits}-bit weights",
    "text_encoder_bits": lambda bits: f"{bits}-bit text encoders",
    "batch_size": lambda batch: f"{'batches' if batch > 1 else 'a batch'} of {batch}",
    "lora_rank": lambda rank: f"rank {rank}",
    "gradient_checkpointing": lambda _: "gradient checkpointing",
    "cache_text_embeddings": lambda _: "captions read once",
    "low_vram": lambda _: "idle parts in main memory",
    "layer_offloading": lambda share: f"{share:.0%} of the layers in main memory".replace("%", " %"),
}
