"""Teaches the text encoder what captions say, before any picture is made: attributes get apart from the start."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch.nn import functional

from scripts.pocket.budget import Budget, device, set_rate
from scripts.pocket.captions import caption
from scripts.pocket.networks import WIDTH
from scripts.pocket.tokenizer import token_ids
from scripts.pocket.world import VOCABULARY, random_identity, random_shot

BATCH, RATE = 64, 1e-3
UNSAID = -100  # what the caption does not say is not asked


class Questions(torch.nn.Module):
    """One query for each attribute: it looks for its words in the encoded caption and names the value."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = torch.nn.Parameter(torch.randn(len(VOCABULARY), WIDTH) * 0.1)
        self.keys = torch.nn.Linear(WIDTH, WIDTH)
        self.answers = torch.nn.ModuleList(torch.nn.Linear(WIDTH, len(values)) for values in VOCABULARY.values())

    def forward(self, hidden: torch.Tensor, spoken: torch.Tensor) -> list[torch.Tensor]:
        """Take [n, tokens, width] and which tokens are no padding; return the values' scores for each attribute."""
        fit = torch.einsum("ad,bld->bal", self.queries, self.keys(hidden)) / WIDTH**0.5
        heed = fit.masked_fill(~spoken[:, None], -1e9).softmax(-1)
        found = torch.einsum("bal,bld->bad", heed, hidden)
        return [answer(found[:, index]) for index, answer in enumerate(self.answers)]


def teach_words(text: torch.nn.Module, tokenizer: Any, seconds: float, rng: random.Random) -> None:
    """Train the text encoder for some seconds."""
    questions = Questions().to(device())
    optimizer = torch.optim.AdamW([*text.parameters(), *questions.parameters()], weight_decay=0.01)
    budget, step = Budget("text", seconds), 0
    while not budget.over:
        set_rate(optimizer, RATE * budget.rate(step))
        captions, wanted = _batch(rng)
        ids = token_ids(tokenizer, captions)
        spoken = torch.cat([torch.ones(BATCH, 1, dtype=torch.bool), ids[:, :-1] != tokenizer.eos_token_id], 1)
        scores = questions(text(ids.to(device()))[0], spoken.to(device()))
        losses = [functional.cross_entropy(part, wanted[:, n].to(device())) for n, part in enumerate(scores)]
        loss = torch.stack([one for one in losses if one.isfinite()]).sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        budget.tell(step, loss.item())


def _batch(rng: random.Random) -> tuple[list[str], torch.Tensor]:
    captions, wanted = [], []
    for _ in range(BATCH):
        identity = random_identity(rng)
        shot = random_shot(rng, identity)
        text = caption(identity, shot, rng)
        every = {**vars(identity), **vars(shot)}
        captions.append(text)
        wanted.append([_answer(values, every[name], text) for name, values in VOCABULARY.items()])
    return captions, torch.tensor(wanted)


def _answer(values: list[str], value: str, text: str) -> int:
    return values.index(value) if value in text else UNSAID  # an empty value is in every text
