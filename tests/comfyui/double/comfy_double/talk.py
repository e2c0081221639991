"""A conversation with the double, and the graphs that it is about."""

import time
from typing import Any

import httpx
import numpy as np
from safetensors.numpy import save

from comfy_double.listening import Listener
from comfy_double.process import Double

_ZEROS = np.zeros((2, 2), np.float32)


def sd15(seed: int = 1, steps: int = 2, lora: str = "sd15.safetensors", strength: float = 1.0) -> dict[str, Any]:
    """The graph that was recorded."""
    sampling = {
        "seed": seed,
        "steps": steps,
        "cfg": 1.0,
        "sampler_name": "euler",
        "scheduler": "normal",
        "denoise": 1.0,
    }
    loading = {"lora_name": lora, "strength_model": strength, "strength_clip": strength}
    nodes = {
        "1": ("CheckpointLoaderSimple", {"ckpt_name": "sd15_random.safetensors"}),
        "2": ("LoraLoader", {"model": ["1", 0], "clip": ["1", 1], **loading}),
        "3": ("CLIPTextEncode", {"clip": ["2", 1], "text": "photo of sks person"}),
        "4": ("CLIPTextEncode", {"clip": ["2", 1], "text": "blurry"}),
        "5": ("EmptyLatentImage", {"width": 64, "height": 96, "batch_size": 1}),
        "6": (
            "KSampler",
            {"model": ["2", 0], "positive": ["3", 0], "negative": ["4", 0], "latent_image": ["5", 0], **sampling},
        ),
        "7": ("VAEDecode", {"samples": ["6", 0], "vae": ["1", 2]}),
        "8": ("SaveImage", {"images": ["7", 0], "filename_prefix": "isengard/img"}),
    }
    return {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}


def flux() -> dict[str, Any]:
    nodes = {
        "1": ("UNETLoader", {"unet_name": "flux.safetensors", "weight_dtype": "default"}),
        "2": ("DualCLIPLoader", {"clip_name1": "t5.safetensors", "clip_name2": "clip_l.safetensors", "type": "flux"}),
        "3": ("VAELoader", {"vae_name": "ae.safetensors"}),
        "4": ("LoraLoaderModelOnly", {"model": ["1", 0], "lora_name": "flux.safetensors", "strength_model": 1.0}),
        "5": ("CLIPTextEncode", {"clip": ["2", 0], "text": "photo of sks person"}),
        "6": ("FluxGuidance", {"conditioning": ["5", 0], "guidance": 3.5}),
        "7": (
            "ModelSamplingFlux",
            {"model": ["4", 0], "max_shift": 1.15, "base_shift": 0.5, "width": 64, "height": 64},
        ),
        "8": ("BasicGuider", {"model": ["7", 0], "conditioning": ["6", 0]}),
        "9": ("RandomNoise", {"noise_seed": 1}),
        "10": ("KSamplerSelect", {"sampler_name": "euler"}),
        "11": ("BasicScheduler", {"model": ["7", 0], "scheduler": "simple", "steps": 2, "denoise": 1.0}),
        "12": ("EmptySD3LatentImage", {"width": 64, "height": 64, "batch_size": 1}),
        "13": (
            "SamplerCustomAdvanced",
            {
                "noise": ["9", 0],
                "guider": ["8", 0],
                "sampler": ["10", 0],
                "sigmas": ["11", 0],
                "latent_image": ["12", 0],
            },
        ),
        "14": ("VAEDecode", {"samples": ["13", 0], "vae": ["3", 0]}),
        "15": ("SaveImage", {"images": ["14", 0], "filename_prefix": "isengard/flux"}),
    }
    return {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}


class Talk:
    """A double with the recorded server's files, and a way to speak with it."""

    def __init__(self, double: Double) -> None:
        self.double = double
        for name, key in (("sd15", "lora_unet_x.lora_down.weight"), ("flux", "transformer.x.lora_A.weight")):
            double.model("loras", f"{name}.safetensors", save({key: _ZEROS, f"{key}2": _ZEROS}))
        double.model("loras", "corrupt.safetensors", b"\xff" * 64)
        for kind, name in (
            ("diffusion_models", "flux"),
            ("text_encoders", "t5"),
            ("text_encoders", "clip_l"),
            ("vae", "ae"),
        ):
            double.model(kind, f"{name}.safetensors")
        self.http = httpx.Client(base_url=double.url, timeout=30, trust_env=False)

    def post(self, graph: Any, **more: Any) -> httpx.Response:
        return self.http.post("/prompt", json={"prompt": graph, "client_id": "me", **more})

    def submit(self, graph: dict[str, Any], **more: Any) -> str:
        answer = self.post(graph, **more)
        assert answer.status_code == 200, answer.text
        assert answer.json()["node_errors"] == {}
        return str(answer.json()["prompt_id"])

    def entry(self, prompt_id: str) -> dict[str, Any]:
        """Wait for a prompt's history entry."""
        deadline = time.monotonic() + 20
        while not (told := self.http.get(f"/history/{prompt_id}").json()):
            assert time.monotonic() < deadline, self.double.log
            time.sleep(0.01)
        return dict(told[prompt_id])

    def picture(self, graph: dict[str, Any]) -> bytes:
        entry = self.entry(self.submit(graph))
        image = next(iter(entry["outputs"].values()))["images"][0]
        return self.http.get("/view", params=image).content


def heard(listener: Listener, ending: str = "at None", after: int = 0) -> str:
    return " | ".join(listener.until(ending, after=after))
