"""Makes every part and hands each what it needs: the one place that knows all of them."""

from __future__ import annotations

import structlog

from isengard import __version__
from isengard.config import PROJECT_ROOT, Settings
from isengard.infra.decoder import Decoder
from isengard.infra.downloads import Downloader
from isengard.infra.gpu import Arbiter, find_gpu
from isengard.infra.hub import Hub
from isengard.infra.library import (
    CharacterShelf,
    InputShelf,
    LikenessBook,
    LoraShelf,
    LoraTrash,
    OutputShelf,
    SyntheticShelf,
)
from isengard.infra.queue import Queue
from isengard.infra.redis_server import EmbeddedServer
from isengard.infra.shots import Catalogues
from isengard.infra.sota import Registry
from isengard.infra.storage import Storage
from isengard.infra.webhook import Webhook
from isengard.plugins.known_faces import KnownFaces
from isengard.plugins.protocols import PluginContext
from isengard.plugins.registry import Plugins, load_plugins
from isengard.plugins.sources import SyntheticSource
from isengard.runtime import Runtime
from isengard.services.alerts import Alerts
from isengard.services.captions import Captions
from isengard.services.characters import Characters
from isengard.services.choice import BaseModelChoice
from isengard.services.cleanup import CleanUp
from isengard.services.datasets import Datasets
from isengard.services.doctor import Doctor
from isengard.services.generation import Generation
from isengard.services.house import Isengard
from isengard.services.intake import Intake
from isengard.services.jobs import Jobs
from isengard.services.library import Outputs
from isengard.services.loras import Loras
from isengard.services.metrics import Metrics
from isengard.services.models import Models
from isengard.services.owner import Owner
from isengard.services.preflight import PreflightOracle
from isengard.services.start_pictures import StartPictures
from isengard.services.storage_use import StorageUse
from isengard.services.synthetic import Synthetic
from isengard.services.system import Pulse, System
from isengard.services.training import Training
from isengard.services.watch import Watch
from isengard.services.wildcards import Wildcards
from isengard.workers.by_reference import ByReference
from isengard.workers.download_model import DownloadModel
from isengard.workers.expand_dataset import ExpandDataset
from isengard.workers.generate_images import GenerateImages
from isengard.workers.likeness import Likeness
from isengard.workers.proto_lora import ProtoLora
from isengard.workers.train_lora import TrainLora
from isengard.workers.worker import Handler, Workers


def build_house(settings: Settings) -> tuple[Isengard, Runtime]:
    """Return the services and the runtime behind them; starts nothing."""
    storage = Storage(settings.volume_root, settings.min_free_disk_gb)
    registry, plugins = Registry(settings.registry, PROJECT_ROOT, storage.models), _plugins(settings, storage)
    arbiter = Arbiter(find_gpu(), settings.memory_budget_gb, plugins.release_all, plugins.resident)
    server = None if settings.use_redis or settings.redis_url else EmbeddedServer(storage.redis_dir)
    queue = Queue(server.url if server else str(settings.redis_url), settings.redis_prefix)
    hub, choice = Hub(queue), BaseModelChoice(registry, plugins, arbiter)
    people, loras, outputs = CharacterShelf(storage), LoraShelf(storage), OutputShelf(storage)
    inputs, wildcards, made_up = InputShelf(storage, outputs), Wildcards(storage), SyntheticShelf(storage)
    likeness, downloader = Likeness(storage, people, plugins), Downloader(storage, getattr(settings, "hf_token", None))
    sources = _sources(storage, loras, registry, plugins, arbiter)
    handlers: dict[str, Handler] = {
        "download": DownloadModel(storage, registry, downloader),
        "synthetic": ExpandDataset(storage, people, made_up, plugins, sources),
        "training": TrainLora(storage, people, loras, registry, plugins, arbiter),
        "generation": GenerateImages(storage, loras, outputs, inputs, registry, plugins, arbiter, likeness),
    }
    workers = Workers(queue, hub, handlers, settings.worker_threads, storage.has_room)
    watch, pulse = _watch(settings, storage, people, queue, hub), _pulse(workers, server)
    intake = Intake(people, queue, storage, settings.max_upload_mb, Decoder())
    datasets = Datasets(people, intake, Captions(people), storage)
    training = Training(people, storage, queue, plugins, arbiter, choice, loras)
    isengard = Isengard(
        characters=Characters(people, queue, datasets),
        datasets=datasets,
        training=training,
        preflight=PreflightOracle(training, loras, storage, arbiter, settings.price_per_hour),
        doctor=Doctor(people, datasets, storage, plugins, choice, KnownFaces(storage)),
        generation=Generation(people, loras, inputs, storage, queue, plugins, arbiter, choice, wildcards),
        wildcards=wildcards,
        synthetic=Synthetic(people, made_up, loras, queue, plugins, choice, sources, datasets),
        start_pictures=StartPictures(inputs, storage, settings.max_upload_mb, intake.decoder),
        jobs=Jobs(queue, hub, storage),
        loras=Loras(loras, LoraTrash(storage, loras), LikenessBook(storage, outputs), storage, queue, plugins, choice),
        outputs=Outputs(outputs, storage),
        models=Models(choice, storage, queue, downloader),
        system=System(settings, __version__, storage, queue, hub, plugins, arbiter, choice, watch, pulse),
        owner=Owner(storage, settings.password.get_secret_value() if settings.password else None),
    )
    return isengard, Runtime(storage, server, queue, hub, workers, plugins, watch)


def _watch(settings: Settings, storage: Storage, people: CharacterShelf, queue: Queue, hub: Hub) -> Watch:
    return Watch(
        hub,
        queue,
        StorageUse(storage, people, settings.quota_gb),
        CleanUp(storage, queue),
        Alerts(Webhook.of(settings), queue, settings.notify),
        Metrics(settings.price_per_hour),
        settings.keep_jobs_days,
        settings.backup_every_hours,
    )


def _pulse(workers: Workers, server: EmbeddedServer | None) -> Pulse:
    return Pulse(
        workers_alive=lambda: workers.alive,
        cared_for=lambda: workers.cared_for,
        paused=lambda: workers.paused,
        redis_watched=lambda: server is None or server.watched,
        redis_restarts=lambda: server.restarts if server else 0,
    )


def _plugins(settings: Settings, storage: Storage) -> Plugins:
    log = structlog.get_logger("plugins")
    context = PluginContext(
        PROJECT_ROOT,
        storage.cache,
        storage.models,
        settings.engine_idle_seconds,
        log.info,
        loras_dir=storage.loras(),
        options=settings.plugin_options,
    )
    return load_plugins(context)


def _sources(
    storage: Storage, loras: LoraShelf, registry: Registry, plugins: Plugins, arbiter: Arbiter
) -> dict[str, SyntheticSource]:
    """Return what makes synthetic pictures: our own sources, then those of plugins."""
    catalogues = Catalogues(PROJECT_ROOT / "sota" / "shots.yml")
    ours: list[SyntheticSource] = [
        ByReference("instruct_edit", "edit", registry, plugins, arbiter, catalogues),
        ProtoLora(storage, loras, registry, plugins, arbiter, catalogues),
        ByReference("face_adapter", "face_adapter", registry, plugins, arbiter, catalogues),
    ]
    return {one.name: one for one in (*ours, *plugins.synthetic)}
