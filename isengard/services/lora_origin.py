"""Which base model a LoRA from elsewhere was made for: what each image backend says of the file, weighed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from isengard.domain.base import Value
from isengard.domain.base_model import BaseModelRow
from isengard.domain.lora import LoraFacts
from isengard.errors import InvalidInput
from isengard.services.choice import BaseModelChoice

TRIGGERS = ("trigger_word", "modelspec.trigger_phrase")
NAMED = 4  # base models that a sentence lists


class LoraReport(Value):
    """What is known of a LoRA file before it is taken in."""

    facts: LoraFacts
    base_models: tuple[str, ...]  # that it may be for, the likeliest first
    certain: bool
    summary: str
    doubt: str = ""
    trigger_word: str = ""


def report_on(path: Path, choice: BaseModelChoice) -> LoraReport:
    """Describe a file; raise InvalidInput when it is no whole .safetensors file."""
    rows = choice.registry.base_models()
    facts = _weighed([backend.describe_lora(path, rows) for backend in choice.plugins.image])
    candidates = _candidates(facts, choice)
    facts = facts.model_copy(update={"families": tuple(dict.fromkeys(row.family for row in candidates))})
    certain = _is_certain(facts, candidates)
    return LoraReport(
        facts=facts,
        base_models=tuple(row.id for row in candidates),
        certain=certain,
        summary=_summary(facts),
        doubt="" if certain else _doubt(facts, candidates),
        trigger_word=_trigger(facts.metadata),
    )


def check_family(facts: LoraFacts, base: BaseModelRow) -> None:
    """Raise InvalidInput when the file cannot be for a base model, as far as its names tell."""
    if base.family not in facts.families or _too_wide(facts, base):
        raise InvalidInput(
            f"This LoRA was not made for {base.name}: it is a {_summary(facts)}.",
            "Choose the base model that the LoRA was trained on.",
        )


def _weighed(found: Sequence[LoraFacts]) -> LoraFacts:
    """Return the facts of the backend that compared real weights, else of the one that knows most of the names."""
    best = max(found, key=lambda facts: (bool(facts.fits), facts.known))
    fits = tuple(dict.fromkeys(id_ for facts in found if facts.families == best.families for id_ in facts.fits))
    return best.model_copy(update={"fits": fits})


def _candidates(facts: LoraFacts, choice: BaseModelChoice) -> list[BaseModelRow]:
    rows = [row for row in choice.registry.base_models() if row.family in facts.families]
    rows = [row for row in rows if not _too_wide(facts, row)]
    return sorted(
        rows, key=lambda row: (row.id not in facts.fits, not _named(facts, row), not choice.can_generate(row))
    )


def _too_wide(facts: LoraFacts, row: BaseModelRow) -> bool:
    return bool(row.width and facts.width) and row.width != facts.width


def _named(facts: LoraFacts, row: BaseModelRow) -> bool:
    """Tell whether the file's maker wrote down this base model."""
    said = {facts.metadata.get(name, "") for name in ("base_model", "ss_sd_model_name", "ss_base_model_version")}
    return row.id in said or (bool(row.trainer_arch) and row.trainer_arch in said)


def _is_certain(facts: LoraFacts, candidates: Sequence[BaseModelRow]) -> bool:
    sure = [row for row in candidates if _named(facts, row)]
    return len(candidates) == 1 or len(facts.fits) == 1 or len(sure) == 1


def _summary(facts: LoraFacts) -> str:
    """Say what it is: ``LoRA for sdxl in kohya's names, rank 16, 1,400 tensors``."""
    families = " or ".join(facts.families)
    parts = [
        f"{facts.algorithm} for {families}" if families else facts.algorithm,
        f"names as in {facts.key_format}" if facts.key_format else "",
        f"rank {facts.rank}" if facts.rank else "",
        f"{facts.keys:,} tensors" if facts.known == facts.keys else f"{facts.known:,} of {facts.keys:,} tensors known",
        "text encoder too" if facts.has_text_encoder else "",
    ]
    return ", ".join(part for part in parts if part)


def _doubt(facts: LoraFacts, candidates: Sequence[BaseModelRow]) -> str:
    if not candidates:
        return f"None of the {facts.keys} tensors in this file is known from a LoRA of a model in the Models tab."
    names = [row.name for row in candidates]
    listed = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    if len(facts.families) > 1:
        return f"Names and shapes in the file fit several architectures; nothing in it says which: {listed}."
    return f"The file fits several base models, and does not say which it was trained on: {listed}."


def _trigger(metadata: dict[str, str]) -> str:
    for name in TRIGGERS:
        if metadata.get(name, "").strip():
            return metadata[name].strip()[:60]
    with suppress(ValueError, AttributeError, TypeError, LookupError):  # a foreign file may say anything
        for tags in json.loads(metadata.get("ss_tag_frequency", "{}")).values():
            most = max(tags, key=lambda tag: tags[tag], default="")
            return str(most).strip()[:60]
    return ""
