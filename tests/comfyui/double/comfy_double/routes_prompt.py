"""POST /prompt, the queue, the history, interrupting and /api/jobs."""

from __future__ import annotations

import time
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from comfy_double import jobs
from comfy_double.house import House
from comfy_double.plan import CANCEL_ROUTES, CLIENT_PROMPT_IDS, INTERRUPT_BY_ID, JOBS, UUID_PROMPT_IDS
from comfy_double.validation import Verdict, problem, validate
from comfy_double.wire import Handler, answer, empty

UUID_WANTED = (
    "prompt_id must be a UUID string in canonical lowercase hyphenated form; omit it to let the server generate one"
)
SPOILED_OUTPUT = {
    "999": {
        "errors": [
            problem("required_input_missing", "Required input is missing", "images", input_name="images"),
        ],
        "dependent_outputs": ["999"],
        "class_type": "SaveImage",
    }
}


def table(house: House) -> dict[str, Handler]:
    """Return the routes that this version has."""
    known: dict[str, Handler] = {
        "POST /prompt": post_prompt,
        "GET /prompt": get_prompt,
        "GET /queue": get_queue,
        "POST /queue": post_queue,
        "GET /history": get_history,
        "POST /history": post_history,
        "GET /history/{id}": get_history_entry,
        "POST /interrupt": interrupt,
        "POST /free": free,
    }
    if house.acts.plan.newer_than(JOBS):
        known |= {"GET /api/jobs": list_jobs, "GET /api/jobs/{id}": get_job}
    if house.acts.plan.newer_than(CANCEL_ROUTES):
        known |= {"POST /api/jobs/cancel": cancel_jobs, "POST /api/jobs/{id}/cancel": cancel_job}
    return known


async def post_prompt(house: House, request: Request) -> Response:
    house.log.say("got prompt")
    body = await request.json()
    number = _number(house, body)
    if "prompt" not in body:
        return _refused(problem("no_prompt", "No prompt provided", "No prompt provided"), {})
    prompt_id = _prompt_id(house, body.get("prompt_id"))
    if prompt_id is None:
        return _refused(problem("invalid_prompt_id", "prompt_id must be a valid UUID", UUID_WANTED), {})
    verdict = validate(body["prompt"], house.folders)
    special = await house.acts.at("prompt", prompt_id=prompt_id, text=str(body["prompt"]))
    if verdict.error:
        house.log.write("WARNING", f"invalid prompt: {verdict.error}")
        return _refused(verdict.error, verdict.node_errors)
    errors = SPOILED_OUTPUT if "node_errors" in special else verdict.node_errors
    if "lose" not in special:
        _put(house, body, number, prompt_id, verdict)
    await house.acts.at("accepted", prompt_id=prompt_id, text=str(body["prompt"]))
    return answer({"prompt_id": prompt_id, "number": number, "node_errors": errors})


def _put(house: House, body: dict[str, Any], number: float, prompt_id: str, verdict: Verdict) -> None:
    extra = body.get("extra_data", {})
    if "client_id" in body:
        extra["client_id"] = body["client_id"]
    extra["create_time"] = int(time.time() * 1000)
    house.engine.put((number, prompt_id, body["prompt"], extra, verdict.outputs))


def _number(house: House, body: dict[str, Any]) -> float:
    if "number" in body:
        return float(body["number"])
    number = -house.counter if body.get("front") else house.counter
    house.counter += 1
    return number


def _prompt_id(house: House, given: Any) -> str | None:
    plan = house.acts.plan
    if given is None or not plan.newer_than(CLIENT_PROMPT_IDS):
        return str(uuid.uuid4())
    if not plan.newer_than(UUID_PROMPT_IDS):
        return str(given)
    try:
        return str(given) if str(uuid.UUID(given)) == given else None
    except (ValueError, AttributeError, TypeError):
        return None


def _refused(error: dict[str, Any], node_errors: dict[str, Any]) -> Response:
    return answer({"error": error, "node_errors": node_errors}, 400)


async def get_prompt(house: House, request: Request) -> Response:
    return answer(house.engine.status["status"])


async def get_queue(house: House, request: Request) -> Response:
    engine = house.engine
    running = [list(engine.running)] if engine.running else []
    waiting = [list(item) for item in sorted(engine.waiting, key=lambda item: item[0])]
    return answer({"queue_running": running, "queue_pending": waiting})


async def post_queue(house: House, request: Request) -> Response:
    body = await request.json()
    if body.get("clear"):
        house.engine.clear()
    for prompt_id in body.get("delete", []):
        house.engine.delete(prompt_id)
    return empty()


async def get_history(house: House, request: Request) -> Response:
    entries = list(house.engine.history.items())
    most = request.query_params.get("max_items")
    return answer(dict(entries if most is None else entries[-int(most) :]))


async def get_history_entry(house: House, request: Request) -> Response:
    name = request.path_params["id"]
    return answer({name: house.engine.history[name]} if name in house.engine.history else {})


async def post_history(house: House, request: Request) -> Response:
    body = await request.json()
    if body.get("clear"):
        house.engine.history.clear()
    for prompt_id in body.get("delete", []):
        house.engine.history.pop(prompt_id, None)
    return empty()


async def interrupt(house: House, request: Request) -> Response:
    body = await request.json() if await request.body() else {}
    prompt_id = body.get("prompt_id")
    if prompt_id and house.acts.plan.newer_than(INTERRUPT_BY_ID):
        hit = house.engine.interrupt_if_running(prompt_id)
        said = (
            f"Interrupting prompt {prompt_id}"
            if hit
            else f"Prompt {prompt_id} is not currently running, skipping interrupt"
        )
        house.log.say(said)
    else:
        house.log.say("Global interrupt (no prompt_id specified)")
        house.engine.interrupted = True
    house.acts.plan.note("interrupt", prompt_id=prompt_id)
    return empty()


async def free(house: House, request: Request) -> Response:
    body = await request.json()
    house.acts.plan.note("free", **body)
    if body.get("free_memory", False):
        house.engine.free()
    return empty()


async def list_jobs(house: House, request: Request) -> Response:
    asked = request.query_params
    statuses = [name.strip() for name in asked.get("status", "").split(",") if name.strip()]
    limit = int(asked["limit"]) if "limit" in asked else None
    return answer(jobs.listed(house.engine, statuses, limit, int(asked.get("offset", 0))))


async def get_job(house: House, request: Request) -> Response:
    job = jobs.find(house.engine, request.path_params["id"])
    return answer(job) if job else answer({"error": "Job not found"}, 404)


async def cancel_job(house: House, request: Request) -> Response:
    return answer({"cancelled": jobs.cancel(house.engine, request.path_params["id"])})


async def cancel_jobs(house: House, request: Request) -> Response:
    body = await request.json()
    if not isinstance(body.get("job_ids"), list):
        return answer({"error": "job_ids must be a list"}, 400)
    cancelled = [jobs.cancel(house.engine, job_id) for job_id in body["job_ids"]]
    return answer({"cancelled": any(cancelled)})
