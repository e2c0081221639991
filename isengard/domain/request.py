"""Requests: what a person asks for, validated once and carried unchanged to the plugin."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from isengard.domain.base import Value

MAX_PROMPT_CHARS = 4000
Prompt = Annotated[str, Field(max_length=MAX_PROMPT_CHARS)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


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


class TrainingRequest(Value):
    """Train a LoRA on a character's pictures."""

    character_id: str = Field(min_length=1, max_length=80)
    config: TrainingConfig = TrainingConfig()


class LoraUse(Value):
    """A LoRA in a generation."""

    id: str
    strength: float = Field(default=1.0, ge=-4, le=4)


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
    count: int = Field(default=1, ge=1, le=64)

    @model_validator(mode="after")
    def _has_words(self) -> GenerationRequest:
        if not self.prompt.strip():
            msg = "prompt is empty"
            raise ValueError(msg)
        return self


Request = TrainingRequest | GenerationRequest
JobType = Literal["training", "generation"]
