"""The shape of the code: what linters cannot say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = sorted([ROOT / "app.py", *(p for part in ("isengard", "plugins", "ui") for p in (ROOT / part).rglob("*.py"))])
ALL = sorted([*PRODUCT, *(p for part in ("scripts", "tests") for p in (ROOT / part).rglob("*.py"))])
BANNED = ("manager", "helper", "utils", "common", "misc", "data", "info")
# Not ours to name: a route of the contract, and the metadata file that the storage contract names.
NAMED_BY_CONTRACT: frozenset[str] = frozenset({"info"})


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text()) for path in ALL}


def test_there_is_something_to_look_at() -> None:
    assert len(PRODUCT) > 50


def test_no_module_is_over_300_lines() -> None:
    long = {name_of(p): n for p in ALL if (n := len(p.read_text().splitlines())) > 300}
    assert long == {}


def test_no_function_is_over_40_lines(trees: dict[Path, ast.Module]) -> None:
    """Lines of code: the docstring does not count."""
    long = {}
    for path in PRODUCT:
        for function in functions(trees[path]):
            doc = function.body[0]
            has_doc = isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant)
            prose = (doc.end_lineno or 0) - doc.lineno + 1 if has_doc else 0
            lines = (function.end_lineno or 0) - function.lineno + 1 - prose
            if lines > 40:
                long[f"{name_of(path)}:{function.name}"] = lines
    assert long == {}


def test_every_module_opens_with_a_sentence(trees: dict[Path, ast.Module]) -> None:
    silent = [name_of(path) for path, tree in trees.items() if not ast.get_docstring(tree)]
    assert silent == []


def test_nothing_imports_app(trees: dict[Path, ast.Module]) -> None:
    guilty = [name_of(p) for p in PRODUCT if any(m.split(".")[0] == "app" for m in imported(trees[p]))]
    assert guilty == []


def test_plugs_import_sockets_nouns_and_errors_alone(trees: dict[Path, ast.Module]) -> None:
    allowed = ("isengard.plugins", "isengard.domain", "isengard.errors")
    guilty = {
        name_of(path): module
        for path in PRODUCT
        if path.is_relative_to(ROOT / "plugins")
        for module in imported(trees[path])
        if module.split(".")[0] == "isengard" and not module.startswith(allowed)
    }
    assert guilty == {}


def test_only_storage_knows_the_folders_of_the_volume(trees: dict[Path, ast.Module]) -> None:
    """No other module joins a path to one of the storage contract's folder names."""
    folders = {"characters", "uploads", "datasets", "synthetic", "loras", "outputs", "comfyui", "cache", "work"}
    guilty = [
        f"{name_of(path)}:{node.lineno}"
        for path in PRODUCT
        if name_of(path) != "isengard/infra/storage.py"
        for node in ast.walk(trees[path])
        if isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Div)
        and isinstance(node.right, ast.Constant)
        and str(node.right.value).split("/")[0] in folders
    ]
    assert guilty == []


def test_only_settings_read_the_environment(trees: dict[Path, ast.Module]) -> None:
    guilty = [
        f"{name_of(path)}:{node.lineno}"
        for path in PRODUCT
        if name_of(path) != "isengard/config.py"
        for node in ast.walk(trees[path])
        if isinstance(node, ast.Attribute)
        and node.attr in {"getenv", "environb"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    ]
    assert guilty == []


def test_names_say_what_a_thing_is(trees: dict[Path, ast.Module]) -> None:
    """Modules, classes and functions; words of the field and of contracts excepted."""
    pattern = re.compile("(?i)(^|_)(" + "|".join(BANNED) + ")(s?)(_|$)")
    guilty = []
    for path in PRODUCT:
        names = [path.stem] + [
            re.sub(r"(?<=[a-z])(?=[A-Z])", "_", node.name)
            for node in ast.walk(trees[path])
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        guilty += [f"{name_of(path)}: {n}" for n in names if pattern.search(n) and n not in NAMED_BY_CONTRACT]
    assert guilty == []


def test_cancelled_is_spelled_with_two_ls() -> None:
    one_l = re.compile(r"\bcance" + r"l(ed|ing)\b", re.IGNORECASE)
    # A dozen libraries spell it otherwise; a line that speaks to one of them says so by naming its method.
    guilty = [
        f"{name_of(path)}:{number}"
        for path in PRODUCT
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if one_l.search(line) and ".cancel" + "ed()" not in line
    ]
    assert guilty == []


def test_no_handler_is_silent(trees: dict[Path, ast.Module]) -> None:
    guilty = [
        f"{name_of(path)}:{node.lineno}"
        for path in ALL
        for node in ast.walk(trees[path])
        if isinstance(node, ast.ExceptHandler) and all(isinstance(line, ast.Pass) for line in node.body)
    ]
    assert guilty == []
