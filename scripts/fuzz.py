"""Sends an Isengard of its own what its OpenAPI allows and forbids, by schemathesis: ``python scripts/fuzz.py``.

No answer may be a 5xx, and each must be as the schema says: status, content type, body. Left out are the endless event
stream, and video, whose every answer is 501 and is asked for apart. Exit status 1 when something is found.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx
from own_app import OwnApp

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
APART = r"^/api/(events|video)"
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def fuzzed(app: OwnApp, folder: Path, examples: int, seed: int) -> tuple[int, Counter[int]]:
    """Run schemathesis; return its exit status, and how many answers of each status there were."""
    told = folder / "events.ndjson"
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{app.url}/openapi.json"]
    command += ["--checks", ",".join(CHECKS), "--exclude-path-regex", APART, "--max-examples", str(examples)]
    command += ["--seed", str(seed), "--generation-database", "none", "--request-timeout", "60", "--no-color"]
    command += ["--continue-on-failure", "--warnings", "off", "--report", "ndjson", "--report-ndjson-path", str(told)]
    done = subprocess.run(command, cwd=folder, check=False)
    return done.returncode, Counter(statuses(told))


def statuses(told: Path) -> list[int]:
    """Return the status of every answer in schemathesis's report."""
    found: list[int] = []
    waiting = [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            found += [value["status_code"]] if isinstance(value.get("status_code"), int) else []
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return found


def video(app: OwnApp) -> list[str]:
    """Return the requests below /api/video that were not answered by a problem document with 501."""
    wrong = []
    with httpx.Client(base_url=app.url, timeout=60, trust_env=False) as http:
        for verb in VERBS:
            for path in ("/api/video", "/api/video/generate", "/api/video/x/y?z=1", "/api/video/%00/../x"):
                answer = http.request(verb, path, json={"prompt": "x"})
                is_problem = answer.headers.get("content-type") == "application/problem+json"
                if answer.status_code != 501 or not is_problem or not answer.json()["hint"]:
                    wrong.append(f"{verb} {path}: {answer.status_code}")
    return wrong


def main() -> int:
    """Fuzz and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100, help="requests an operation and phase, at most")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.perf_counter()
    unlimited = {"ISENGARD_UPLOADS_PER_MINUTE": "0", "ISENGARD_JOBS_PER_MINUTE": "0"}
    with tempfile.TemporaryDirectory() as kept, OwnApp(Path(kept) / "volume", **unlimited) as app:
        operations = sum(
            len(verbs)
            for verbs in httpx.get(f"{app.url}/openapi.json", timeout=60, trust_env=False).json()["paths"].values()
        )
        status, answers = fuzzed(app, Path(kept), options.examples, options.seed)
        wrong = video(app)
        ready = httpx.get(f"{app.url}/health/ready", timeout=60, trust_env=False).status_code == 200
    for one in wrong:
        print(f"VIDEO: {one}")
    server_errors = sum(number for code, number in answers.items() if code >= 500)
    counts = ", ".join(f"{number} x {code}" for code, number in sorted(answers.items()))
    found = "found nothing" if status == 0 else f"ended with {status}"
    print(
        f"fuzz: {operations} operations in the OpenAPI, {answers.total()} answers ({counts}), {server_errors} of them "
        f"5xx; schemathesis {found}; {len(wrong)} answers of /api/video other than 501; "
        f"{'ready' if ready else 'NOT READY'} at the end; {time.perf_counter() - started:.0f} s"
    )
    return 1 if status or server_errors or wrong or not ready else 0


if __name__ == "__main__":
    sys.exit(main())
