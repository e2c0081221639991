"""Where ComfyUI lies and how it is started: the checkout, its interpreter, and what is missing of them."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from isengard.plugins.protocols import BackendStatus, PluginContext

NAME = "comfyui"
OLDEST = (0, 3, 60)  # from here on it interrupts by prompt id and takes every flag below
LAUNCH = (  # ends with us, whatever becomes of us; linux/prctl.h, PR_SET_PDEATHSIG
    "import ctypes, os, sys\n"
    "getattr(ctypes.CDLL(None), 'prctl', print)(1, 9)\n"
    "os.execv(sys.executable, [sys.executable, '-u', *sys.argv[1:]])"
)
FILL = "Run: scripts/setup_backends comfyui"
_VERSION = re.compile(r"""__version__\s*=\s*["'](\d+)\.(\d+)\.(\d+)""")


@dataclass(frozen=True)
class Place:
    """``base`` is the volume's ComfyUI folder (models, custom nodes, workflows); ``url`` names a server that runs."""

    checkout: Path
    python: Path
    url: str
    arguments: tuple[str, ...]
    base: Path
    loras: Path
    scratch: Path

    @classmethod
    def of(cls, context: PluginContext) -> Place:
        """Read it from what the house says."""
        options = context.options
        return cls(
            checkout=Path(options.get("comfyui_dir", "")),
            python=Path(options.get("comfyui_python", "")),
            url=options.get("comfyui_url", "").rstrip("/"),
            arguments=tuple(shlex.split(options.get("comfyui_args", ""))),
            base=context.models_dir.parent,
            loras=context.loras_dir,
            scratch=context.cache_dir.joinpath("comfyui-server"),
        )

    @property
    def user_workflows(self) -> Path:
        """Workflows that a person has put there."""
        return self.base / "workflows"

    @property
    def version(self) -> tuple[int, int, int] | None:
        """The checkout's version, or None when there is none."""
        try:
            found = _VERSION.search((self.checkout / "comfyui_version.py").read_text(encoding="utf-8"))
        except OSError:
            return None
        return (int(found[1]), int(found[2]), int(found[3])) if found else None

    def status(self) -> BackendStatus:
        """Tell whether it can be started; looks at files alone."""
        if self.url:
            return self._said(available=True, version="", reason=f"Uses the server at {self.url}.")
        version = self.version
        said = ".".join(map(str, version)) if version else ""
        if not (self.checkout / "main.py").is_file():
            return self._said(available=False, reason="ComfyUI is not here: its folder is empty.", hint=FILL)
        if not self.python.is_file():
            return self._said(available=False, version=said, reason="ComfyUI's environment is not made.", hint=FILL)
        if version and version < OLDEST:
            return self._said(
                available=False,
                version=said,
                reason=f"This ComfyUI is {said}, which is too old.",
                hint=f"Use {'.'.join(map(str, OLDEST))} or newer.",
            )
        return self._said(available=True, version=said)

    def _said(self, *, available: bool, version: str = "", reason: str = "", hint: str = "") -> BackendStatus:
        return BackendStatus(
            NAME, "image", available=available, reason=reason, hint=hint, version=version, license="GPL-3.0"
        )

    def command(self, port: int, device: str) -> list[str]:
        """Return how to start it on a port of this machine alone; writes the folders and settings it is given."""
        web, paths = self.scratch / "web", self.scratch / "model-paths.yaml"
        web.mkdir(parents=True, exist_ok=True)
        self.base.joinpath("custom_nodes").mkdir(parents=True, exist_ok=True)  # it does not start without that folder
        paths.write_text(json.dumps({NAME: {"loras": str(self.loras.resolve())}}), encoding="utf-8")  # JSON is YAML
        return [
            *(str(self.python), "-c", LAUNCH, str(self.checkout / "main.py")),
            *("--listen", "127.0.0.1", "--port", str(port)),
            *("--base-directory", str(self.base), "--extra-model-paths-config", str(paths)),
            *("--database-url", "sqlite:///:memory:", "--front-end-root", str(web)),
            *("--preview-method", "auto", "--disable-api-nodes", "--disable-auto-launch"),
            *(["--cpu"] if device == "cpu" else []),
            *self.arguments,
        ]
