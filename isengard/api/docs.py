"""The /docs page: every route with its examples, drawn from OpenAPI, without a script or a request to anywhere."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
details { border: 1px solid #8884; border-radius: .5rem; margin: .5rem 0; padding: .5rem 1rem; }
summary { cursor: pointer; } code, pre { font: .875rem/1.5 ui-monospace, monospace; }
pre { overflow-x: auto; background: #8881; border-radius: .5rem; padding: 1rem; }
.verb { display: inline-block; width: 4.5rem; font-weight: 700; }
td { padding: .125rem 1rem .125rem 0; vertical-align: top; }
"""


def install(api: FastAPI) -> None:
    """Add the page."""

    @api.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(_page(api.openapi()))


def _page(schema: dict[str, Any]) -> str:
    parts = [
        _operation(verb, path, told)
        for path, verbs in schema["paths"].items()
        for verb, told in verbs.items()
        if isinstance(told, dict)
    ]
    title = escape(f"{schema['info']['title']} {schema['info']['version']}")
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}: REST</title><style>{_STYLE}</style>'
    lead = (
        f'<p>{escape(schema["info"]["description"])} The same as data: <a href="/openapi.json">/openapi.json</a>.</p>'
    )
    return f'{head}<meta name="viewport" content="width=device-width"><h1>{title}</h1>{lead}{"".join(parts)}</html>'


def _operation(verb: str, path: str, told: dict[str, Any]) -> str:
    about = escape(told.get("description", told.get("summary", "")))
    rows = "".join(
        f"<tr><td><code>{escape(p['name'])}</code><td>{escape(p['in'])}<td>{escape(p.get('description', ''))}"
        for p in told.get("parameters", [])
    )
    answers = ", ".join(f"{code} {escape(answer['description'])}" for code, answer in told["responses"].items())
    line = f'<span class="verb">{verb.upper()}</span><code>{escape(path)}</code> {about}'
    return f"<details><summary>{line}</summary><table>{rows}</table>{_examples(told)}<p>{answers}</p></details>"


def _examples(told: dict[str, Any]) -> str:
    found = [
        example["value"]
        for content in told.get("requestBody", {}).get("content", {}).values()
        for example in content.get("examples", {}).values()
    ]
    return "".join(f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>" for value in found)
