"""Requests: what a person asks for, validated once and carried unchanged to the plugin."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from isengard.domain.base import Value
from isengard.domain.synthetic import SyntheticRequest

MAX_PROMPT_CHARS = 4000
MAX_PICTURES = 64  # of one job
MAX_GRID_EDGE = 20
Prompt = Annotated[str, Field(max_length=MAX_PROMPT_CHARS)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]

Edge = Annotated[int, Field(ge=64, le=2048, multiple_of=8)]
Optimizer = Literal["adamw", "adamw8bit", "prodigy", "prodigy8bit", "lion8bit", "automagic"]
Schedule = Literal["constant", "constant_with_warmup", "cosine"]
Timesteps = Literal["sigmoid", "linear", "weighted", "shift"]
Bits = Literal[16, 8, 6, 4, 3]


class TrainingConfig(Value):
    """How to train. A field left out takes the preset's value for the base model."""

    method: Literal["lora"] = "lora"
    base_model: str = Field(default="", description="Registry id; empty: the best one this machine can train.")
    preset: Literal["quick", "balanced", "best"] = "balanced"
    steps: int | None = Field(default=None, ge=1, le=100_000)
    learning_rate: float | None = Field(default=None, gt=0, le=10)
    lora_rank: int | None = Field(default=None, ge=1, le=512)
    lora_alpha: float | None = Field(default=None, gt=0, le=1024)
    batch_size: int | None = Field(default=None, ge=1, le=64)
    gradient_accumulation: int = Field(default=1, ge=1, le=64)
    resolution: int | None = Field(default=None, ge=64, le=2048, multiple_of=8)
    flip: bool = Field(default=True, description="Train on mirrored copies too.")
    save_every: int | None = Field(default=None, ge=1, description="Steps between checkpoints.")
    sample_every: int | None = Field(default=None, ge=1, description="Steps between sample pictures.")
    sample_prompts: tuple[Prompt, ...] = Field(default=(), max_length=8)
    seed: Seed = 42
    image_count: int | None = Field(
        default=None, ge=1, le=100_000, description="Pictures of the character, which the steps are scaled to."
    )
    resolutions: tuple[Edge, ...] = Field(
        default=(), max_length=4, description="Edges to train at, in pixels; several make details hold at any size."
    )
    optimizer: Optimizer | None = Field(default=None, description="How weights are changed; 8 bit saves memory.")
    weight_decay: float | None = Field(default=None, ge=0, le=1, description="Pull towards zero: against overtraining.")
    lr_scheduler: Schedule | None = Field(default=None, description="How the learning rate changes over the steps.")
    warmup_steps: int | None = Field(default=None, ge=0, le=10_000, description="Steps until the full learning rate.")
    timestep_type: Timesteps | None = Field(
        default=None, description="Which noise levels are trained most; sigmoid (the middle ones) suits faces."
    )
    dropout: float | None = Field(default=None, ge=0, le=0.9, description="Share of the LoRA left out at each step.")
    caption_dropout: float | None = Field(
        default=None, ge=0, le=1, description="Share of the steps without a caption, so that the face needs no words."
    )
    shuffle_captions: bool = Field(default=False, description="Mix the comma-separated parts of captions.")
    ema_decay: float | None = Field(
        default=None, ge=0, lt=1, description="Average of the weights over the steps, such as 0.99; 0 is off."
    )
    preserve_class: str | None = Field(
        default=None, max_length=60, description="Such as 'person': keeps others unchanged, takes twice the time."
    )
    train_text_encoder: bool = Field(default=False, description="SD 1.5 and SDXL alone: learn the words too.")
    weight_bits: Bits | None = Field(default=None, description="Bits of the base model's weights; fewer save memory.")
    text_encoder_bits: Bits | None = Field(default=None, description="Bits of the text encoder's weights.")
    low_vram: bool | None = Field(default=None, description="Keep in main memory what is not in use. Slower.")
    layer_offloading: float | None = Field(
        default=None, ge=0, le=1, description="Share of the layers kept in main memory. Much slower."
    )
    gradient_checkpointing: bool | None = Field(default=None, description="Less memory, a third more time.")
    cache_text_embeddings: bool | None = Field(
        default=None, description="Read captions once, then unload the text encoder; no caption is left out then."
    )
    precision: Literal["bf16", "fp16", "fp32"] | None = Field(default=None, description="Numbers of the training.")
    sample_steps: int | None = Field(default=None, ge=1, le=100, description="Steps of a sample picture.")
    sample_guidance_scale: float | None = Field(default=None, ge=0, le=30, description="Guidance of sample pictures.")


class TrainingRequest(Value):
    """Train a LoRA on a character's pictures."""

    character_id: str = Field(min_length=1, max_length=80)
    config: TrainingConfig = TrainingConfig()
    start_from: str = Field(default="", max_length=120, description="Id of a LoRA to go on from; empty: from nothing.")


class LoraUse(Value):
    """A LoRA in a generation."""

    id: str
    strength: float = Field(default=1.0, ge=-4, le=4)


Task = Literal["txt2img", "img2img", "upscale", "edit", "face_adapter"]
GridField = Literal["lora", "lora_strength", "steps", "guidance_scale", "seed", "prompt", "sampler", "scheduler"]


class GridAxis(Value):
    """One setting that changes along a comparison grid. ``prompt``: the first value is replaced by each of them."""

    field: GridField
    values: tuple[str | int | float, ...] = Field(min_length=1, max_length=MAX_GRID_EDGE)


class Grid(Value):
    """A picture for each pair of values; all else, the seed too, stays the same."""

    x: GridAxis
    y: GridAxis | None = None


class GenerationRequest(Value):
    """Generate pictures. ``character_id`` stands for that character's newest LoRA."""

    prompt: str = Field(min_length=1, max_length=MAX_PROMPT_CHARS)
    character_id: str | None = None
    loras: tuple[LoraUse, ...] = Field(default=(), max_length=8)
    lora_strength: float = Field(default=1.0, ge=-4, le=4, description="For the LoRA that character_id stands for.")
    base_model: str = Field(default="", description="Registry id; empty: the LoRA's own, else the best one here.")
    negative_prompt: str = Field(default="", max_length=MAX_PROMPT_CHARS)
    width: int | None = Field(default=None, ge=64, le=4096, multiple_of=8)
    height: int | None = Field(default=None, ge=64, le=4096, multiple_of=8)
    steps: int | None = Field(default=None, ge=1, le=200)
    guidance_scale: float | None = Field(default=None, ge=0, le=50)
    sampler: str | None = Field(default=None, max_length=40)
    scheduler: str | None = Field(default=None, max_length=40)
    seed: Seed | None = Field(default=None, description="None: drawn when the job is made, and kept.")
    count: int = Field(default=1, ge=1, le=MAX_PICTURES)
    prompts: tuple[Prompt, ...] = Field(
        default=(), max_length=MAX_PICTURES, description="What each picture shows, one a picture; empty: all `prompt`."
    )
    init_image: str | None = Field(
        default=None, max_length=120, description="Id of a picture to start from: of the gallery, or sent before."
    )
    denoise: float | None = Field(default=None, gt=0, le=1, description="How much of `init_image` is drawn anew.")
    upscale_by: float | None = Field(default=None, ge=1, le=4, description="Makes `init_image` larger by this factor.")
    workflow: str = Field(default="", max_length=80, description="Id of a workflow; empty: the base model's own.")
    grid: Grid | None = Field(default=None, description="A comparison grid in place of `count` pictures.")

    @property
    def task(self) -> Task:
        """What it takes: words alone, a picture to start from, or a picture to make larger."""
        if self.init_image is None:
            return "txt2img"
        return "img2img" if self.upscale_by is None else "upscale"

    @model_validator(mode="after")
    def _makes_sense(self) -> GenerationRequest:
        if not self.prompt.strip():
            msg = "prompt is empty"
        elif self.init_image is None and (self.denoise or self.upscale_by):
            msg = "denoise and upscale_by need an init_image"
        elif self.prompts and len(self.prompts) != self.count:
            msg = f"prompts has {len(self.prompts)} entries for {self.count} pictures"
        elif self.grid:
            msg = self._wrong_with_grid(self.grid)
        else:
            return self
        if msg:
            raise ValueError(msg)
        return self

    def _wrong_with_grid(self, grid: Grid) -> str:
        cells = len(grid.x.values) * (len(grid.y.values) if grid.y else 1)
        if self.count > 1 or self.prompts:
            return "a grid has one picture a cell: leave out count and prompts"
        if cells > MAX_PICTURES:
            return f"the grid has {cells} cells; at most {MAX_PICTURES} pictures are made at once"
        return "both axes of the grid change the same setting" if grid.y and grid.x.field == grid.y.field else ""


class DownloadRequest(Value):
    """Fetch files of a registry row. ``source`` is one of the row's sources; empty: its first."""

    model_id: str = Field(min_length=1, max_length=80)
    source: str = Field(default="", max_length=80)


Request = TrainingRequest | GenerationRequest | DownloadRequest | SyntheticRequest
JobType = Literal["training", "generation", "download", "synthetic"]
