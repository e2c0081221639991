"""Settings: the environment, read once."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from isengard.errors import InvalidInput

PROJECT_ROOT = Path(__file__).resolve().parents[1]
COMFYUI_CHECKOUT = PROJECT_ROOT.joinpath("comfyui")  # a checkout of the code, not a folder of the volume
COMFYUI_PYTHON = PROJECT_ROOT.joinpath(".venv-comfyui", "bin", "python")
AITOOLKIT_CHECKOUT = PROJECT_ROOT.joinpath("ai-toolkit")
AITOOLKIT_PYTHON = PROJECT_ROOT.joinpath(".venv-aitoolkit", "bin", "python")
ORIGIN = re.compile(r"https?://[A-Za-z0-9.*-]+(:\d{1,5})?\Z")


def default_volume_root() -> Path:
    """Pick the volume: RunPod's network volume, its workspace, else ``./data`` beside the project."""
    for mount in (Path("/runpod-volume"), Path("/workspace")):
        if mount.is_dir():
            return mount / "isengard"
    return PROJECT_ROOT / "data"


Words = Annotated[tuple[str, ...], NoDecode]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode]


class Settings(BaseSettings):
    """Every setting; each may be given as an environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, populate_by_name=True)

    volume_root: Path = Field(default_factory=default_volume_root)
    log_dir: Path = Field(default=PROJECT_ROOT / "logs", validation_alias="ISENGARD_LOG_DIR")
    tmp_dir: Path = Field(default=PROJECT_ROOT / "tmp", validation_alias="ISENGARD_TMP_DIR")
    host: str = Field(default="127.0.0.1", validation_alias="HOST")
    port: int = Field(default=7860, ge=0, le=65535, validation_alias="PORT")
    password: SecretStr | None = Field(default=None, validation_alias="ISENGARD_PASSWORD")
    no_password: bool = Field(default=False, validation_alias="ISENGARD_NO_PASSWORD")
    public_urls: Words = Field(default=(), validation_alias="ISENGARD_PUBLIC_URLS")
    trusted_proxies: Networks = Field(default=(), validation_alias="ISENGARD_TRUSTED_PROXIES")
    cors_origins: Words = Field(default=(), validation_alias="ISENGARD_CORS_ORIGINS")
    runpod_pod_id: str = Field(default="", pattern="^[a-z0-9]*$", validation_alias="RUNPOD_POD_ID")
    uploads_per_minute: int = Field(default=600, ge=0, validation_alias="ISENGARD_UPLOADS_PER_MINUTE")
    jobs_per_minute: int = Field(default=300, ge=0, validation_alias="ISENGARD_JOBS_PER_MINUTE")
    mode: Literal["production", "fast-test"] | None = Field(default=None, validation_alias="ISENGARD_MODE")
    use_redis: bool = False
    redis_url: str | None = None
    redis_prefix: str = Field(default="isengard", validation_alias="ISENGARD_REDIS_PREFIX")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    worker_threads: int = Field(default=2, ge=1, le=16, validation_alias="ISENGARD_WORKER_THREADS")
    memory_budget_gb: float | None = Field(default=None, gt=0, validation_alias="ISENGARD_MEMORY_BUDGET_GB")
    max_upload_mb: int = Field(default=40, ge=1, validation_alias="ISENGARD_MAX_UPLOAD_MB")
    min_free_disk_gb: float = Field(default=1.0, ge=0, validation_alias="ISENGARD_MIN_FREE_DISK_GB")
    quota_gb: float | None = Field(default=None, gt=0, validation_alias="ISENGARD_QUOTA_GB")
    keep_jobs_days: float = Field(default=90, gt=0, validation_alias="ISENGARD_KEEP_JOBS_DAYS")
    backup_every_hours: float | None = Field(default=None, gt=0, validation_alias="ISENGARD_BACKUP_EVERY_HOURS")
    price_per_hour: float = Field(default=0, ge=0, validation_alias="ISENGARD_PRICE_PER_HOUR")
    webhook_url: SecretStr | None = Field(default=None, validation_alias="ISENGARD_WEBHOOK_URL")
    webhook_kind: Literal["", "ntfy", "discord", "json"] = Field(default="", validation_alias="ISENGARD_WEBHOOK_KIND")
    notify: Literal["all", "alerts"] = Field(default="all", validation_alias="ISENGARD_NOTIFY")
    registry: Path = Field(default=PROJECT_ROOT / "sota" / "registry.yml", validation_alias="ISENGARD_REGISTRY")
    comfyui_dir: Path = Field(default=COMFYUI_CHECKOUT, validation_alias="ISENGARD_COMFYUI_DIR")
    comfyui_python: Path = Field(default=COMFYUI_PYTHON, validation_alias="ISENGARD_COMFYUI_PYTHON")
    comfyui_url: str = Field(default="", validation_alias="ISENGARD_COMFYUI_URL")
    comfyui_args: str = Field(default="", validation_alias="ISENGARD_COMFYUI_ARGS")
    face_backends: str = Field(default="", validation_alias="ISENGARD_FACE_BACKENDS")
    aitoolkit_dir: Path = Field(default=AITOOLKIT_CHECKOUT, validation_alias="ISENGARD_AITOOLKIT_DIR")
    aitoolkit_python: Path = Field(default=AITOOLKIT_PYTHON, validation_alias="ISENGARD_AITOOLKIT_PYTHON")
    hf_token: SecretStr | None = Field(default=None, validation_alias="HF_TOKEN")
    engine_idle_seconds: float = Field(default=600, gt=0, validation_alias="ISENGARD_ENGINE_IDLE_SECONDS")

    @field_validator("public_urls", "trusted_proxies", "cors_origins", mode="before")
    @classmethod
    def _listed(cls, given: Any) -> Any:
        return given.replace(",", " ").split() if isinstance(given, str) else given

    @field_validator("public_urls", "cors_origins")
    @classmethod
    def _origins(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for url in given:
            if not ORIGIN.match(url):
                raise ValueError(f"{url} is not an address such as https://isengard.example")
        return given

    @property
    def reached_at(self) -> tuple[str, ...]:
        """Addresses at which the outside reaches this app, RunPod's own included."""
        pod = f"https://{self.runpod_pod_id}-{self.port}.proxy.runpod.net"
        return (*self.public_urls, *((pod,) if self.runpod_pod_id else ()))

    @property
    def exposed(self) -> bool:
        """Tell whether anybody but this machine's own users may reach the app, as far as the settings say."""
        return bool(self.reached_at or self.trusted_proxies) or not _is_loopback(self.host)

    def guarded(self, *, share: bool = False) -> bool:
        """Tell whether the password is asked for; raise InvalidInput for a public link without one."""
        if share and self.no_password:
            raise InvalidInput(
                "--share without a password would show your pictures to everybody.",
                "Leave ISENGARD_NO_PASSWORD out, or start without --share.",
            )
        return bool(self.password) or (not self.no_password and (share or self.exposed))

    @property
    def plugin_options(self) -> dict[str, str]:
        """Settings that belong to one plugin each."""
        return {
            "comfyui_dir": str(self.comfyui_dir.resolve()),
            "comfyui_python": str(self.comfyui_python.absolute()),
            "comfyui_url": self.comfyui_url,
            "comfyui_args": self.comfyui_args,
            "aitoolkit_dir": str(self.aitoolkit_dir.resolve()),
            "aitoolkit_python": str(self.aitoolkit_python.absolute()),
            "face_backends": self.face_backends,
        }

    def checked(self) -> Settings:
        """Return self, or raise InvalidInput when settings contradict each other."""
        if self.use_redis and not self.redis_url:
            raise InvalidInput(
                "USE_REDIS is true but REDIS_URL is not set.",
                "Set REDIS_URL, or leave USE_REDIS out: Isengard then starts its own server.",
            )
        if self.no_password and self.password:
            raise InvalidInput("ISENGARD_PASSWORD and ISENGARD_NO_PASSWORD are both set.", "Leave one of them out.")
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
