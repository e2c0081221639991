"""The run's pictures as latents and text embeddings, encoded once."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open

from plugins.diffusers.engine.pipeline import encode_pictures, encode_text
from plugins.diffusers.engine.wishes import Wishes

ZOOM = 1.06  # room for four slightly different crops of each picture
GENERIC_SHARE = 0.25  # captions that say nothing but the trigger word, so that it alone brings the character


@dataclass
class Prior:
    """Drawings of the base model itself: they keep what the LoRA must not touch."""

    latents: torch.Tensor
    captions: list[dict[str, torch.Tensor]]

    def pick(self, rng: random.Random) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the latents [channels, height, width] of one drawing and its conditioning."""
        index = rng.randrange(len(self.captions))
        return self.latents[index], self.captions[index]


@dataclass
class Dataset:
    """``views[i]`` holds the latents of every crop and mirror of picture i."""

    views: list[torch.Tensor]
    captions: list[dict[str, torch.Tensor]]
    generic: list[dict[str, torch.Tensor]]

    def pick(self, rng: random.Random) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the latents of one view and a conditioning: its caption, or at times only the trigger word."""
        index = rng.randrange(len(self.views))
        view = self.views[index][rng.randrange(len(self.views[index]))]
        if rng.random() < GENERIC_SHARE:
            return view, self.generic[rng.randrange(len(self.generic))]
        return view, self.captions[index]


def load_dataset(pipe: Any, message: dict[str, Any], wishes: Wishes, tell: Any) -> Dataset:
    """Encode all pictures and captions."""
    config, items = message["config"], message["dataset"]
    views = []
    for n, item in enumerate(items):
        wishes.heed()
        tell(f"Encoding pictures {n + 1}/{len(items)}")
        views.append(encode_pictures(pipe, _views(item["image"], config["resolution"], flip=config["flip"])))
    trigger = message["trigger_word"]
    captions = encode_text(pipe, [item["caption"] for item in items])
    generic = encode_text(pipe, [f"a photo of {trigger}", f"portrait of {trigger}", trigger])
    return Dataset(views, captions, generic)


def load_prior(pipe: Any, folder: str) -> Prior | None:
    """Read the base model's prior-preservation set, if it has one, and encode its captions."""
    path = Path(folder) / "prior.safetensors"
    if not path.exists():
        return None
    with safe_open(str(path), "pt") as file:
        captions = encode_text(pipe, json.loads(file.metadata()["captions"]))
        return Prior(file.get_tensor("latents").float(), captions)


def _views(path: str, resolution: int, *, flip: bool) -> torch.Tensor:
    with Image.open(path) as image:
        square = _square(image.convert("RGB"))
    large = round(resolution * ZOOM)
    zoomed = square.resize((large, large), Image.Resampling.LANCZOS)
    rest = large - resolution
    crops = [square.resize((resolution, resolution), Image.Resampling.LANCZOS)]
    for left, top in ((0, 0), (rest, 0), (rest // 2, rest)):
        crops.append(zoomed.crop((left, top, left + resolution, top + resolution)))
    if flip:
        crops += [crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for crop in crops[:2]]
    pixels = np.stack([np.asarray(crop, dtype=np.float32) for crop in crops])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2) / 127.5 - 1


def _square(image: Image.Image) -> Image.Image:
    """Cut a square: centred across, a little above the middle down, where faces are."""
    edge = min(image.size)
    left = (image.width - edge) // 2
    top = int((image.height - edge) * 0.3)
    return image.crop((left, top, left + edge, top + edge))
