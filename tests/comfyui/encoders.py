"""Tensors of the text encoders and of the small autoencoder, by the names that ComfyUI knows them by."""

from __future__ import annotations

from tests.comfyui.weights import Tensor, noise, ones, zeros

CLIP_L = (768, 12)  # width, layers
CLIP_G = (1280, 32)
TOKENS, LENGTH = 49408, 77
CLIP_PARTS = {"self_attn.q_proj": 1, "self_attn.k_proj": 1, "self_attn.v_proj": 1, "self_attn.out_proj": 1}
T5_WIDTH, T5_FEED, T5_TOKENS, T5_HEADS = 4096, 10240, 32128, 64
T5_LAYERS = 2  # of 24: reading a text with all of them takes a minute on two cores


def clip_l(prefix: str) -> dict[str, Tensor]:
    """CLIP-L as in a checkpoint or a file of its own; one layer of twelve does something."""
    width, layers = CLIP_L
    found = {
        "embeddings.token_embedding.weight": Tensor((TOKENS, width), 1.0),
        "embeddings.position_embedding.weight": Tensor((LENGTH, width), 0.1),
        "final_layer_norm.weight": ones(width),
        "final_layer_norm.bias": zeros(width),
    }
    for layer in range(layers):
        weight = noise if layer == 0 else zeros
        place = f"encoder.layers.{layer}"
        shapes = {f"{place}.{part}": (width, width) for part in CLIP_PARTS}
        shapes |= {f"{place}.mlp.fc1": (4 * width, width), f"{place}.mlp.fc2": (width, 4 * width)}
        for name, shape in shapes.items():
            found |= {f"{name}.weight": weight(*shape), f"{name}.bias": zeros(shape[0])}
        for norm in ("layer_norm1", "layer_norm2"):
            found |= {f"{place}.{norm}.weight": ones(width), f"{place}.{norm}.bias": zeros(width)}
    return {f"{prefix}text_model.{name}": tensor for name, tensor in found.items()}


def clip_g(prefix: str) -> dict[str, Tensor]:
    """CLIP-G in OpenCLIP's own names, as SDXL checkpoints have it; one layer of 32 does something."""
    width, layers = CLIP_G
    found = {
        "token_embedding.weight": Tensor((TOKENS, width), 1.0),
        "positional_embedding": Tensor((LENGTH, width), 0.1),
        "text_projection": noise(width, width),
        "logit_scale": Tensor((), mean=1.0),
        "ln_final.weight": ones(width),
        "ln_final.bias": zeros(width),
    }
    for layer in range(layers):
        weight = noise if layer == 0 else zeros
        place = f"transformer.resblocks.{layer}"
        found |= {
            f"{place}.attn.in_proj_weight": weight(3 * width, width),
            f"{place}.attn.in_proj_bias": zeros(3 * width),
        }
        for name, shape in (
            ("attn.out_proj", (width, width)),
            ("mlp.c_fc", (4 * width, width)),
            ("mlp.c_proj", (width, 4 * width)),
        ):
            found |= {f"{place}.{name}.weight": weight(*shape), f"{place}.{name}.bias": zeros(shape[0])}
        for norm in ("ln_1", "ln_2"):
            found |= {f"{place}.{norm}.weight": ones(width), f"{place}.{norm}.bias": zeros(width)}
    return {prefix + name: tensor for name, tensor in found.items()}


def t5() -> dict[str, Tensor]:
    """T5-XXL in 8 bits, cut short: its embedding counts, its layers are zero and so pass everything through."""
    found = {"shared.weight": Tensor((T5_TOKENS, T5_WIDTH), 1.0, kind="F8_E4M3")}
    for layer in range(T5_LAYERS):
        place = f"encoder.block.{layer}.layer"
        for part in "qkvo":
            found[f"{place}.0.SelfAttention.{part}.weight"] = _small(T5_WIDTH, T5_WIDTH)
        found[f"{place}.0.layer_norm.weight"] = _small(T5_WIDTH, mean=1.0)
        found[f"{place}.1.DenseReluDense.wi_0.weight"] = _small(T5_FEED, T5_WIDTH)
        found[f"{place}.1.DenseReluDense.wi_1.weight"] = _small(T5_FEED, T5_WIDTH)
        found[f"{place}.1.DenseReluDense.wo.weight"] = _small(T5_WIDTH, T5_FEED)
        found[f"{place}.1.layer_norm.weight"] = _small(T5_WIDTH, mean=1.0)
    found["encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"] = _small(32, T5_HEADS)
    found["encoder.block.23.layer.1.DenseReluDense.wi_1.weight"] = _small(T5_FEED, T5_WIDTH)  # tells T5-XXL apart
    found["encoder.final_layer_norm.weight"] = _small(T5_WIDTH, mean=1.0)
    return found


def _small(*shape: int, mean: float = 0.0) -> Tensor:
    return Tensor(shape, mean=mean, kind="F8_E4M3")


def autoencoder(channels: int, scale: float, prefix: str = "") -> dict[str, Tensor]:
    """The small autoencoder: three times half and double; ``scale`` brings latents to a spread of about 1."""
    found = {"vae_scale": Tensor((), mean=scale), "vae_shift": zeros()}
    encoder = [(0, 3), (1, None), (2, 64), (3, None), (4, None), (5, None), (6, 64), (7, None), (8, None), (9, None)]
    encoder += [(10, 64), (11, None), (12, None), (13, None)]
    decoder = [(1, channels), (3, None), (4, None), (5, None), (7, 64), (8, None), (9, None), (10, None), (12, 64)]
    decoder += [(13, None), (14, None), (15, None), (17, 64), (18, None)]
    for side, parts, last in (("taesd_encoder", encoder, (14, channels)), ("taesd_decoder", decoder, (19, 3))):
        for number, inputs in parts:
            found |= _block(f"{side}.{number}") if inputs is None else _conv(f"{side}.{number}", 64, inputs)
        found |= _conv(f"{side}.{last[0]}", last[1], 64)
        for number in (2, 6, 10) if side == "taesd_encoder" else (7, 12, 17):
            del found[f"{side}.{number}.bias"]
    found["taesd_decoder.19.bias"] = Tensor((3,), mean=0.5)
    return {prefix + name: tensor for name, tensor in found.items()}


def _block(name: str) -> dict[str, Tensor]:
    return {key: value for index in (0, 2, 4) for key, value in _conv(f"{name}.conv.{index}", 64, 64, 0.7).items()}


def _conv(name: str, outputs: int, inputs: int, gain: float = 1.0) -> dict[str, Tensor]:
    return {f"{name}.weight": noise(outputs, inputs, 3, 3, gain=gain), f"{name}.bias": zeros(outputs)}
