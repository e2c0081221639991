"""Checks the model registry and what it points to: rows, licences, hashes, embedded weights, presets, pins.

Exit status: 0 sound, 1 something is wrong (each thing is named), 2 the file cannot be read.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from isengard.domain.base_model import UNVERIFIED, BaseModelRow
from isengard.infra.sota import sha256_of
from isengard.plugins.presets import PRESETS, Confidence, Preset, read_presets

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from registry_sources import (  # noqa: E402 - scripts is no package
    checked_licence,
    checked_sources,
    checked_together,
    checked_training,
    checked_workflow,
)

TOP = {"version", "components", "custom_nodes", "shared", "models"}
SHA256 = re.compile(r"[0-9a-f]{64}\Z")
COMMIT = re.compile(r"[0-9a-f]{40}\Z")
ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,79}\Z")  # it becomes a folder's name on the volume
RESTRICTED = re.compile(r"(?i)non-?\s?commercial|research only|personal use")
COMPONENT_FIELDS = ("source", "version", "commit", "license")
PRESET_FIELDS = ("rank", "alpha", "learning_rate", "steps", "batch_size", "sample", "source", "confidence")
CONFIDENCE = get_args(Confidence)


class Unreadable(Exception):
    """The file is not there, or is no registry at all."""


def main(arguments: list[str] | None = None) -> int:
    """Check the file that is named on the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("registry", nargs="?", type=Path, default=ROOT / "sota" / "registry.yml")
    parser.add_argument("--root", type=Path, default=ROOT, help="folder that embedded paths and presets are in")
    options = parser.parse_args(arguments)
    try:
        content = read(options.registry)
    except Unreadable as error:
        print(f"{options.registry}: {error}", file=sys.stderr)
        return 2
    rows, problems = parsed(content["models"])
    problems += [*checked_top(content), *checked_rows(rows, options.root), *checked_together(rows)]
    problems += checked_components(content.get("components"))
    problems += checked_components(content.get("custom_nodes"), "custom node")
    for problem in problems:
        print(f"{options.registry.name}: {problem}", file=sys.stderr)
    for note in notes(rows, options.root):
        print(f"note: {note}")
    told = "sound" if not problems else f"{len(problems)} {'thing is' if len(problems) == 1 else 'things are'} wrong"
    print(f"{options.registry.name}: {len(rows)} models, {told}")
    return 1 if problems else 0


def read(path: Path) -> dict[str, Any]:
    """Return the parsed file; raise Unreadable."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise Unreadable(f"is not valid YAML: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("models"), list) or not content["models"]:
        raise Unreadable("has no list of models; start from sota/registry.yml in the repository.")
    return content


def parsed(raw_rows: list[Any]) -> tuple[list[BaseModelRow], list[str]]:
    """Return the rows that fit the schema, and what is wrong with the others."""
    rows, problems = [], []
    for number, raw in enumerate(raw_rows, 1):
        name = raw.get("id", f"row {number}") if isinstance(raw, dict) else f"row {number}"
        try:
            rows.append(BaseModelRow.model_validate(raw))
        except ValidationError as error:
            problems += [f"{name}: {'.'.join(map(str, e['loc'])) or 'row'}: {e['msg']}" for e in error.errors()]
    return rows, problems


def checked_rows(rows: list[BaseModelRow], root: Path) -> Iterator[str]:
    """Yield what is wrong with rows that fit the schema."""
    by_id = {row.id: row for row in rows}
    for name, count in Counter(row.id for row in rows).items():
        if count > 1:
            yield f"{name}: the id is used {count} times; ids must be unique"
    for row in rows:
        yield from (f"{row.id}: {problem}" for problem in _checked(row, by_id, root))


def _checked(row: BaseModelRow, by_id: dict[str, BaseModelRow], root: Path) -> Iterator[str]:
    if not ID.match(row.id):
        yield "an id is made of small letters, digits, dots and hyphens, at most 80"
    yield from _empty_fields(row)
    if row.sha256 != "unverified" and not SHA256.match(row.sha256):
        yield f"sha256 is '{row.sha256}'; give 64 small hex digits, or 'unverified'"
    if row.commercial_use and RESTRICTED.search(row.license):
        yield f"commercial_use is true, but the licence is '{row.license}'"
    yield from _alternative(row, by_id)
    yield from checked_licence(row)
    yield from checked_sources(row)
    yield from checked_training(row, by_id)
    yield from checked_workflow(row, root)
    if row.path:
        yield from _embedded(row, root)
    yield from _presets(row, root)


def _empty_fields(row: BaseModelRow) -> Iterator[str]:
    for field in ("name", "source", "license", "version", "purpose"):
        if not getattr(row, field).strip():
            yield f"{field} is empty"
    if row.kind == "base_model" and not row.family:
        yield "family is empty; a LoRA is matched to its base model by it"


def _alternative(row: BaseModelRow, by_id: dict[str, BaseModelRow]) -> Iterator[str]:
    if row.fast_test_alternative is None:
        return
    other = by_id.get(row.fast_test_alternative)
    if other is None:
        yield f"fast_test_alternative '{row.fast_test_alternative}' is not in the registry"
    elif other.compatibility.min_vram_gb > 0:
        yield f"fast_test_alternative '{other.id}' needs a GPU itself"


def _embedded(row: BaseModelRow, root: Path) -> Iterator[str]:
    folder = (root / str(row.path)).resolve()
    if not folder.is_relative_to(root.resolve()):
        yield f"path '{row.path}' leaves the project"
        return
    files = sorted(folder.glob("**/*.safetensors"))
    if not files:
        yield f"path '{row.path}' holds no .safetensors file"
    elif SHA256.match(row.sha256) and (digest := sha256_of(files)) != row.sha256:
        yield f"sha256 is {row.sha256}, but the weights in '{row.path}' have {digest}"


def _presets(row: BaseModelRow, root: Path) -> Iterator[str]:
    """Check the presets of a row that is trained; those of a row that ships must be there."""
    path = _preset_file(row, root)
    if "lora" not in row.compatibility.supported_training:
        return
    if path.is_file():
        yield from (f"{path.relative_to(root)}: {problem}" for problem in _preset_problems(row, root))
    elif row.path:
        yield f"it trains LoRAs, but {path.relative_to(root)} is missing"


def _preset_problems(row: BaseModelRow, root: Path) -> Iterator[str]:
    try:
        loaded = read_presets(root, row)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, TypeError) as error:
        yield f"cannot be read: {error}"
        return
    for preset in PRESETS:
        fields = loaded.get(preset, {})
        wanted = (*PRESET_FIELDS, "target_modules") if row.path else PRESET_FIELDS
        if missing := [name for name in wanted if name not in fields]:
            yield f"preset '{preset}' lacks {', '.join(missing)}"
        else:
            yield from _preset_values(preset, fields)


def _preset_values(preset: str, fields: Preset) -> Iterator[str]:
    if fields["confidence"] not in CONFIDENCE:
        yield f"preset '{preset}': confidence is '{fields['confidence']}'; give one of {', '.join(CONFIDENCE)}"
    limits = [fields[name] for name in ("min_steps", "steps", "max_steps") if name in fields]
    if limits != sorted(limits):
        yield f"preset '{preset}': steps {fields['steps']} are not between min_steps and max_steps"
    if "steps_per_image" in fields and not {"min_steps", "max_steps"} <= fields.keys():
        yield f"preset '{preset}': steps_per_image needs min_steps and max_steps"


def checked_top(content: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong beside the models themselves."""
    for name in sorted(set(content) - TOP):
        yield f"'{name}' is no part of a registry"


def checked_components(components: Any, what: str = "component") -> Iterator[str]:
    """Yield what is wrong with the pins of outside programs; there may be none."""
    if components is None:
        return
    if not isinstance(components, dict):
        yield f"{what}s is not a mapping of name to pin"
        return
    for name, pin in components.items():
        missing = [field for field in COMPONENT_FIELDS if not isinstance(pin, dict) or not pin.get(field)]
        if missing:
            yield f"{what} {name}: lacks {', '.join(missing)}"
        elif not COMMIT.match(str(pin["commit"])):
            yield f"{what} {name}: commit '{pin['commit']}' is not a full commit of 40 hex digits"


def notes(rows: list[BaseModelRow], root: Path) -> Iterator[str]:
    """Yield what is not wrong but worth knowing: models that are listed and cannot be trained here yet."""
    for row in rows:
        trains = "lora" in row.compatibility.supported_training
        if trains and not row.path and not _preset_file(row, root).is_file():
            yield f"{row.id} can be trained in principle, but Isengard has no presets for '{row.family}' yet"
        for place in [s.place(f) for s in row.sources for f in s.files if f.sha256 == UNVERIFIED]:
            yield f"{row.id}: nobody verified the hash of {place}; only what its source reports is checked"


def _preset_file(row: BaseModelRow, root: Path) -> Path:
    return root / "sota" / "presets" / f"{row.family}.yml"


if __name__ == "__main__":
    sys.exit(main())
