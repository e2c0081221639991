"""The two networks of the base model: a small text encoder and a small UNet."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from scripts.pocket.tokenizer import LENGTH
from scripts.pocket.vae import CHANNELS

WIDTH = 192  # of the text embeddings


def new_networks(entries: int) -> torch.nn.ModuleDict:
    """Return the untrained ``text`` encoder and ``unet``; ``entries`` is the tokenizer's size."""
    torch.manual_seed(0)
    return torch.nn.ModuleDict({"text": _text_encoder(entries), "unet": _unet()})


def _text_encoder(entries: int) -> Any:
    config = CLIPTextConfig(
        vocab_size=entries,
        hidden_size=WIDTH,
        intermediate_size=WIDTH * 4,
        num_hidden_layers=4,
        num_attention_heads=6,
        max_position_embeddings=LENGTH,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        projection_dim=WIDTH,
    )
    return CLIPTextModel(config)


def _unet() -> Any:
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        block_out_channels=(48, 96, 192),
        layers_per_block=1,
        cross_attention_dim=WIDTH,
        attention_head_dim=(2, 4, 6),
        norm_num_groups=16,
        down_block_types=("CrossAttnDownBlock2D",) * 3,
        up_block_types=("CrossAttnUpBlock2D",) * 3,
    )
    return unet.to(memory_format=torch.channels_last)
