"""Trains the denoiser together with the text encoder by flow matching; resumable to the random draw."""

from __future__ import annotations

import contextlib
import copy
import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch.nn import functional
from transformers import CLIPTextModel

from scripts.pocket.budget import Budget, device, load_state, quick_dtype, save_atomically, set_rate
from scripts.pocket.captions import caption
from scripts.pocket.dataset import Drawing, load
from scripts.pocket.muon import Muon
from scripts.pocket.networks import new_networks
from scripts.pocket.tokenizer import load_tokenizer, token_ids
from scripts.pocket.vae import UNSCALED, encode, load_vae
from scripts.pocket.words import teach_words

BATCH, RATE = 64, 1.2e-3
RATE_AGAIN = 1e-3  # when going on from finished weights
NAMED_SHARE = 0.14  # of each batch: named people, so that a rare word means one person
WORDLESS, WORDLESS_NAMED = 0.1, 0.06  # captions left empty, for guidance
SOMEBODY = 0.03  # captions that say only "a person"
TIME_SHIFT = 0.2  # a little more noise than logit-normal times have
LONGEST_MEMORY = 0.998  # of the running average of the weights
FACE_WEIGHT = 3.0  # eyes and mouth are some cells of 256, and what people look at
FACE_CELL, FACE_SPREAD = (8.2, 7.5), 2.8  # row and column of the middle of faces in latents, and how far they reach


def encode_drawings(folder: Path) -> None:
    """Encode both sets with the finished autoencoder, and find the factor that brings latents to unit spread.

    An autoencoder that was shipped keeps the factor it was shipped with.
    """
    if (folder / "latents.pt").exists():
        return
    model = load_vae(folder)
    latents = {name: encode(model, load(folder, name).pictures) for name in ("people", "named")}
    shipped: float = model.config.scaling_factor
    factor = shipped if shipped != UNSCALED else 1 / float(latents["people"].float().std())
    save_atomically({**latents, "scaling_factor": factor}, folder / "latents.pt")


def train_base(folder: Path, seconds: float, text_seconds: float) -> None:
    """Train until the budget is used up; go on where an earlier sitting ended."""
    training = BaseTraining(folder, seconds)
    if training.untaught:
        training.teach_words(text_seconds)
    while not training.budget.over:
        training.step_on()
        if training.budget.time_to_save():
            training.save()
    training.save()


def start_from(shipped: Path, folder: Path) -> None:
    """Begin a work folder with the weights of a finished model; its optimizer was not shipped and starts anew."""
    if (folder / "base.pt").exists():
        return
    for part in ("tokenizer", "vae"):
        shutil.copytree(shipped / part, folder / part, dirs_exist_ok=True)
    text = CLIPTextModel.from_pretrained(str(shipped / "text_encoder"), dtype=torch.float32)
    unet = UNet2DConditionModel.from_pretrained(str(shipped / "unet"), torch_dtype=torch.float32)
    networks = torch.nn.ModuleDict({"text": text, "unet": unet}).state_dict()
    save_atomically({"networks": networks, "average": networks}, folder / "base.pt")


def trained(folder: Path) -> torch.nn.ModuleDict:
    """Return the two networks of a work folder, as well trained as they are."""
    networks = new_networks(len(load_tokenizer(folder / "tokenizer")))
    networks.load_state_dict(torch.load(folder / "base.pt", map_location="cpu", weights_only=True)["average"])
    return networks.eval()


class BaseTraining:
    """Networks, their running average, optimizer and random states, as far as they have come."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._path = folder / "base.pt"
        self._tokenizer = load_tokenizer(folder / "tokenizer")
        saved = torch.load(folder / "latents.pt", weights_only=True)
        self._factor: float = saved["scaling_factor"]
        self._people, self._named = saved["people"], saved["named"]
        self._of_people, self._of_named = load(folder, "people").drawings, load(folder, "named").drawings
        self._networks = new_networks(len(self._tokenizer)).to(device())
        self._networks["unet"].set_attn_processor(AttnProcessor())  # torch's own is slow backwards on a CPU
        self._average = copy.deepcopy(self._networks).requires_grad_(requires_grad=False)
        self._weights = list(self._networks.parameters())
        self._weight = face_weights().to(device())
        self._shares = 1 if device().type == "cuda" else torch.get_num_threads()
        self._workers = ThreadPoolExecutor(self._shares)
        self._optimizers = _optimizers(self._networks, self._workers)
        self._rng = random.Random(0)
        self._rate = RATE
        self.step = 0
        self.untaught = True
        used = self._restore()
        self.budget = Budget("base", seconds, used)

    def teach_words(self, seconds: float) -> None:
        """Teach the text encoder alone first."""
        teach_words(self._networks["text"], self._tokenizer, seconds, self._rng)
        self._average["text"].load_state_dict(self._networks["text"].state_dict())
        self.budget = self.budget.anew()

    def step_on(self) -> None:
        """Take one step of the optimizer.

        Flow matching: Lipman et al. 2022, arXiv 2210.02747; logit-normal times: Esser et al. 2024, arXiv 2403.03206.
        """
        for optimizer in self._optimizers:
            set_rate(optimizer, self._rate * self.budget.rate(self.step))
        latents, ids = self._batch()
        noise = torch.randn_like(latents)
        sigma = torch.sigmoid(torch.randn(BATCH, device=device()) + TIME_SHIFT)
        parts = zip(*(whole.chunk(self._shares) for whole in (latents, ids, noise, sigma)), strict=True)
        losses, gradients = zip(*self._workers.map(self._gradients, parts), strict=True)
        for weight, parts_of_it in zip(self._weights, zip(*gradients, strict=True), strict=True):
            weight.grad = torch.stack(parts_of_it).sum(0)
        torch.nn.utils.clip_grad_norm_(self._weights, 1.0)
        for optimizer in self._optimizers:
            optimizer.step()
        self.step += 1
        self._follow()
        self.budget.tell(self.step, float(sum(losses)))

    def _gradients(self, part: tuple[torch.Tensor, ...]) -> tuple[float, tuple[torch.Tensor, ...]]:
        """Return the loss of a part of the batch, as its share of the whole, and what it asks of the weights.

        Parts are worked on side by side, each on one core: cores that share every small product wait for each other.
        """
        torch.set_num_threads(1)
        latents, ids, noise, sigma = part
        wide = sigma.view(-1, 1, 1, 1)
        noisy = ((1 - wide) * latents + wide * noise).contiguous(memory_format=torch.channels_last)
        with _fast():
            hidden = self._networks["text"](ids)[0]
            predicted = self._networks["unet"](noisy, sigma * 1000, hidden).sample
        squares = functional.mse_loss(predicted.float(), noise - latents, reduction="none")
        loss = (squares * self._weight).mean() * len(latents) / BATCH
        return loss.item(), torch.autograd.grad(loss, self._weights, materialize_grads=True)

    def save(self) -> None:
        """Write what it takes to go on as if it had never stopped."""
        version, internal, gauss = self._rng.getstate()
        state = {
            "networks": self._networks.state_dict(),
            "average": self._average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "step": self.step,
            "rate": self._rate,
            "seconds": self.budget.used,
            "torch_rng": torch.get_rng_state(),
            "rng": [version, list(internal), gauss],
        }
        save_atomically(state, self._path)

    def _restore(self) -> float:
        state = load_state(self._path)
        if state is None:
            return 0.0
        self.untaught = False
        self._networks.load_state_dict(state["networks"])
        self._average.load_state_dict(state["average"])
        if "optimizers" not in state:
            self._rate = RATE_AGAIN
            return 0.0
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self._rate = state["step"], state["rate"]
        torch.set_rng_state(state["torch_rng"])
        version, internal, gauss = state["rng"]
        self._rng.setstate((version, tuple(internal), gauss))
        used: float = state["seconds"]
        return used

    def _batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        latents, captions = [], []
        for _ in range(BATCH):
            named = self._rng.random() < NAMED_SHARE
            drawings, encoded = (self._of_named, self._named) if named else (self._of_people, self._people)
            index = self._rng.randrange(len(drawings))
            latents.append(encoded[index])
            captions.append(training_caption(drawings[index], self._rng))
        ids = token_ids(self._tokenizer, captions)
        return torch.stack(latents).float().to(device()) * self._factor, ids.to(device())

    @torch.no_grad()
    def _follow(self) -> None:
        memory = min(LONGEST_MEMORY, (1 + self.step) / (10 + self.step))
        pairs = list(self._average.parameters()), list(self._networks.parameters())
        torch._foreach_lerp_(*pairs, 1 - memory)


def face_weights() -> torch.Tensor:
    """Return how much each cell of latents counts, [1, 1, 16, 16] with mean 1: faces more than what is around them."""
    row, column = (torch.arange(16.0) - middle for middle in FACE_CELL)
    bell = torch.exp(-(row.view(-1, 1).square() + column.square()) / (2 * FACE_SPREAD**2))
    weights = 1 + (FACE_WEIGHT - 1) * bell
    return (weights / weights.mean())[None, None]


def training_caption(drawing: Drawing, rng: random.Random) -> str:
    """Write one of a drawing's many captions; some are empty, and named people go by their name."""
    chance = rng.random()
    if chance < (WORDLESS_NAMED if drawing.name else WORDLESS):
        return ""
    subject = ""
    if drawing.name:
        subject = f"{drawing.name} {rng.choice(['person', 'person', drawing.identity.gender])}"
    elif chance < WORDLESS + SOMEBODY:
        subject = "a person"
    return caption(drawing.identity, drawing.shot, rng, subject)


def _optimizers(networks: torch.nn.Module, workers: ThreadPoolExecutor) -> list[torch.optim.Optimizer]:
    """Return Muon for what turns features into features, and AdamW for the rest."""
    inner, outer, flat = [], [], []
    for name, weight in networks.named_parameters():
        edge = any(part in name for part in ("embeddings", "conv_in", "conv_out", "time_embedding"))
        (flat if weight.ndim <= 1 else outer if edge else inner).append(weight)
    groups = [{"params": outer, "weight_decay": 0.01}, {"params": flat, "weight_decay": 0.0}]
    adam = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.99), fused=True)
    return [Muon(inner, RATE, 0.01, workers), adam]


def _fast() -> contextlib.AbstractContextManager[Any]:
    dtype = quick_dtype()
    return contextlib.nullcontext() if dtype == torch.float32 else torch.autocast(device().type, dtype)
