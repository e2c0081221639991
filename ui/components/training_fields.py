"""The advanced settings of a training: each with its range and one line that says what it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import gradio as gr

from isengard.domain.request import TrainingConfig
from ui.components.fields import number_field

Look = Literal["number", "choice", "switch", "flag", "edges", "text", "lines"]
SWITCH = [("On", "yes"), ("Off", "no")]
ON = {"yes": True, "no": False}


@dataclass(frozen=True)
class Setting:
    """One field of TrainingConfig as a person meets it."""

    name: str
    label: str
    about: str
    look: Look = "number"

    @property
    def elem_id(self) -> str:
        """For styles and tests."""
        return f"training-{self.name.replace('_', '-')}"

    @property
    def info(self) -> str:
        """The explanation, with the range where there is one."""
        return f"{self.about} {range_of(self.name)}".strip() if self.look == "number" else self.about


GROUPS: Mapping[str, tuple[Setting, ...]] = {
    "Learning": (
        Setting("steps", "Steps", "How long it learns: too few bring no likeness, too many copy the photos."),
        Setting("learning_rate", "Learning rate", "How large each step is. Halve it when the loss jumps about."),
        Setting("lora_rank", "Rank", "How much it can hold. Higher keeps finer detail in a larger file."),
        Setting("lora_alpha", "Alpha", "How strongly it acts; usually the same as the rank."),
        Setting("batch_size", "Batch size", "Pictures a step. More is steadier and takes more memory."),
        Setting("gradient_accumulation", "Gradient accumulation", "Batches a step: a larger batch without the memory."),
        Setting("optimizer", "Optimizer", "How weights are changed. Those with 8 bits save memory.", "choice"),
        Setting("weight_decay", "Weight decay", "A pull towards zero, against overtraining."),
        Setting("lr_scheduler", "Learning rate schedule", "How the rate changes over the steps.", "choice"),
        Setting("warmup_steps", "Warm-up steps", "Steps until the full rate; for the schedule with warm-up."),
        Setting("timestep_type", "Noise levels", "Which are trained most; sigmoid, the middle, suits faces.", "choice"),
        Setting("dropout", "Dropout", "Share of the LoRA left out at each step, against overtraining."),
        Setting("caption_dropout", "Caption dropout", "Share of the steps without a caption."),
        Setting("ema_decay", "EMA decay", "Averages the weights over the steps, such as 0.99; 0 is off."),
        Setting("preserve_class", "Keep others unchanged", "A class such as person. Takes twice the time.", "text"),
        Setting("train_text_encoder", "Train the text encoder too", "Learns the words too; overtrains soon.", "flag"),
        Setting("seed", "Seed", "The same seed and settings train the same LoRA."),
    ),
    "Pictures": (
        Setting("resolution", "Resolution", "Edge in pixels that pictures are trained at; a multiple of 8."),
        Setting("resolutions", "Resolutions", "Edges in pixels, such as 512, 768: details hold at any size.", "edges"),
        Setting("flip", "Train on mirrored copies too", "Off when left and right matter: a scar, a parting.", "flag"),
        Setting("shuffle_captions", "Shuffle captions", "Mixes the comma-separated parts of captions.", "flag"),
    ),
    "Memory and speed": (
        Setting("weight_bits", "Bits of the weights", "Fewer save GPU memory; below 8 the likeness suffers.", "choice"),
        Setting("text_encoder_bits", "Bits of the text encoder", "Fewer save GPU memory; 8 costs nothing.", "choice"),
        Setting("precision", "Precision", "Numbers of the training; bf16 on any recent GPU.", "choice"),
        Setting("gradient_checkpointing", "Gradient checkpointing", "Much less memory, a third more time.", "switch"),
        Setting("cache_text_embeddings", "Read captions once", "Frees the text encoder; no caption dropout.", "switch"),
        Setting("low_vram", "Low GPU memory", "Keeps in main memory what is not in use. Slower.", "switch"),
        Setting("layer_offloading", "Layers in main memory", "Share of them. Saves most, and is much slower."),
    ),
    "Checkpoints and samples": (
        Setting("save_every", "Checkpoint every", "Steps between saves that a broken run goes on from."),
        Setting("sample_every", "Sample every", "Steps between sample pictures."),
        Setting("sample_steps", "Steps of a sample", "More are finer and take longer."),
        Setting("sample_guidance_scale", "Guidance of a sample", "How closely it follows its prompt."),
        Setting("sample_prompts", "Sample prompts", "One a line, at most 8; empty: a portrait.", "lines"),
    ),
}
SETTINGS: tuple[Setting, ...] = tuple(setting for group in GROUPS.values() for setting in group)


def range_of(name: str) -> str:
    """Return the range of a number as TrainingConfig has it: '1 to 512.'; '' where there is none."""
    limits = {
        bound: limit
        for part in TrainingConfig.model_fields[name].metadata
        for bound in ("ge", "gt", "le", "lt")
        if (limit := getattr(part, bound, None)) is not None
    }
    low = f"{limits['ge']:,}" if "ge" in limits else f"over {limits['gt']:,}"
    if "lt" in limits:
        return f"{low} to under {limits['lt']:,}.".capitalize()
    return (f"{low} to {limits['le']:,}." if "le" in limits else f"{low} or more.").capitalize()


def draw(setting: Setting) -> Any:
    """Draw the field of a setting."""
    if setting.look in {"choice", "switch"}:
        choices = offers(setting, "")
        return gr.Dropdown(choices, value="", label=setting.label, info=setting.info, elem_id=setting.elem_id)
    if setting.look == "flag":
        value = bool(TrainingConfig.model_fields[setting.name].default)
        return gr.Checkbox(value=value, label=setting.label, info=setting.info, elem_id=setting.elem_id)
    if setting.look == "lines":
        return gr.Textbox(label=setting.label, lines=2, info=setting.info, elem_id=setting.elem_id)
    return number_field(setting.label, setting.info, setting.elem_id)


def offers(setting: Setting, preset: str) -> list[tuple[str, str]]:
    """Return what a drop-down offers, first what the preset says."""
    first = f"As the preset{f': {preset}' if preset else ''}"
    if setting.look == "switch":
        return [(first, ""), *SWITCH]
    return [(first, ""), *((str(value), str(value)) for value in _values(setting.name))]


def shown(setting: Setting, value: Any, *, visible: bool) -> Any:
    """Return how a field looks where the preset says ``value``."""
    if setting.look in {"choice", "switch"}:
        return gr.Dropdown(choices=offers(setting, spoken(value)), visible=visible)
    if setting.look == "flag":
        return gr.Checkbox(visible=visible)
    return gr.Textbox(placeholder=spoken(value), visible=visible)


def spoken(value: Any) -> str:
    """Put a value of the config into words."""
    if value is None or value in ((), ""):
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple | list):
        return ", ".join(str(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def filled_in(setting: Setting, value: Any) -> Any:
    """Return what a field must hold to mean ``value``."""
    if setting.look == "switch":
        return {True: "yes", False: "no"}[value]
    return bool(value) if setting.look == "flag" else spoken(value)


def typed(setting: Setting, value: Any) -> Any:
    """Return what a person chose, as TrainingConfig takes it; None for a field left as it is."""
    if setting.look == "flag":
        return bool(value)
    if value in (None, ""):
        return None
    if setting.look == "switch":
        return ON[value]
    if setting.look == "edges":
        return tuple(value.replace(",", " ").split())
    if setting.look == "lines":
        return tuple(line.strip() for line in value.splitlines() if line.strip())
    return int(value) if setting.name.endswith("_bits") else value


def _values(name: str) -> list[Any]:
    """Return the values of a choice, without None."""
    return [value for part in get_args(TrainingConfig.model_fields[name].annotation) for value in get_args(part)]
