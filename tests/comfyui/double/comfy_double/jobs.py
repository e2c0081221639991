"""The /api/jobs view on queue and history: pending, in_progress, completed, failed, cancelled."""

from __future__ import annotations

from typing import Any

from comfy_double.engine import Engine, Item

ENDS = ("execution_success", "execution_error", "execution_interrupted")


def find(engine: Engine, job_id: str) -> dict[str, Any] | None:
    """Return one job with its outputs and workflow, or None."""
    if job_id in engine.history:
        return _finished(job_id, engine.history[job_id], whole=True)
    return next((job for job in _queued(engine) if job["id"] == job_id), None)


def listed(engine: Engine, statuses: list[str], limit: int | None, offset: int) -> dict[str, Any]:
    """Return a page of jobs, the newest first."""
    finished = [_finished(name, entry, whole=False) for name, entry in engine.history.items()]
    jobs = [job for job in (*_queued(engine), *finished) if not statuses or job["status"] in statuses]
    jobs.sort(key=lambda job: job["create_time"], reverse=True)
    page = jobs[offset : None if limit is None else offset + limit]
    more = offset + len(page) < len(jobs)
    return {"jobs": page, "pagination": {"offset": offset, "limit": limit, "total": len(jobs), "has_more": more}}


def cancel(engine: Engine, job_id: str) -> bool:
    """Stop a running or waiting job; False when there is nothing to stop."""
    return engine.interrupt_if_running(job_id) or engine.delete(job_id)


def _queued(engine: Engine) -> list[dict[str, Any]]:
    running = [_waiting(engine.running, "in_progress")] if engine.running else []
    return [*running, *(_waiting(item, "pending") for item in sorted(engine.waiting, key=lambda item: item[0]))]


def _waiting(item: Item, status: str) -> dict[str, Any]:
    times = {"priority": item[0], "create_time": item[3].get("create_time")}
    return {"id": item[1], "status": status, **times, "outputs_count": 0, "previewable_outputs_count": 0}


def _finished(name: str, entry: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    number, _id, graph, extra, _outputs = entry["prompt"]
    told = dict(entry["status"]["messages"])
    images = [image for output in entry["outputs"].values() for image in output.get("images", [])]
    interrupted = "execution_interrupted" in told
    status = "completed" if entry["status"]["completed"] else "cancelled" if interrupted else "failed"
    job = {
        "id": name,
        "status": status,
        "priority": number,
        "create_time": extra.get("create_time"),
        "execution_start_time": told["execution_start"]["timestamp"],
        "execution_end_time": next((told[event]["timestamp"] for event in ENDS if event in told), None),
        "execution_error": told.get("execution_error"),
        "outputs_count": len(images),
        "previewable_outputs_count": len(images),
        "preview_output": {**images[0], "nodeId": next(iter(entry["outputs"])), "mediaType": "images"}
        if images
        else None,
    }
    job = {key: value for key, value in job.items() if value is not None}
    if whole:
        job["outputs"] = entry["outputs"]
        job["execution_status"] = entry["status"]
        job["workflow"] = {"prompt": graph, "extra_data": extra}
    return job
