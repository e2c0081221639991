"""Settings inside a PNG: the ``parameters`` text that A1111, Forge and Civitai read, and our own full record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL.PngImagePlugin import PngInfo, putchunk

from isengard.domain.lora import Lora
from isengard.domain.request import GenerationRequest

HEAD_BYTES = 8 + 25  # signature and IHDR, which comes first: PNG specification, section 5


def embed(source: Path, target: Path, parameters: str, record: dict[str, Any]) -> None:
    """Write a copy of a PNG with its settings inside. Its pixels are copied as they are packed."""
    info = PngInfo()
    info.add_text("parameters", parameters)
    info.add_text("isengard", json.dumps(record, ensure_ascii=False))
    packed = source.read_bytes()
    with target.open("wb") as file:
        file.write(packed[:HEAD_BYTES])
        for name, content, *_ in info.chunks:
            putchunk(file, name, content)
        file.write(packed[HEAD_BYTES:])


def parameters_text(request: GenerationRequest, seed: int, size: tuple[int, int], loras: Sequence[Lora]) -> str:
    """Return A1111's infotext; format: stable-diffusion-webui, modules/infotext_utils.py."""
    tags = "".join(
        f" <lora:{lora.character_name or lora.id}-{lora.version}:{use.strength:g}>"
        for lora, use in zip(loras, request.loras, strict=True)
    )
    pairs = {
        "Steps": request.steps,
        "Sampler": request.sampler,
        "Schedule type": request.scheduler,
        "CFG scale": request.guidance_scale,
        "Seed": seed,
        "Size": f"{size[0]}x{size[1]}",
        "Model": request.base_model,
        "Denoising strength": request.denoise,
    }
    if loras:
        hashes = ", ".join(f"{lora.character_name or lora.id}-{lora.version}: {lora.sha256[:12]}" for lora in loras)
        pairs["Lora hashes"] = f'"{hashes}"'
    lines = [request.prompt + tags]
    if request.negative_prompt:
        lines.append(f"Negative prompt: {request.negative_prompt}")
    lines.append(", ".join(f"{name}: {value}" for name, value in pairs.items() if value is not None))
    return "\n".join(lines)
