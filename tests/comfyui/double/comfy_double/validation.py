"""What POST /prompt says about a graph before it is queued: every error type that was seen on the real server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from comfy_double import nodes
from comfy_double.folders import Folders

Graph = dict[str, dict[str, Any]]
CORRUPTED = "The workflow may be corrupted or a custom node is missing."
CONVERT = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}


@dataclass
class Verdict:
    """The outputs worth executing, and what is wrong; ``error`` is None when at least one output is good."""

    outputs: list[str] = field(default_factory=list)
    error: dict[str, Any] | None = None
    node_errors: dict[str, Any] = field(default_factory=dict)


def problem(kind: str, message: str, details: str = "", **extra: Any) -> dict[str, Any]:
    """Return an error in the server's form."""
    return {"type": kind, "message": message, "details": details, "extra_info": extra}


def validate(graph: Graph, folders: Folders) -> Verdict:
    """Check the graph; it is changed in place where text stands for a number."""
    for name, node in graph.items():
        kind, title = node.get("class_type"), node.get("_meta", {}).get("title")
        if kind is None:
            said = f"Node '{title or f'ID #{name}'}' has no class_type. {CORRUPTED}"
        elif kind not in nodes.NODES:
            said = f"Node '{title or kind}' not found. The custom node may not be installed."
        else:
            continue
        named = {"node_id": name, "class_type": kind, "node_title": title or kind}
        return Verdict(error=problem("missing_node_type", said, f"Node ID '#{name}'", **named))
    outputs = [name for name, node in graph.items() if nodes.NODES[node["class_type"]].get("output_node")]
    if not outputs:
        return Verdict(error=problem("prompt_no_outputs", "Prompt has no outputs"))
    return _verdict(graph, outputs, _Check(graph, folders))


def _verdict(graph: Graph, outputs: list[str], check: _Check) -> Verdict:
    good: list[str] = []
    wrong: dict[str, Any] = {}
    for output in outputs:
        if check.output_passes(output):
            good.append(output)
            continue
        for name, errors in check.errors.items():
            if errors:
                blank = {"errors": errors, "dependent_outputs": [], "class_type": graph[name]["class_type"]}
                wrong.setdefault(name, blank)["dependent_outputs"].append(output)
    error = None if good else problem("prompt_outputs_failed_validation", "Prompt outputs failed validation")
    return Verdict(good, error, wrong)


class _Check:
    """Walks from an output to everything it needs."""

    def __init__(self, graph: Graph, folders: Folders) -> None:
        self._graph = graph
        self._folders = folders
        self.errors: dict[str, list[dict[str, Any]]] = {}
        self._passed: dict[str, bool] = {}

    def output_passes(self, name: str) -> bool:
        """Check an output; its own link to nowhere is an error of its own kind."""
        try:
            return self.passes(name, [])
        except (KeyError, IndexError) as error:
            raised = {"exception_type": type(error).__name__, "traceback": ["  File ...\n"]}
            said = "Exception when validating node"
            self.errors[name] = [problem("exception_during_validation", said, str(error), **raised)]
            self._passed[name] = False
            return False

    def passes(self, name: str, path: list[str]) -> bool:
        """Tell whether a node and all before it are good; a link to nowhere raises, as it does in the server."""
        if name in path:
            self._cycle([*path[path.index(name) :], name])
            return False
        if name not in self._passed:
            node = self._graph[name]
            node_errors = self.errors.setdefault(name, [])
            fine = [self._input(name, field_name, written, path) for field_name, written in _fields(node)]
            node_errors.extend(_files_missing(node, self._folders))
            self._passed[name] = all(fine) and not node_errors
        return self._passed[name]

    def _input(self, name: str, field_name: str, written: list[Any], path: list[str]) -> bool:
        node = self._graph[name]
        described = [*nodes.spec(written, self._folders), {}][:2]
        if field_name not in node["inputs"]:
            if field_name in nodes.NODES[node["class_type"]]["required"]:
                missing = problem("required_input_missing", "Required input is missing", field_name)
                self.errors[name].append({**missing, "extra_info": {"input_name": field_name}})
            return True
        if isinstance(node["inputs"][field_name], list):
            return self._link(name, field_name, described, path)
        wrong = _value(node, field_name, described)
        self.errors[name].extend([wrong] if wrong else [])
        return not wrong

    def _link(self, name: str, field_name: str, described: list[Any], path: list[str]) -> bool:
        link = self._graph[name]["inputs"][field_name]
        source, slot = link
        given = nodes.NODES[self._graph[source]["class_type"]]["output"][slot]
        known = {"input_name": field_name, "input_config": described}
        if given != described[0] and "*" not in (given, described[0]):
            said = f"{field_name}, received_type({given}) mismatch input_type({described[0]})"
            mismatch = problem("return_type_mismatch", "Return type mismatch between linked nodes", said)
            self.errors[name].append({**mismatch, "extra_info": {**known, "received_type": given, "linked_node": link}})
            return False
        try:
            return self.passes(source, [*path, name])
        except (KeyError, IndexError) as error:
            details = "tuple index out of range" if isinstance(error, IndexError) else str(error)
            raised = {
                "exception_message": details,
                "exception_type": type(error).__name__,
                "traceback": ["  File ...\n"],
            }
            inner = problem("exception_during_inner_validation", "Exception when validating inner node", details)
            self.errors[source] = [{**inner, "extra_info": {**known, **raised, "linked_node": link}}]
            self._passed[source] = False
            return False

    def _cycle(self, path: list[str]) -> None:
        around = list(dict.fromkeys(path))
        drawn = " -> ".join(f"{name} ({self._graph[name]['class_type']})" for name in path)
        for name in around:
            found = problem("dependency_cycle", "Dependency cycle detected", drawn, node_id=name, cycle_nodes=around)
            self.errors.setdefault(name, []).append(found)


def _fields(node: dict[str, Any]) -> list[tuple[str, list[Any]]]:
    known = nodes.NODES[node["class_type"]]
    return [*known["required"].items(), *known.get("optional", {}).items()]


def _value(node: dict[str, Any], name: str, described: list[Any]) -> dict[str, Any] | None:
    kind, options = described
    value = node["inputs"][name]
    known = {"input_name": name, "input_config": described}
    if isinstance(kind, str) and kind in CONVERT:
        try:
            value = node["inputs"][name] = CONVERT[kind](value)
        except (TypeError, ValueError) as error:
            said = f"Failed to convert an input value to a {kind} value"
            extra = {**known, "received_value": value, "exception_message": str(error)}
            return {**problem("invalid_input_type", said, f"{name}, {value}, {error}"), "extra_info": extra}
    if wrong := _out_of_range(value, options):
        return {**problem(*wrong, name), "extra_info": {**known, "received_value": value}}
    offered = nodes.choices(described)
    if offered is None or value in offered or _checked_by_node(node, name):
        return None
    long = len(offered) > 20
    said = f"{name}: {value!r} not in {f'(list of length {len(offered)})' if long else offered}"
    extra = {"input_name": name, "input_config": None if long else described, "received_value": value}
    return {**problem("value_not_in_list", "Value not in list", said), "extra_info": extra}


def _out_of_range(value: Any, options: dict[str, Any]) -> tuple[str, str] | None:
    if "min" in options and value < options["min"]:
        return "value_smaller_than_min", f"Value {value} smaller than min of {options['min']}"
    if "max" in options and value > options["max"]:
        return "value_bigger_than_max", f"Value {value} bigger than max of {options['max']}"
    return None


def _checked_by_node(node: dict[str, Any], name: str) -> bool:
    return node["class_type"].startswith("LoadImage") and name == "image"


def _files_missing(node: dict[str, Any], folders: Folders) -> list[dict[str, Any]]:
    image = node["inputs"].get("image")
    if not _checked_by_node(node, "image") or not isinstance(image, str) or (folders.input / image).is_file():
        return []
    wrong = problem(
        "custom_validation_failed", "Custom validation failed for node", f"image - Invalid image file: {image}"
    )
    return [{**wrong, "extra_info": {"input_name": "image"}}]
