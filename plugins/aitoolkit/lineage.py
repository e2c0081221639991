"""Completes the metadata inside a trained file, so that it says by itself what it is: keys of kohya's and modelspec."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from isengard.plugins.protocols import TrainingRun
from plugins.aitoolkit.archs import Arch

MODELSPEC = {  # Stability-AI/ModelSpec, architecture ids
    "sd1": "stable-diffusion-v1/lora",
    "sdxl": "stable-diffusion-xl-v1-base/lora",
    "flux": "flux-1-dev/lora",
    "zimage": "z-image/lora",
    "qwen_image": "qwen-image/lora",
    "krea2": "krea-2/lora",
    "flux2_klein_4b": "flux-2-klein-4b/lora",
    "flux2_klein_9b": "flux-2-klein-9b/lora",
}


def told(
    run: TrainingRun, arch: Arch, captions: Sequence[str], step: int, versions: Mapping[str, str]
) -> dict[str, str]:
    """Return what the file shall say: trigger word, base model, rank, alpha, how often each tag is in the captions."""
    config = run.request.config
    return {
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(config.lora_rank),
        "ss_network_alpha": f"{config.lora_alpha:g}",
        "ss_sd_model_name": run.base_model.id,
        "ss_new_sd_model_hash": run.base_model_sha256,
        "ss_learning_rate": f"{config.learning_rate:g}",
        "ss_optimizer": str(config.optimizer),
        "ss_lr_scheduler": str(config.lr_scheduler),
        "ss_seed": str(config.seed),
        "ss_steps": str(step),
        "ss_max_train_steps": str(config.steps),
        "ss_num_train_images": str(len(run.dataset)),
        "ss_resolution": ", ".join(f"{edge}x{edge}" for edge in config.resolutions),
        "ss_tag_frequency": json.dumps({f"1_{run.trigger_word}": tag_frequency(captions)}, ensure_ascii=False),
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": MODELSPEC[arch.key],
        "modelspec.implementation": "https://github.com/ostris/ai-toolkit",
        "modelspec.title": run.trigger_word,
        "modelspec.trigger_phrase": run.trigger_word,
        "isengard": json.dumps(
            {"job": run.job_id, "base_model": run.base_model.id, "dataset_hash": run.dataset_hash, "tools": versions},
            ensure_ascii=False,
        ),
    }


def tag_frequency(captions: Sequence[str]) -> dict[str, int]:
    """Count the comma-separated parts of the captions, most frequent first."""
    tags = (tag.strip() for caption in captions for tag in caption.split(","))
    return dict(Counter(tag for tag in tags if tag).most_common())


def complete(source: Path, target: Path, more: Mapping[str, str]) -> None:
    """Write the file again with more metadata, whole or not at all; the tensors are not touched."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.partial")
    with source.open("rb") as reader, draft.open("wb") as writer:
        header = json.loads(reader.read(int.from_bytes(reader.read(8), "little")))
        header["__metadata__"] = {**header.get("__metadata__", {}), **more}
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)  # tensors begin at a multiple of eight, as the format's writers do it
        writer.write(len(text).to_bytes(8, "little") + text)
        shutil.copyfileobj(reader, writer, 2**20)
        writer.flush()
        os.fsync(writer.fileno())
    draft.replace(target)
