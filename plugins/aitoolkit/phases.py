"""What AI-Toolkit is at, in words for people."""

from __future__ import annotations

import re

from plugins.aitoolkit.channels import JobRow
from plugins.aitoolkit.said import Said

BARS = {  # by how the bar's name begins
    "Caching latents": "Caching latents",
    "Caching text": "Caching captions",
    "Generating": "Drawing samples",
    "Loading": "Loading the model",
    "Quantizing": "Quantizing",
}
PARTS = {
    "transformer": "the transformer",
    "vae": "the VAE",
    "t5": "the text encoder T5",
    "clip": "the text encoder CLIP",
    "text encoder": "the text encoder",
    "qwen3": "the text encoder Qwen3",
    "assistant lora": "the training adapter",
}
SPOKEN = {
    "Starting": "Starting AI-Toolkit",
    "Loading model": "Loading the model",
    "Loading dataset": "Reading the pictures",
    "Training": "Training",
    "Saving model": "Saving a checkpoint",
    "Making pipe": "Preparing the model",
    "Preparing Model": "Preparing the model",
    "Model Loaded": "Preparing the model",
    "Text Encoder": "Loading the text encoder",
    "Training completed": "Checking the result",
    "Job stopped": "Stopping",
}
BEGUN = {
    "create LoRA": "Preparing the model",
    "Caching latents": "Caching latents",
    "Caching text": "Caching captions",
    "Generating": "Drawing samples",
}
_DRAWING = re.compile(r"Generating images - (\d+)/(\d+)")
_DOING = re.compile(r"(Loading|Quantizing|Moving|Merging in|Merging|Fetching)\s+(.+)", re.IGNORECASE)


def phase_of(row: JobRow, said: Said) -> str:
    """Return the phase: what it put into its job table, made finer by the bar and the lines that it printed."""
    loading = row.info in {"", "Starting", "Loading model", "Loading dataset"}
    if loading and said.bar and (told := _bar(said)):
        return told
    if loading and said.phase and not row.info.startswith("Loading dataset"):
        return words_for(said.phase)
    return words_for(row.info) if row.info else ("Training" if said.step else "Starting AI-Toolkit")


def _bar(said: Said) -> str:
    bar = said.bar
    if bar is None:
        return ""
    words = next((words for start, words in BARS.items() if bar.name.startswith(start)), "")
    return f"{words} {bar.done}/{bar.total}" if words else ""


def words_for(text: str) -> str:
    """Put one of its status lines into words."""
    if text in SPOKEN:
        return SPOKEN[text]
    if drawing := _DRAWING.match(text):
        return f"Drawing samples {drawing[1]}/{drawing[2]}"
    if begun := next((words for start, words in BEGUN.items() if text.startswith(start)), ""):
        return begun
    if doing := _DOING.match(text):
        part = doing[2].strip()
        return f"{doing[1].capitalize()} {PARTS.get(part.lower(), part)}"
    return text
