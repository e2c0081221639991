"""ComfyUI's HTTP routes, as far as pictures need them; what it answers wrongly is put into words in ``failures``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import httpx

from isengard.errors import BackendUnavailable
from plugins.comfyui.failures import refused

TIMEOUT = httpx.Timeout(10.0, read=30.0)


class Unreachable(BackendUnavailable):
    """It does not answer: it died, hangs, or the way to it is cut."""


class Client:
    """Thread-safe. Every call raises Unreachable when the server does not answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def submit(self, graph: dict[str, Any], prompt_id: str, client_id: str, png_chunks: dict[str, Any]) -> None:
        """Queue a prompt under an id of ours; raise what it was refused for."""
        body = {
            "prompt": graph,
            "prompt_id": prompt_id,
            "client_id": client_id,
            "extra_data": {"extra_pnginfo": png_chunks, "preview_method": "auto"},
        }
        answer = self._send("POST", "/prompt", json=body)
        told = _json(answer)
        if answer.status_code != httpx.codes.OK or told.get("node_errors"):
            raise refused(answer.status_code, told)
        if told.get("prompt_id") != prompt_id:
            self.cancel(str(told.get("prompt_id")))
            raise BackendUnavailable(
                "This ComfyUI gives prompts ids of its own: it is too old.", "Use 0.3.60 or newer."
            )

    def history(self, prompt_id: str) -> dict[str, Any] | None:
        """Return what a finished prompt made, or None while it has not finished, or is unknown."""
        entry: dict[str, Any] | None = self._told(f"/history/{prompt_id}").get(prompt_id)
        return entry

    def queued(self) -> tuple[set[str], set[str]]:
        """Return the ids of the prompts that run, and of those that wait."""
        told = self._told("/queue")
        running, waiting = ({row[1] for row in told.get(key, ())} for key in ("queue_running", "queue_pending"))
        return running, waiting

    def cancel(self, prompt_id: str) -> None:
        """End this prompt and no other, whether it waits or runs."""
        if self._send("POST", f"/api/jobs/{prompt_id}/cancel").status_code == httpx.codes.OK:
            return
        self._send("POST", "/queue", json={"delete": [prompt_id]})  # before 0.25: two steps
        if prompt_id in self.queued()[0]:
            self._send("POST", "/interrupt", json={"prompt_id": prompt_id})

    def picture(self, image: dict[str, str]) -> bytes:
        """Return a finished picture's file."""
        answer = self._send("GET", "/view", params=image)
        if answer.status_code != httpx.codes.OK:
            raise Unreachable(f"ComfyUI has no picture {image.get('filename')} any more.", "Retry the job.")
        return answer.content

    def upload(self, path: Path, name: str) -> str:
        """Send a picture to start from; return the name it is kept under."""
        with path.open("rb") as file:
            files = {"image": (name, file, "image/png")}
            answer = self._send("POST", "/upload/image", files=files, data={"overwrite": "true"})
        if answer.status_code != httpx.codes.OK:
            raise refused(answer.status_code, _json(answer))
        return str(_json(answer)["name"])

    def free(self) -> None:
        """Ask it to unload its models."""
        self._send("POST", "/free", json={"unload_models": True, "free_memory": True})

    def gpu_gb(self) -> float:
        """Return the GPU memory that torch holds; infinity without a GPU: main memory comes back with the end."""
        devices = self._told("/system_stats").get("devices") or [{}]
        held = float(devices[0].get("torch_vram_total", 0)) / 2**30
        return math.inf if devices[0].get("type", "cpu") == "cpu" else held

    def node_signatures(self) -> dict[str, Any]:
        """Return ``/object_info``: what every node takes and gives."""
        return self._told("/object_info")

    def log_lines(self) -> list[tuple[str, str]]:
        """Return its last log entries as (time, text): the only sign of LoRA keys that were not loaded.

        [] where it does not tell them.
        """
        answer = self._send("GET", "/internal/logs/raw")
        entries = _json(answer).get("entries", ()) if answer.status_code == httpx.codes.OK else ()
        return [(str(entry.get("t", "")), str(entry.get("m", ""))) for entry in entries]

    def _told(self, path: str) -> dict[str, Any]:
        answer = self._send("GET", path)
        if answer.status_code != httpx.codes.OK:
            raise Unreachable(f"ComfyUI answered {answer.status_code} to {path}.", "Retry the job.")
        return _json(answer)

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **more)
        except (httpx.HTTPError, RuntimeError) as error:  # RuntimeError: closed, since the server is another one now
            raise Unreachable(f"ComfyUI does not answer: {error or type(error).__name__}.", "Retry the job.") from error


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
