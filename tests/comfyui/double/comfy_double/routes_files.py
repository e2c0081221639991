"""What the server says of itself and of its files: stats, features, nodes, models, uploads, results, its log."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from comfy_double import nodes
from comfy_double.folders import KINDS, Folders
from comfy_double.house import House
from comfy_double.wire import Handler, answer, empty

FEATURES = {
    "supports_preview_metadata": True,
    "supports_model_type_tags": True,
    "max_upload_size": 104857600,
    "extension": {"manager": {"supports_v4": True}},
    "node_replacements": True,
    "assets": False,
}


def table(house: House) -> dict[str, Handler]:
    """Return the routes."""
    return {
        "GET /system_stats": system_stats,
        "GET /features": features,
        "GET /object_info": object_info,
        "GET /object_info/{id}": object_info_of,
        "GET /models": models,
        "GET /models/{id}": models_of,
        "POST /upload/image": upload,
        "GET /view": view,
        "GET /internal/logs/raw": log_entries,
    }


async def system_stats(house: House, request: Request) -> Response:
    memory = psutil.virtual_memory()
    system = {
        "os": sys.platform,
        "ram_total": memory.total,
        "ram_free": memory.available,
        "comfyui_version": house.acts.plan.version,
        "python_version": sys.version,
        "pytorch_version": "2.13.0+cpu",
        "embedded_python": False,
        "argv": ["main.py", *house.arguments],
    }
    device = {
        "name": "cpu",
        "type": "cpu",
        "index": None,
        "vram_total": memory.total,
        "vram_free": memory.available,
        "torch_vram_total": memory.total,
        "torch_vram_free": memory.available,
    }
    return answer({"system": system, "devices": [device]})


async def features(house: House, request: Request) -> Response:
    return answer(FEATURES)


async def object_info(house: House, request: Request) -> Response:
    return answer({name: nodes.object_info(name, house.folders) for name in nodes.NODES})


async def object_info_of(house: House, request: Request) -> Response:
    name = request.path_params["id"]
    return answer({name: nodes.object_info(name, house.folders)} if name in nodes.NODES else {})


async def models(house: House, request: Request) -> Response:
    return answer(KINDS.split())


async def models_of(house: House, request: Request) -> Response:
    kind = request.path_params["id"]
    return answer(house.folders.models(kind)) if house.folders.knows(kind) else empty(404)


async def upload(house: House, request: Request) -> Response:
    form = await request.form()
    image = form.get("image")
    if image is None or isinstance(image, str) or not image.filename:
        return empty(400)
    kind, subfolder = str(form.get("type") or "input"), str(form.get("subfolder", ""))
    root = house.folders.of(kind) or house.folders.input
    path = (root / subfolder / image.filename).resolve()
    if not path.is_relative_to(root):
        return empty(400)
    content = await image.read()
    path.parent.mkdir(parents=True, exist_ok=True)
    if form.get("overwrite") not in ("true", "1"):
        path = _free_name(path, content)
    path.write_bytes(content)
    return answer({"name": path.name, "subfolder": subfolder, "type": kind})


def _free_name(path: Path, content: bytes) -> Path:
    """Return a name that is free or holds the same bytes already: ``a.png``, ``a (1).png``."""
    tried, number = path, 0
    while tried.exists() and tried.read_bytes() != content:
        number += 1
        tried = path.with_name(f"{path.stem} ({number}){path.suffix}")
    return tried


async def view(house: House, request: Request) -> Response:
    asked = request.query_params
    name = asked.get("filename", "")
    if "filename" not in asked:
        return empty(404)
    root = house.folders.of(asked.get("type", "output"))
    if root is None or not name or name[0] == "/" or ".." in name:
        return empty(400)
    return _found(root, asked.get("subfolder", ""), name)


def _found(root: Path, subfolder: str, name: str) -> Response:
    folder = (root / subfolder).resolve()
    if not folder.is_relative_to(root):
        return empty(403)
    path = folder / Path(name).name
    if not path.is_file():
        return empty(404)
    headers = {"X-Content-Type-Options": "nosniff", "Content-Disposition": f'filename="{path.name}"'}
    return FileResponse(path, headers=headers)


async def log_entries(house: House, request: Request) -> Response:
    return answer({"entries": list(house.log.entries), "size": {"cols": 80, "rows": 24}})


def ready(folders: Folders) -> list[str]:
    """Return what the start says of extra model folders."""
    return [f"Adding extra search path {kind} {folder}" for kind, folder in folders.extra]
