"""Where AI-Toolkit lies: the checkout, its interpreter, what is missing of them, and what its version understands."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from isengard.domain.base_model import BaseModelRow
from isengard.plugins.protocols import BackendStatus, PluginContext

NAME = "aitoolkit"
TESTED = "27a03a91f23eb1b757d5ec2e80ee3e129cfcc350"  # 0.12.26 of 2026-08-21; it changes every week
FILL = "Run: scripts/setup_backends ai-toolkit"
SETTINGS = (  # where its config classes and processes read their keys
    "toolkit/config_modules.py",
    "jobs/process/BaseProcess.py",
    "jobs/process/BaseTrainProcess.py",
    "jobs/process/BaseSDTrainProcess.py",
    "extensions_built_in/sd_trainer/DiffusionTrainer.py",
)
MODELS = "extensions_built_in/diffusion_models"
_KEY = re.compile(r"""\.(?:get|get_conf)\(\s*["'](\w+)["']""")
_ARCH = re.compile(r"""^\s+arch\s*(?::[^=]+)?=\s*["']([\w.-]+)["']""", re.MULTILINE)
_VERSION = re.compile(r"""VERSION\s*=\s*["']([^"']+)""")


@dataclass(frozen=True)
class Place:
    """Files alone are looked at; nothing is started."""

    checkout: Path
    python: Path
    models: Path
    loras: Path
    project: Path

    @classmethod
    def of(cls, context: PluginContext) -> Place:
        """Read it from what the house says."""
        options = context.options
        return cls(
            checkout=Path(options.get("aitoolkit_dir") or context.project_root / "ai-toolkit"),
            python=Path(options.get("aitoolkit_python") or context.project_root.joinpath(".venv-aitoolkit/bin/python")),
            models=context.models_dir,
            loras=context.loras_dir,
            project=context.project_root,
        )

    def model_folder(self, base: BaseModelRow) -> Path:
        """Folder of a base model's weights."""
        return self.project / base.path if base.path else self.models / base.id

    @cached_property
    def version(self) -> str:
        """What the checkout calls itself, '' where there is none."""
        found = _VERSION.search(_text(self.checkout / "version.py"))
        return found[1] if found else ""

    @cached_property
    def commit(self) -> str:
        """Commit of the checkout, '' where git cannot tell."""
        command = ["git", "-C", str(self.checkout), "rev-parse", "HEAD"]
        try:
            found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
        except (OSError, subprocess.SubprocessError):
            return ""
        return found.stdout.strip()

    @cached_property
    def keys(self) -> frozenset[str]:
        """Every key of a config that this checkout reads; it says nothing about one that it does not know."""
        return frozenset(key for name in SETTINGS for key in _KEY.findall(_text(self.checkout / name)))

    @cached_property
    def archs(self) -> frozenset[str]:
        """Architectures that have a loader of their own in this checkout."""
        folder = self.checkout / MODELS
        return frozenset(arch for path in folder.rglob("*.py") for arch in _ARCH.findall(_text(path)))

    def status(self) -> BackendStatus:
        """Tell whether it can be started."""
        if not (self.checkout / "run.py").is_file():
            return self._said(available=False, reason="AI-Toolkit is not here.", hint=FILL)
        if not self.python.is_file():
            return self._said(available=False, reason="AI-Toolkit's environment is not made.", hint=FILL)
        if not self.keys:
            return self._said(
                available=False,
                reason="This AI-Toolkit is not built like the version that Isengard knows.",
                hint=f"Check out {TESTED[:12]}, the tested version, or run scripts/setup_backends ai-toolkit",
            )
        return self._said(available=True)

    def _said(self, *, available: bool, reason: str = "", hint: str = "") -> BackendStatus:
        return BackendStatus(
            NAME, "training", available=available, reason=reason, hint=hint, version=self.version, license="MIT"
        )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
