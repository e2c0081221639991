"""What a LoRA file shall say of itself, in the names that kohya's trainer and ModelSpec gave these things."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from isengard.domain.base_model import BaseModelRow
from isengard.domain.lora import Lora

# ss_base_model_version as kohya's and AI-Toolkit's files have it; Stability-AI/ModelSpec's architecture ids.
ARCHITECTURES = {
    "sd15": ("sd_v1", "stable-diffusion-v1/lora"),
    "sdxl": ("sdxl_base_v1-0", "stable-diffusion-xl-v1-base/lora"),
    "flux": ("flux1", "flux-1-dev/lora"),
    "flux2": ("flux2", "flux-2/lora"),
    "z-image": ("zimage", "z-image/lora"),
    "qwen-image": ("qwen_image", "qwen-image/lora"),
    "krea2": ("krea2", "krea-2/lora"),
}
CONFIGURED = {  # kohya's name for it: ours
    "ss_learning_rate": "learning_rate",
    "ss_max_train_steps": "steps",
    "ss_seed": "seed",
    "ss_batch_size_per_device": "batch_size",
    "ss_gradient_accumulation_steps": "gradient_accumulation",
    "ss_optimizer": "optimizer",
    "ss_lr_scheduler": "lr_scheduler",
    "ss_lr_warmup_steps": "warmup_steps",
    "ss_network_dropout": "dropout",
    "ss_caption_dropout_rate": "caption_dropout",
    "ss_mixed_precision": "precision",
    "ss_gradient_checkpointing": "gradient_checkpointing",
}
TAGS_KEPT = 1000  # the file's header stays small, whatever the captions are


def metadata_of(lora: Lora, base: BaseModelRow) -> dict[str, str]:
    """Return all that is known of a trained version as safetensors metadata; what is not known is left out."""
    said = {
        **_kohya(lora, base),
        **_modelspec(lora, base),
        "trigger_word": lora.trigger_word,
        "base_model": base.id,
        "isengard": json.dumps(_lineage(lora), ensure_ascii=False),
    }
    return {name: str(value) for name, value in said.items() if value not in (None, "")}


def tag_frequency(captions: Iterable[str]) -> dict[str, int]:
    """Count the comma-separated parts of captions, most frequent first."""
    tags = (tag.strip() for caption in captions for tag in caption.split(","))
    return dict(Counter(tag for tag in tags if tag).most_common(TAGS_KEPT))


def _kohya(lora: Lora, base: BaseModelRow) -> dict[str, Any]:
    edge = lora.config.get("resolution")
    return {
        **{theirs: lora.config.get(ours) for theirs, ours in CONFIGURED.items()},
        "ss_network_module": "networks.lora",
        "ss_network_dim": lora.rank,
        "ss_network_alpha": f"{lora.alpha:g}",
        "ss_base_model_version": _architecture(base)[0],
        "ss_sd_model_name": base.id,
        "ss_new_sd_model_hash": lora.base_model_sha256,
        "ss_output_name": lora.label,
        "ss_steps": lora.steps,
        "ss_num_train_images": lora.image_count,
        "ss_resolution": f"({edge}, {edge})" if edge else "",
        "ss_tag_frequency": json.dumps({f"1_{lora.trigger_word}": lora.tag_frequency}, ensure_ascii=False),
        "ss_training_finished_at": lora.created_at.timestamp(),
    }


def _modelspec(lora: Lora, base: BaseModelRow) -> dict[str, Any]:
    edge = lora.config.get("resolution")
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": _architecture(base)[1],
        "modelspec.title": lora.label,
        "modelspec.trigger_phrase": lora.trigger_word,
        "modelspec.resolution": f"{edge}x{edge}" if edge else "",
        "modelspec.date": lora.created_at.isoformat(timespec="seconds"),
    }


def _architecture(base: BaseModelRow) -> tuple[str, str]:
    return ARCHITECTURES.get(base.family, (base.family, f"{base.family}/lora"))


def _lineage(lora: Lora) -> dict[str, Any]:
    return {
        "id": lora.id,
        "job": lora.job_id,
        "parent": lora.parent_id,
        "base_model": lora.base_model,
        "base_model_sha256": lora.base_model_sha256,
        "dataset_hash": lora.dataset_hash,
        "tools": lora.tool_versions,
    }
