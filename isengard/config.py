"""Settings: the environment, read once."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from isengard.errors import InvalidInput

PROJECT_ROOT = Path(__file__).resolve().parents[1]


def default_volume_root() -> Path:
    """Pick the volume: RunPod's network volume, its workspace, else ``./data`` beside the project."""
    for mount in (Path("/runpod-volume"), Path("/workspace")):
        if mount.is_dir():
            return mount / "isengard"
    return PROJECT_ROOT / "data"


class Settings(BaseSettings):
    """Every setting; each may be given as an environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, populate_by_name=True)

    volume_root: Path = Field(default_factory=default_volume_root)
    log_dir: Path = Field(default=PROJECT_ROOT / "logs", validation_alias="ISENGARD_LOG_DIR")
    tmp_dir: Path = Field(default=PROJECT_ROOT / "tmp", validation_alias="ISENGARD_TMP_DIR")
    host: str = Field(default="127.0.0.1", validation_alias="HOST")
    port: int = Field(default=7860, ge=0, le=65535, validation_alias="PORT")
    password: SecretStr | None = Field(default=None, validation_alias="ISENGARD_PASSWORD")
    mode: Literal["production", "fast-test"] | None = Field(default=None, validation_alias="ISENGARD_MODE")
    use_redis: bool = False
    redis_url: str | None = None
    redis_prefix: str = Field(default="isengard", validation_alias="ISENGARD_REDIS_PREFIX")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    worker_threads: int = Field(default=2, ge=1, le=16, validation_alias="ISENGARD_WORKER_THREADS")
    memory_budget_gb: float | None = Field(default=None, gt=0, validation_alias="ISENGARD_MEMORY_BUDGET_GB")
    max_upload_mb: int = Field(default=40, ge=1, validation_alias="ISENGARD_MAX_UPLOAD_MB")
    min_free_disk_gb: float = Field(default=1.0, ge=0, validation_alias="ISENGARD_MIN_FREE_DISK_GB")
    engine_idle_seconds: float = Field(default=600, gt=0, validation_alias="ISENGARD_ENGINE_IDLE_SECONDS")

    def checked(self) -> Settings:
        """Return self, or raise InvalidInput when settings contradict each other."""
        if self.use_redis and not self.redis_url:
            raise InvalidInput(
                "USE_REDIS is true but REDIS_URL is not set.",
                "Set REDIS_URL, or leave USE_REDIS out: Isengard then starts its own server.",
            )
        return self
