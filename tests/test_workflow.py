"""The plan's main test; a real photograph in place of its three dots, and patience for a slow machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from app import build
from isengard.config import Settings

PHOTO = Path(__file__).parent / "photos" / "hopper.jpg"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(volume_root=tmp_path / "volume", log_dir=tmp_path / "logs", tmp_dir=tmp_path / "tmp")
    web = build(settings).web()
    async with web.router.lifespan_context(web):
        transport = httpx.ASGITransport(app=web)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=30) as made:
            yield made


async def test_full_workflow_fast_test(client: httpx.AsyncClient) -> None:
    # Create character
    char = await client.post("/api/characters", json={"name": "TestChar", "trigger_word": "ohwx person"})
    assert char.status_code == 201

    # Upload images
    files = [("files", ("test.jpg", PHOTO.read_bytes(), "image/jpeg"))]
    upload = await client.post(f"/api/characters/{char.json()['id']}/images", files=files)
    assert upload.status_code == 201

    # Start training
    job = await client.post(
        "/api/training",
        json={
            "character_id": char.json()["id"],
            "config": {"steps": 10},  # Fast for testing
        },
    )
    assert job.status_code == 201

    # Wait for completion via polling
    job_id = job.json()["id"]
    for _ in range(180):
        status = await client.get(f"/api/training/{job_id}")
        if status.json()["status"] == "completed":
            break
        await asyncio.sleep(0.5)

    assert status.json()["status"] == "completed", status.json()
    assert status.json()["output_path"] is not None
