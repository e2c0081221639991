"""How the screen looks: theme, style sheet, scripts, and what Gradio is told when it is mounted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

STATIC = Path(__file__).parent / "static"
# One scope: later files use what earlier ones define, and nothing leaks into the page.
SCRIPTS = (
    "dom",
    "rest",
    "bus",
    "dialogs",
    "jobs",
    "consent",
    "intake",
    "crop",
    "captions",
    "pictures",
    "synthetic",
    "doctor",
    "characters",
    "curve",
    "live",
    "training",
    "preflight",
    "loras",
    "lora_import",
    "compare",
    "outputs",
    "grids",
    "gallery",
    "models",
    "system",
    "making",
    "prompt",
    "wildcards",
    "start",
    "backends",
    "boot",
)
SANS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")
SHADES = (
    "#effaf6",
    "#d7f3e9",
    "#b1e5d4",
    "#7fd0b9",
    "#49b398",
    "#27967c",
    "#147a65",
    "#106253",
    "#104e43",
    "#0f4139",
    "#062420",
)
GREYS = (
    "#faf9f7",
    "#f2f1ed",
    "#e6e4de",
    "#d2cfc7",
    "#a5a199",
    "#79766e",
    "#5b5851",
    "#46443e",
    "#2d2c28",
    "#1d1d1a",
    "#121310",
)


def _fonts(names: tuple[str, ...]) -> list[gr.themes.Font]:
    # A bare string would make Gradio ask for a font file.
    return [gr.themes.Font(name) for name in names]


def theme() -> gr.themes.Base:
    """Return the theme: warm greys, evergreen, the reader's own fonts."""
    look = gr.themes.Base(
        primary_hue=gr.themes.Color(*SHADES, name="evergreen"),
        secondary_hue=gr.themes.Color(*SHADES, name="evergreen"),
        neutral_hue=gr.themes.Color(*GREYS, name="warm"),
        radius_size="md",
        text_size="md",
        font=_fonts(SANS),
        font_mono=_fonts(MONO),
    )
    return look.set(**_SURFACES, **_TEXT, **_CONTROLS)


_SURFACES = {
    "body_background_fill": "#f7f6f3",
    "body_background_fill_dark": "#111413",
    "background_fill_primary": "#ffffff",
    "background_fill_primary_dark": "#191d1c",
    "background_fill_secondary": "#f2f1ed",
    "background_fill_secondary_dark": "#141817",
    "block_background_fill": "transparent",
    "block_background_fill_dark": "transparent",
    "block_border_width": "0px",
    "block_border_width_dark": "0px",
    "block_padding": "0px",
    "block_shadow": "none",
    "block_border_color": "#e3e1da",
    "block_border_color_dark": "#2b312f",
    "border_color_primary": "#d2cfc7",
    "border_color_primary_dark": "#3a413e",
}
_TEXT = {
    "body_text_color": "#22231f",
    "body_text_color_dark": "#e9ebe6",
    "body_text_color_subdued": "#5e5c55",
    "body_text_color_subdued_dark": "#a3aaa5",
    "block_title_text_color": "#33342f",
    "block_title_text_color_dark": "#d9ddd7",
    "block_title_text_weight": "550",
    "block_info_text_color": "#66635c",
    "block_info_text_color_dark": "#9aa39d",
    "block_label_background_fill": "transparent",
    "block_label_background_fill_dark": "transparent",
}
_CONTROLS = {
    "input_background_fill": "#ffffff",
    "input_background_fill_dark": "#121615",
    "input_border_width": "1px",
    "input_border_color": "#c9c6bd",
    "input_border_color_dark": "#3a413e",
    "input_border_color_focus": "#147a65",
    "input_border_color_focus_dark": "#49b398",
    "input_placeholder_color": "#77746b",
    "input_placeholder_color_dark": "#8b938e",
    "checkbox_label_background_fill": "#ffffff",
    "checkbox_label_background_fill_dark": "#121615",
    "checkbox_label_border_width": "1px",
    "checkbox_label_border_color": "#c9c6bd",
    "checkbox_label_border_color_dark": "#3a413e",
    "checkbox_label_background_fill_selected": "#d7f3e9",
    "checkbox_label_background_fill_selected_dark": "#0f4139",
    "checkbox_label_text_color_selected": "#0b3f35",
    "checkbox_label_text_color_selected_dark": "#d7f3e9",
    "button_primary_background_fill": "#147a65",
    "button_primary_background_fill_hover": "#106253",
    "button_primary_background_fill_dark": "#147a65",
    "button_primary_background_fill_hover_dark": "#1b8f77",
    "button_primary_text_color": "#ffffff",
    "button_primary_text_color_dark": "#ffffff",
    "slider_color": "#147a65",
    "slider_color_dark": "#49b398",
}


def mount_options() -> dict[str, Any]:
    """Return what ``gr.mount_gradio_app`` is told: our look, and none of Gradio's extras."""
    return {
        "theme": theme(),
        "css": (STATIC / "style.css").read_text(encoding="utf-8"),
        "head": f"<script>{_script()}</script>",
        "favicon_path": str(STATIC / "favicon.svg"),
        "footer_links": [],
        "show_error": False,
        "ssr_mode": False,
        "run_history": False,
        "enable_monitoring": False,
        "pwa": False,
        "mcp_server": False,
        "max_file_size": "1mb",  # pictures go to the REST API; Gradio's own upload route is not used
    }


def _script() -> str:
    parts = [(STATIC / "js" / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    # Gradio may bring the head in twice when its page is drawn again.
    return "(() => {\nif (window.isengard) return;\n" + "\n".join(parts) + "\n})();"
