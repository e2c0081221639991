"""A training request as AI-Toolkit's config file.

AI-Toolkit takes a key that it does not know for nothing and gives a missing one a default of its own, so every key is
written out, and every key is one that the checkout reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from isengard.domain.request import TrainingConfig
from isengard.errors import BackendUnavailable, InvalidInput
from isengard.plugins.protocols import TrainingRun
from plugins.aitoolkit.archs import Arch
from plugins.aitoolkit.place import TESTED, Place
from plugins.aitoolkit.words import safe_text

NAME = "lora"  # of its folder and files: it finds its checkpoints by how their names begin
KEEP_ALL = 9999  # it deletes by age what nobody may have looked at; we delete ourselves
ADAPTERS = ("*training_adapter*.safetensors", "training_adapter/*.safetensors")
OWN_KEYS = frozenset(  # read by name elsewhere than in its config classes
    {"type", "training_folder", "sqlite_db_path", "trigger_word", "performance_log_every", "training_seed", "device"}
    | {"network", "save", "logging", "datasets", "train", "model", "sample"}
)
PROMPTS = ("a portrait photo of [trigger]", "[trigger] walking through a city street, full body")
_HARMFUL = ("[", "]", "*", "?", "${", "_LoRA", "_refiner", "_t2i", "_cn")  # in a path: it searches by patterns


@dataclass(frozen=True)
class Folders:
    """Where a run's files lie, below the job's work folder."""

    root: Path

    @classmethod
    def of(cls, work: Path) -> Folders:
        """Name them."""
        return cls(work.resolve() / "aitoolkit")

    @property
    def out(self) -> Path:
        """What AI-Toolkit writes: checkpoints, samples, the loss."""
        return self.root / NAME

    @property
    def pictures(self) -> Path:
        """Pictures, captions, and its caches of them."""
        return self.root / "pictures"

    @property
    def config(self) -> Path:
        """What it is given."""
        return self.root / "training.yaml"

    @property
    def jobs(self) -> Path:
        """Its job table."""
        return self.root / "job.db"

    @property
    def loss(self) -> Path:
        """Its log of the loss."""
        return self.out / "loss_log.db"

    @property
    def log(self) -> Path:
        """All it said, bars excepted."""
        return self.root / "trainer.log"


class _Plain(yaml.SafeDumper):
    """Quotes every text: AI-Toolkit's reader takes more words for numbers than ours does."""


_Plain.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def write_recipe(run: TrainingRun, arch: Arch, place: Place, device: str) -> Folders:
    """Write the config of a run whose request is filled; return where its files lie.

    Raises InvalidInput for what cannot be trained, BackendUnavailable where the checkout is of another build.
    """
    folders = Folders.of(run.work_dir)
    recipe = recipe_of(run, arch, place, device)
    check_paths(folders, place.model_folder(run.base_model))
    check_known(recipe, arch, place)
    folders.root.mkdir(parents=True, exist_ok=True)
    folders.config.write_text(yaml.dump(recipe, Dumper=_Plain, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return folders


def recipe_of(run: TrainingRun, arch: Arch, place: Place, device: str) -> dict[str, Any]:
    """Return the whole config."""
    config = run.request.config
    folders = Folders.of(run.work_dir)
    process = {
        "type": "diffusion_trainer",
        "training_folder": str(folders.root),
        "sqlite_db_path": str(folders.jobs),
        "device": device,
        "trigger_word": safe_text(run.trigger_word),
        "performance_log_every": 10,
        "training_seed": config.seed,
        "network": _network(config, run.start_from),
        "save": {
            "dtype": "float16",
            "save_every": config.save_every,
            "max_step_saves_to_keep": KEEP_ALL,
            "save_format": "safetensors",
            "push_to_hub": False,
        },
        "logging": {"log_every": 1, "use_ui_logger": True, "use_wandb": False, "verbose": False},
        "datasets": [_dataset(config, folders.pictures)],
        "train": _train(config, arch),
        "model": _model(config, arch, place.model_folder(run.base_model), run.base_model.id),
        "sample": _sample(config, arch),
    }
    return {
        "job": "extension",
        "config": {"name": NAME, "process": [process]},
        "meta": {"name": "[name]", "version": "1.0"},
    }


def _network(config: TrainingConfig, start_from: Path | None) -> dict[str, Any]:
    return {
        "type": "lora",
        "linear": config.lora_rank,
        "linear_alpha": config.lora_alpha,
        "conv": None,
        "conv_alpha": None,
        "dropout": config.dropout or None,
        "transformer_only": True,
        "pretrained_lora_path": str(start_from) if start_from else None,
        "network_kwargs": {},
    }


def _dataset(config: TrainingConfig, pictures: Path) -> dict[str, Any]:
    return {
        "folder_path": str(pictures),
        "caption_ext": "txt",
        "default_caption": "",
        "caption_dropout_rate": config.caption_dropout,
        "shuffle_tokens": config.shuffle_captions,
        "keep_tokens": 1,
        "cache_latents": False,
        "cache_latents_to_disk": True,
        "cache_text_embeddings": config.cache_text_embeddings,
        "resolution": list(config.resolutions),
        "buckets": True,
        "num_repeats": 1,
        "is_reg": False,
        "network_weight": 1.0,
        "flip_x": config.flip,
        "flip_y": False,
        "num_workers": 0,  # workers need shared memory, of which containers have little
    }


def _train(config: TrainingConfig, arch: Arch) -> dict[str, Any]:
    warmup = {"num_warmup_steps": config.warmup_steps} if config.lr_scheduler == "constant_with_warmup" else {}
    return {
        "batch_size": config.batch_size,
        "steps": config.steps,
        "gradient_accumulation": config.gradient_accumulation,
        "gradient_accumulation_steps": 1,
        "train_unet": True,
        "train_text_encoder": config.train_text_encoder,
        "gradient_checkpointing": config.gradient_checkpointing,
        "noise_scheduler": "flowmatch" if arch.flow else "ddpm",
        "timestep_type": config.timestep_type if arch.flow else "sigmoid",
        "content_or_style": "balanced",
        "loss_type": "mse",
        "optimizer": config.optimizer,
        "optimizer_params": {"weight_decay": config.weight_decay},
        "lr": config.learning_rate,
        "lr_scheduler": config.lr_scheduler,
        "lr_scheduler_params": warmup,
        "max_grad_norm": 1.0,
        "dtype": config.precision,
        "ema_config": {"use_ema": bool(config.ema_decay), "ema_decay": config.ema_decay or 0.99},
        "cache_text_embeddings": config.cache_text_embeddings,
        "unload_text_encoder": False,
        "skip_first_sample": True,
        "force_first_sample": False,
        "disable_sampling": False,
        "diff_output_preservation": bool(config.preserve_class),
        "diff_output_preservation_class": safe_text(config.preserve_class or ""),
        "diff_output_preservation_multiplier": 1.0,
        "blank_prompt_preservation": False,
    }


def _model(config: TrainingConfig, arch: Arch, folder: Path, name: str) -> dict[str, Any]:
    adapter = next((path for pattern in ADAPTERS for path in sorted(folder.glob(pattern))), None)
    if adapter is None and name.endswith("-turbo"):
        raise InvalidInput(
            f"{name} is distilled and needs its training adapter, which is not here.",
            "Download it in the Models view, or train on the model that is not distilled.",
        )
    kwargs = {key: str(folder / value) if value.endswith("/") else value for key, value in arch.model_kwargs.items()}
    return {
        "name_or_path": str(folder),
        "arch": arch.key,
        "quantize": config.weight_bits != 16,
        "qtype": _qtype(config.weight_bits or 16, folder),
        "quantize_te": config.text_encoder_bits != 16,
        "qtype_te": _qtype(config.text_encoder_bits or 16, folder),
        "low_vram": config.low_vram,
        "layer_offloading": bool(config.layer_offloading),
        "layer_offloading_transformer_percent": config.layer_offloading,
        "layer_offloading_text_encoder_percent": config.layer_offloading,
        "assistant_lora_path": str(adapter) if adapter else None,
        "extras_name_or_path": str(folder),
        "model_kwargs": kwargs,
        "compile": False,
    }


def _qtype(bits: int, folder: Path) -> str:
    """Return the format by its bits; three need the adapter that wins back what they lose."""
    if bits in {16, 8}:
        return "qfloat8"
    recovery = next(iter(sorted(folder.glob(f"*torchao_uint{bits}*.safetensors"))), None)
    if recovery is None and bits == 3:
        raise InvalidInput("Weights of 3 bits need an accuracy recovery adapter, which is not here.", "Use 4 bits.")
    return f"uint{bits}|{recovery}" if recovery else f"uint{bits}"


def _sample(config: TrainingConfig, arch: Arch) -> dict[str, Any]:
    edge = max(config.resolutions)
    prompts = config.sample_prompts or PROMPTS
    return {
        "sampler": "flowmatch" if arch.flow else "ddpm",
        "sample_every": config.sample_every,
        "sample_start_step": 0,
        "width": edge,
        "height": edge,
        "neg": "",
        "seed": config.seed,
        "walk_seed": False,  # the same seed at every step, so that samples can be compared
        "guidance_scale": config.sample_guidance_scale,
        "sample_steps": config.sample_steps,
        "network_multiplier": 1.0,
        "format": "jpg",
        "samples": [{"prompt": safe_text(prompt)} for prompt in prompts],
    }


def check_paths(folders: Folders, model: Path) -> None:
    """Raise BackendUnavailable for paths in which AI-Toolkit would lose its own checkpoints."""
    for path in (str(folders.root), str(model)):
        harmful = [part for part in _HARMFUL if part in path]
        if harmful:
            raise BackendUnavailable(
                f"AI-Toolkit cannot work in '{path}': it misreads {' and '.join(harmful)} in a path.",
                "Move the volume to a folder without it (VOLUME_ROOT), then start Isengard again.",
            )


def check_known(recipe: Mapping[str, Any], arch: Arch, place: Place) -> None:
    """Raise BackendUnavailable where the checkout would silently ignore a key or the architecture."""
    process = recipe["config"]["process"][0]
    parts = [process["network"], process["save"], process["logging"], process["datasets"][0]]
    parts += [process["train"], process["model"], process["sample"], process["sample"]["samples"][0]]
    unknown = sorted({*process} - OWN_KEYS) + sorted({key for part in parts for key in part} - place.keys)
    if not arch.built_in and arch.key not in place.archs:
        unknown.append(f"the architecture {arch.key}")
    if unknown:
        error = BackendUnavailable(
            f"This AI-Toolkit ({place.version or 'unknown version'}) does not know {', '.join(unknown)}.",
            f"Run scripts/setup_backends ai-toolkit, which brings the tested version {TESTED[:12]}.",
        )
        error.retryable = False
        raise error
