"""Routes of what was made and what can be used: LoRAs, outputs, models."""

from __future__ import annotations

import shutil
from typing import Annotated

from fastapi import APIRouter, File, Form, Response, UploadFile
from fastapi.responses import FileResponse

from isengard.api.characters import FOREVER
from isengard.api.parameters import CharacterFilter, Cursor, Key, Limit, Size
from isengard.api.problems import responses
from isengard.domain.lora import Lora, LoraPatch
from isengard.domain.output import Output
from isengard.domain.page import Page
from isengard.errors import NotImplementedYet
from isengard.services.house import Isengard
from isengard.services.library import Loras, Model


def routers(isengard: Isengard) -> list[APIRouter]:
    """Return the routes under /api/loras, /api/outputs and /api/models."""
    return [_loras(isengard), _outputs(isengard), _models(isengard)]


def _router(name: str) -> APIRouter:
    return APIRouter(prefix=f"/api/{name}", tags=[name], responses=responses(404, 422))


def _loras(isengard: Isengard) -> APIRouter:
    routes, loras = _router("loras"), isengard.loras

    @routes.get("")
    def list_loras(character_id: CharacterFilter = None, cursor: Cursor = None, limit: Limit = 100) -> Page[Lora]:
        """List LoRA versions, newest first."""
        return loras.list(character_id, cursor, limit)

    @routes.post("", status_code=201)
    def add(
        file: Annotated[UploadFile, File(description="A .safetensors file in diffusers LoRA keys.")],
        base_model: Annotated[str, Form(examples=["pocket"])] = "",
        trigger_word: Annotated[str, Form(max_length=60)] = "",
        key: Key = None,
    ) -> Lora:
        """Import a LoRA that was trained elsewhere."""
        with loras.storage.incoming() as path:
            with path.open("wb") as target:
                shutil.copyfileobj(file.file, target)
            return loras.add(path, file.filename or "", base_model, trigger_word, key)

    _one_lora(routes, loras)
    return routes


def _one_lora(routes: APIRouter, loras: Loras) -> None:
    @routes.get("/{lora_id}")
    def get(lora_id: str) -> Lora:
        """Return one LoRA with its lineage."""
        return loras.get(lora_id)

    @routes.get("/{lora_id}/file", response_class=FileResponse)
    def file(lora_id: str) -> FileResponse:
        """Download the safetensors file."""
        lora = loras.get(lora_id)
        return FileResponse(
            loras.file(lora_id), media_type="application/octet-stream", filename=f"{lora.label}.safetensors"
        )

    @routes.patch("/{lora_id}")
    def update(lora_id: str, patch: LoraPatch) -> Lora:
        """Change note or trigger word."""
        return loras.update(lora_id, patch)

    @routes.delete("/{lora_id}", status_code=204, response_class=Response)
    def delete(lora_id: str) -> None:
        """Delete a LoRA; pictures made with it stay."""
        loras.delete(lora_id)


def _outputs(isengard: Isengard) -> APIRouter:
    routes, outputs = _router("outputs"), isengard.outputs

    @routes.get("")
    def list_outputs(character_id: CharacterFilter = None, cursor: Cursor = None, limit: Limit = 60) -> Page[Output]:
        """List generated pictures, newest first, with the settings of each."""
        return outputs.list(character_id, cursor, limit)

    @routes.get("/{output_id}")
    def get(output_id: str) -> Output:
        """Return one picture's record."""
        return outputs.get(output_id)

    @routes.get("/{output_id}/file", response_class=FileResponse)
    def file(output_id: str, size: Size = "full") -> FileResponse:
        """Return the picture; the full one carries its settings inside."""
        return FileResponse(outputs.file(output_id, size), headers=FOREVER)

    @routes.delete("/{output_id}", status_code=204, response_class=Response)
    def delete(output_id: str) -> None:
        """Delete one picture."""
        outputs.delete(output_id)

    return routes


def _models(isengard: Isengard) -> APIRouter:
    routes, models = _router("models"), isengard.models

    @routes.get("")
    def list_models() -> Page[Model]:
        """List the registry: what is here, what it can do, what it needs, its licence."""
        return models.list()

    @routes.get("/{model_id}")
    def get(model_id: str) -> Model:
        """Return one model."""
        return models.get(model_id)

    @routes.post("/{model_id}/download", responses=responses(501))
    def download(model_id: str) -> Model:
        """Not built yet: says where to put the files by hand."""
        model = models.get(model_id)
        raise NotImplementedYet("Isengard does not download models yet.", model.reason or "It is here already.")

    return routes
