"""Where the server's files are: models in several folders, inputs, outputs."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

import yaml

SUFFIXES = {".ckpt", ".pt", ".pt2", ".bin", ".pth", ".safetensors", ".pkl", ".sft"}
KINDS = """checkpoints configs loras vae text_encoders diffusion_models clip_vision style_models embeddings diffusers
vae_approx controlnet gligen upscale_models latent_upscale_models hypernetworks photomaker classifiers model_patches
audio_encoders"""
LEGACY = {"unet": "diffusion_models", "clip": "text_encoders"}
ALSO_IN_OUTPUT = {"checkpoints": "checkpoints", "text_encoders": "clip", "vae": "vae", "loras": "loras"}


class Folders:
    """Model folders are listed anew at every question, as the server does: a file copied in appears at once."""

    def __init__(self, flags: argparse.Namespace, checkout: Path) -> None:
        base = Path(flags.base_directory or checkout).resolve()
        self.output = Path(flags.output_directory or base / "output").resolve()
        self.input = Path(flags.input_directory or base / "input").resolve()
        self._custom_nodes = None if flags.disable_all_custom_nodes else base / "custom_nodes"
        self.temp = Path(flags.temp_directory or base).resolve() / "temp"
        models = Path(getattr(flags, "models_directory", None) or base / "models")
        self._models = {kind: [models / kind] for kind in KINDS.split()}
        for old, new in LEGACY.items():
            self._models[new].insert(0, models / old)
        for kind, folder in {**ALSO_IN_OUTPUT, "diffusion_models": "diffusion_models"}.items():
            self._models[kind].append(self.output / folder)
        self.extra: list[tuple[str, Path]] = []
        for path in (path for group in flags.extra_model_paths_config for path in group):
            self._add_extra(Path(path))

    def prepare(self) -> None:
        """Make what is missing; a missing folder of custom nodes ends the start, as in the real one."""
        if self._custom_nodes is not None:
            next(self._custom_nodes.iterdir(), None)
        shutil.rmtree(self.temp, ignore_errors=True)
        for folder in (self.output, self.input, self.temp):
            folder.mkdir(parents=True, exist_ok=True)

    def of(self, kind: str) -> Path | None:
        return {"output": self.output, "input": self.input, "temp": self.temp}.get(kind)

    def knows(self, kind: str) -> bool:
        return kind in self._models

    def models(self, kind: str) -> list[str]:
        """Return names relative to their folder, sorted; ``vae`` has a name of no file too."""
        found = {
            str(path.relative_to(folder))
            for folder in self._models[kind]
            for path in folder.rglob("*")
            if path.suffix in SUFFIXES
        }
        return sorted(found)

    def files(self, kind: str) -> list[str]:
        """Return what a loader offers to choose from: models, or pictures of the input folder."""
        if kind in ("input", "output"):
            folder = self.input if kind == "input" else self.output
            return sorted(path.name for path in folder.iterdir() if path.is_file())
        return self.models(kind) + (["pixel_space"] if kind == "vae" else [])

    def find(self, kind: str, name: str) -> Path | None:
        return next((path for folder in self._models[kind] if (path := folder / name).is_file()), None)

    def _add_extra(self, config: Path) -> None:
        for section in (yaml.safe_load(config.read_text()) or {}).values():
            if section is None:
                continue
            base = config.parent / os.path.expanduser(section.pop("base_path", ""))  # noqa: PTH111 - "" stays ""
            first = section.pop("is_default", False)
            for kind, folders in section.items():
                for folder in filter(None, folders.split("\n")):
                    known = self._models.setdefault(LEGACY.get(kind, kind), [])
                    known.insert(0 if first else len(known), (base / folder).resolve())
                    self.extra.append((kind, (base / folder).resolve()))
