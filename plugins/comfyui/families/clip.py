"""Text encoders that LoRAs are trained on: OpenAI's CLIP-L, OpenCLIP's bigG and T5-XXL.

Names: transformers' CLIPTextModel and T5EncoderModel; sizes: config.json of openai/clip-vit-large-patch14,
laion/CLIP-ViT-bigG-14-laion2B-39B-b160k and google/t5-v1_1-xxl.
"""

from __future__ import annotations

from collections.abc import Iterator

from plugins.comfyui.families.layout import Shape, Slot, flat

ATTENTION = tuple(f"self_attn.{name}_proj" for name in ("q", "k", "v", "out"))
CLIP_TOKENS, CLIP_POSITIONS = 49408, 77
T5_LAYERS, T5_WIDTH, T5_FEED = 24, 4096, 10240


def clip_l() -> Iterator[tuple[str, Slot]]:
    """CLIP-L, the first or only text encoder of Stable Diffusion, SDXL and FLUX."""
    return _clip("clip_l", 12, 768, ("lora_te_", "lora_te1_", "text_encoder."))


def clip_g() -> Iterator[tuple[str, Slot]]:
    """OpenCLIP bigG, the second text encoder of SDXL."""
    return _clip("clip_g", 32, 1280, ("lora_te2_", "text_encoder_2."))


def _clip(name: str, layers: int, width: int, prefixes: tuple[str, ...]) -> Iterator[tuple[str, Slot]]:
    square, up, down = (width, width), (width * 4, width), (width, width * 4)
    shapes = {**dict.fromkeys(ATTENTION, square), "mlp.fc1": up, "mlp.fc2": down}
    for index in range(layers):
        layer = f"text_model.encoder.layers.{index}"
        for module, shape in shapes.items():
            slot = Slot(f"{name}.transformer.{layer}.{module}.weight", shape=shape)
            for prefix in prefixes:
                spelled = f"{layer}.{module}"
                yield prefix + (flat(spelled) if prefix.endswith("_") else spelled), slot
            yield f"text_encoders.{name}.transformer.{layer}.{module}", slot
        for norm in ("layer_norm1", "layer_norm2"):
            yield _generic(f"{name}.transformer.{layer}.{norm}", (width,))
    yield _generic(f"{name}.transformer.text_model.embeddings.token_embedding", (CLIP_TOKENS, width))
    yield _generic(f"{name}.transformer.text_model.embeddings.position_embedding", (CLIP_POSITIONS, width))
    yield _generic(f"{name}.transformer.text_model.final_layer_norm", (width,))
    projection = _generic(f"{name}.transformer.text_projection", square)
    yield projection
    yield ("lora_te1_text_projection" if name == "clip_l" else "lora_te2_text_projection"), projection[1]


def _generic(module: str, shape: Shape) -> tuple[str, Slot]:
    return f"text_encoders.{module}", Slot(f"{module}.weight", shape=shape)


def t5(*numbers: int) -> Iterator[tuple[str, Slot]]:
    """T5-XXL, known to LoRAs as the text encoder of each of these numbers."""
    inner, up, down = (T5_WIDTH, T5_WIDTH), (T5_FEED, T5_WIDTH), (T5_WIDTH, T5_FEED)
    shapes = {f"layer.0.SelfAttention.{name}": inner for name in ("q", "k", "v", "o")}
    shapes |= {f"layer.1.DenseReluDense.{name}": shape for name, shape in (("wi_0", up), ("wi_1", up), ("wo", down))}
    for index in range(T5_LAYERS):
        for module, shape in shapes.items():
            spelled = f"encoder.block.{index}.{module}"
            slot = Slot(f"t5xxl.transformer.{spelled}.weight", shape=shape)
            yield f"text_encoders.t5xxl.transformer.{spelled}", slot
            yield f"text_encoders.transformer.{spelled}", slot
            yield from ((f"lora_te{number}_{flat(spelled)}", slot) for number in numbers)
