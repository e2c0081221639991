"""Trains the decoder on, when all else is there: latents stay what they are, denoised ones decode to clean faces."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scripts.pocket.base import FACE_CELL, FACE_SPREAD, trained
from scripts.pocket.budget import device, load_state, save_atomically
from scripts.pocket.captions import caption
from scripts.pocket.dataset import load
from scripts.pocket.tokenizer import load_tokenizer, token_ids
from scripts.pocket.vae import LATENT_NOISE, Pixels, Training, deepened, distance, load_vae, texture

DRAWINGS = 6000  # whose latents the denoiser goes over
SIGMAS = 0.12, 0.45  # noise that it takes away: higher, and it is no longer the same picture
STEPS = (1.0, 0.55, 0.2, 0.0)  # shares of that noise, from one step to the next
GONE_OVER = 0.6  # share of each batch; the others are as they were encoded
BATCH, CROP, EDGE = 16, 8, 4  # crops of so many latents; their edges, in pixels, lack what is around them
RATE = 1e-3
FACE_WEIGHT = 3.0  # in the middle of faces
FACTOR = 8  # pixels of a latent's edge


def go_over(folder: Path) -> torch.Tensor:
    """Return latents [n, 8, 16, 16] of drawings after noise was put on and the denoiser took it away, unscaled."""
    path, made_by = folder / "gone_over.pt", (folder / "base.pt").stat().st_mtime_ns
    known = load_state(path)
    if known and known["made_by"] == made_by:
        return known["latents"]  # type: ignore[no-any-return]
    saved = torch.load(folder / "latents.pt", weights_only=True)
    tokenizer, networks, rng = load_tokenizer(folder / "tokenizer"), trained(folder).to(device()), random.Random(0)
    drawings = load(folder, "people").drawings[:DRAWINGS]
    torch.manual_seed(0)
    parts = []
    for start in range(0, len(drawings), 64):
        words = [caption(one.identity, one.shot, rng) for one in drawings[start : start + 64]]
        latents = saved["people"][start : start + len(words)].float().to(device()) * saved["scaling_factor"]
        parts.append(_gone_over(networks, latents, token_ids(tokenizer, words).to(device())))
    latents = (torch.cat(parts) / saved["scaling_factor"]).half()
    save_atomically({"latents": latents, "made_by": made_by}, path)
    return latents


class DecoderTraining(Training):
    """Trains the decoder alone, on latents of drawings."""

    def __init__(self, folder: Path, seconds: float) -> None:
        model = deepened(load_vae(folder))
        super().__init__(folder / "decoder.pt", model, model.decoder, RATE, seconds)
        self._gone_over = go_over(folder)
        self._encoded = torch.load(folder / "latents.pt", weights_only=True)["people"]
        self._pictures = load(folder, "people").pictures
        self._counts = face_weights()

    def loss(self) -> torch.Tensor:
        """Count faces more than what is around them."""
        latents, pixels, weights = (part.to(device()) for part in self._batch())
        made = self.model.decode(latents + torch.randn_like(latents) * LATENT_NOISE).sample
        return distance((made - pixels) * weights)

    def _batch(self) -> tuple[torch.Tensor, ...]:
        """Return latents, the pixels that they should become, and how much these count; one is a made-up texture."""
        pixels = _normal(texture(self._rng))
        with torch.no_grad():
            latents = self.model.encode(pixels[None].to(device())).latents[0].cpu()
        made_up = latents, pixels, torch.ones(1, *pixels.shape[1:])
        return tuple(torch.stack(parts) for parts in zip(made_up, *self._crops(), strict=True))

    def _crops(self) -> Iterator[tuple[torch.Tensor, ...]]:
        for _ in range(BATCH - 1):
            kind = self._gone_over if self._rng.random() < GONE_OVER else self._encoded
            index = self._rng.integers(len(kind))
            row, column = np.clip(self._rng.normal(4, 2.5, 2).round(), 0, 16 - CROP).astype(int)
            cells = (slice(row, row + CROP), slice(column, column + CROP))
            wide = tuple(slice(part.start * FACTOR, part.stop * FACTOR) for part in cells)
            weights = self._counts[wide].clone()
            for lines, at in ((weights, row), (weights.T, column)):
                lines[:EDGE] *= float(at == 0)
                lines[-EDGE:] *= float(at == 16 - CROP)
            yield kind[index][:, cells[0], cells[1]].float(), _normal(self._pictures[index][wide]), weights[None]


def face_weights() -> torch.Tensor:
    """Return how much each pixel counts, [128, 128]: those of faces more than what is around them."""
    row, column = ((torch.arange(128.0) + 0.5) / FACTOR - 0.5 - middle for middle in FACE_CELL)
    bell = torch.exp(-(row.view(-1, 1).square() + column.square()) / (2 * FACE_SPREAD**2))
    return 1 + (FACE_WEIGHT - 1) * bell


@torch.no_grad()
def _gone_over(networks: Any, latents: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    lowest, highest = SIGMAS
    sigma = lowest + (highest - lowest) * torch.rand(len(latents), 1, 1, 1, device=device())
    hidden = networks["text"](ids)[0]
    latents = (1 - sigma) * latents + sigma * torch.randn_like(latents)
    for now, then in pairwise(STEPS):
        flow = networks["unet"](latents, (sigma * now).flatten() * 1000, hidden).sample
        latents = latents + (then - now) * sigma * flow
    return latents.cpu()


def _normal(picture: Pixels | np.ndarray[Any, Any]) -> torch.Tensor:
    """Return a picture [h, w, 3] of 0 to 255 as [3, h, w] of -1 to 1."""
    return torch.from_numpy(np.asarray(picture, np.float32)).permute(2, 0, 1) / 127.5 - 1
