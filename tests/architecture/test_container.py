"""The container files fit the project: what is copied exists and may be, and no password has a default."""

from __future__ import annotations

import re
import shlex
from fnmatch import fnmatch
from pathlib import Path

import yaml

from isengard.config import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
IGNORED = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]


def copied() -> list[str]:
    lines = re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE)
    return [source for line in lines for source in shlex.split(line)[:-1]]


def may_be_copied(path: str) -> bool:
    """Tell what Docker would: the last rule that matches decides."""
    allowed = True
    for rule in IGNORED:
        name = rule.removeprefix("!").removeprefix("**/")
        if fnmatch(path, name) or path.startswith(f"{name}/") or fnmatch(Path(path).name, name):
            allowed = rule.startswith("!")
    return allowed


def test_what_is_copied_exists_and_may_be_copied() -> None:
    assert "isengard" in copied()
    assert [path for path in copied() if not (ROOT / path).exists()] == []
    assert [path for path in copied() if not may_be_copied(path)] == []


def test_data_secrets_and_history_stay_outside() -> None:
    for path in ("data/loras/x.safetensors", ".env", ".git/config", "logs/api/x.log", "tests/photos/a.jpg", ".venv/x"):
        assert not may_be_copied(path), path


def test_settings_in_the_files_are_settings_of_the_app() -> None:
    known = {str(field.validation_alias or name.upper()) for name, field in Settings.model_fields.items()}
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["isengard"]["environment"]
    template = yaml.safe_load((ROOT / "runpod-template.yaml").read_text())["env"]
    image = dict(re.findall(r"^(?:ENV| {4}) ?([A-Z_]+)=(\S+)", DOCKERFILE, re.MULTILINE))
    ours = {name for name in image if not name.startswith(("PIP_", "PYTHON"))}
    assert (set(compose) | set(template) | ours) - known == set()


def test_no_password_has_a_default_and_redis_wants_one() -> None:
    text = (ROOT / "compose.yaml").read_text()
    services = yaml.safe_load(text)["services"]
    assert services["isengard"]["environment"]["ISENGARD_PASSWORD"].startswith("${ISENGARD_PASSWORD:?")
    assert "REDIS_PASSWORD:?" in services["isengard"]["environment"]["REDIS_URL"]
    assert "ports" not in services["redis"]
    assert services["isengard"]["ports"] == ["127.0.0.1:7860:7860"]
