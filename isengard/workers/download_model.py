"""Download a model: the files of one source of its row, checked, below the models folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from isengard.domain.event import Completed, JobEvent, Progress
from isengard.domain.job import Job
from isengard.domain.lease import Stop
from isengard.domain.request import DownloadRequest
from isengard.infra.download_progress import Report
from isengard.infra.downloads import Downloader
from isengard.infra.sota import Registry
from isengard.infra.storage import Storage

log = structlog.get_logger("workers.download_model")


@dataclass(frozen=True)
class DownloadModel:
    """The handler of download jobs. An attempt that repeats fetches what is missing, from where it stopped."""

    storage: Storage
    registry: Registry
    downloader: Downloader

    def __call__(self, job: Job, emit: Callable[[JobEvent], None], stop: Stop) -> Completed:
        """Fetch and check; return the ending."""
        request = DownloadRequest.model_validate(job.payload)
        row = self.registry.get(request.model_id)
        source = self.registry.source(row, request.source)
        emit(Progress(message="Asking what there is"))

        def tell(report: Report) -> None:
            emit(
                Progress(
                    step=report.done,
                    total_steps=report.total,
                    message=report.message,
                    eta_seconds=report.eta_seconds,
                )
            )

        done = self.downloader.fetch(row, source, tell, stop.cancel)
        log.info("model.downloaded", model=row.id, source=source.id, files=len(done))
        count = len(done)
        came = f"{count} file{'s'[: count != 1]} came" if count else "everything was here"
        return Completed(output_path=self.storage.relative(self.storage.models), message=f"{row.name}: {came}")
