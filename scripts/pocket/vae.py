"""Trains the autoencoder: first both halves, then the decoder alone, while latents stay what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderTiny
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from scripts.pocket.budget import Budget, device, load_state, save_atomically, set_rate

BATCH, CROP = 16, 64
UNSCALED = 1.0  # the scaling factor while none was measured
CHANNELS, WIDTH = 8, 32  # of the latents; of the layers
RATE, DECODER_RATE = 2e-3, 1e-3
LATENT_NOISE = 0.06  # teaches the decoder to bear the small errors of the denoiser
Pixels = NDArray[np.uint8]


def train_vae(folder: Path, pictures: Pixels, seconds: float, *, decoder_only: bool) -> None:
    """Train until the budget is used up; go on where an earlier sitting ended."""
    training = VaeTraining(folder, seconds, decoder_only=decoder_only)
    while not training.budget.over:
        training.step_on(pictures)
        if training.budget.time_to_save():
            training.save()
    training.save()
    training.model.cpu().save_pretrained(str(folder / "vae"))


class VaeTraining:
    """One half of the training, as far as it has come."""

    def __init__(self, folder: Path, seconds: float, *, decoder_only: bool) -> None:
        self._decoder_only = decoder_only
        self._path = folder / ("decoder.pt" if decoder_only else "vae.pt")
        state = load_state(self._path)
        self.model = new_vae() if state or not decoder_only else load_vae(folder)
        self.model = self.model.to(device(), memory_format=torch.channels_last)
        if decoder_only:
            self.model.encoder.requires_grad_(requires_grad=False)
        self._trained = [weight for weight in self.model.parameters() if weight.requires_grad]
        self._optimizer = torch.optim.Adam(self._trained, betas=(0.9, 0.99))
        self._step = 0
        if state:
            self.model.load_state_dict(state["model"])
            self._optimizer.load_state_dict(state["optimizer"])
            self._step = state["step"]
        self._rng = np.random.default_rng([self._step, int(decoder_only)])
        name = "decoder" if decoder_only else "autoencoder"
        self.budget = Budget(name, seconds, state["seconds"] if state else 0.0)

    def step_on(self, pictures: Pixels) -> None:
        """Take one step of the optimizer."""
        highest = DECODER_RATE if self._decoder_only else RATE
        set_rate(self._optimizer, highest * self.budget.rate(self._step))
        loss = _loss(self.model, _batch(pictures, self._rng).to(device()), decoder_only=self._decoder_only)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._trained, 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._step += 1
        self.budget.tell(self._step, loss.item())

    def save(self) -> None:
        """Write what it takes to go on."""
        state = {"model": self.model.state_dict(), "optimizer": self._optimizer.state_dict()}
        save_atomically({**state, "step": self._step, "seconds": self.budget.used}, self._path)


def load_vae(folder: Path) -> Any:
    """Return the autoencoder of a work folder."""
    return AutoencoderTiny.from_pretrained(str(folder / "vae"))


def new_vae() -> Any:
    """Return an untrained autoencoder: 8 x smaller edges, 8 channels.

    The library's default start gives grey blur. Kaiming's, with residual blocks that begin small, does not.
    """
    torch.manual_seed(0)
    layers = {"encoder_block_out_channels": (WIDTH,) * 4, "decoder_block_out_channels": (WIDTH,) * 4}
    blocks = {"num_encoder_blocks": (0, 1, 2, 2), "num_decoder_blocks": (2, 2, 1, 0)}
    model = AutoencoderTiny(latent_channels=CHANNELS, scaling_factor=UNSCALED, **layers, **blocks)
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, AutoencoderTinyBlock):
            module.conv[-1].weight.data.mul_(0.1)
    _last_convolution(model.encoder).weight.data.mul_(0.7)
    last = _last_convolution(model.decoder)
    last.weight.data.mul_(0.3)
    last.bias.data.fill_(0.5)
    return model


@torch.no_grad()
def encode(model: Any, pictures: Pixels) -> torch.Tensor:
    """Return unscaled latents [n, 8, 16, 16] in half precision, on the CPU."""
    model = model.to(device()).eval()
    parts = []
    for start in range(0, len(pictures), 64):
        pixels = torch.from_numpy(pictures[start : start + 64].astype(np.float32)).permute(0, 3, 1, 2) / 127.5 - 1
        parts.append(model.encode(pixels.to(device(), memory_format=torch.channels_last)).latents.half().cpu())
    return torch.cat(parts).contiguous()


def _last_convolution(part: torch.nn.Module) -> Any:
    return [module for module in part.modules() if isinstance(module, torch.nn.Conv2d)][-1]


def _loss(model: Any, pixels: torch.Tensor, *, decoder_only: bool) -> torch.Tensor:
    latents = model.encode(pixels).latents
    made = model.decode(latents + torch.randn_like(latents) * LATENT_NOISE).sample
    coarse = functional.avg_pool2d(made, 4) - functional.avg_pool2d(pixels, 4)
    distance = (made - pixels).abs().mean() + (made - pixels).pow(2).mean()
    loss = distance + 0.6 * _edges(made, pixels) + 0.25 * coarse.abs().mean()
    if decoder_only:
        return loss
    centred = latents.mean((0, 2, 3)).pow(2).mean() + (latents.std((0, 2, 3)) - 1).pow(2).mean()
    return loss + 0.05 * centred


def _edges(made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    down = (made.diff(dim=2) - wanted.diff(dim=2)).abs().mean()
    return down + (made.diff(dim=3) - wanted.diff(dim=3)).abs().mean()


def _batch(pictures: Pixels, rng: np.random.Generator) -> torch.Tensor:
    """Return crops [16, 3, 64, 64] in -1 to 1, mostly around the face; one of them is a made-up texture."""
    crops = [_texture(rng)]
    while len(crops) < BATCH:
        picture = pictures[rng.integers(len(pictures))]
        top = rng.integers(0, 65) if rng.random() < 0.4 else rng.integers(10, 50)
        left = rng.integers(0, 65) if rng.random() < 0.4 else rng.integers(14, 50)
        crop = picture[top : top + CROP, left : left + CROP].astype(np.float32)
        crops.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
    stacked = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2) / 127.5 - 1
    return stacked.contiguous(memory_format=torch.channels_last)


def _texture(rng: np.random.Generator) -> NDArray[np.float32]:
    """Return smooth coloured noise: what is not drawn, such as a photograph, must not come out as a mess."""
    total = np.zeros((CROP, CROP, 3), np.float32)
    for grain in (4, 8, 16, 32, 64):
        noise = rng.normal(0, 1, (grain, grain, 3)).astype(np.float32) * rng.uniform(0.2, 1)
        planes = [Image.fromarray(noise[..., n]).resize((CROP, CROP), Image.Resampling.BICUBIC) for n in range(3)]
        total += np.stack([np.asarray(plane) for plane in planes], axis=-1) * (8 / grain) ** 0.5
    tinted = 128 + total * 50 * rng.uniform(0.4, 1.4) + rng.uniform(-60, 60, (1, 1, 3))
    return np.clip(tinted, 0, 255).astype(np.float32)
