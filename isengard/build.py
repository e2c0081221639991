"""Makes every part and hands each what it needs: the one place that knows all of them."""

from __future__ import annotations

import structlog

from isengard import __version__
from isengard.config import PROJECT_ROOT, Settings
from isengard.infra.gpu import Arbiter, find_gpu
from isengard.infra.hub import Hub
from isengard.infra.library import CharacterShelf, LoraShelf, OutputShelf
from isengard.infra.queue import Queue
from isengard.infra.redis_server import EmbeddedServer
from isengard.infra.sota import Registry
from isengard.infra.storage import Storage
from isengard.plugins.protocols import PluginContext
from isengard.plugins.registry import Plugins, load_plugins
from isengard.runtime import Runtime
from isengard.services.characters import Characters
from isengard.services.choice import BaseModelChoice
from isengard.services.datasets import Datasets
from isengard.services.generation import Generation
from isengard.services.house import Isengard
from isengard.services.jobs import Jobs
from isengard.services.library import Loras, Models, Outputs
from isengard.services.system import System
from isengard.services.training import Training
from isengard.workers.generate_images import GenerateImages
from isengard.workers.likeness import Likeness
from isengard.workers.train_lora import TrainLora
from isengard.workers.worker import Handler, Workers


def build_house(settings: Settings) -> tuple[Isengard, Runtime]:
    """Return the services and the runtime behind them; starts nothing."""
    storage = Storage(settings.volume_root, settings.min_free_disk_gb)
    registry = Registry(PROJECT_ROOT / "sota" / "registry.yml", PROJECT_ROOT, storage.models)
    plugins = _plugins(settings, storage)
    arbiter = Arbiter(find_gpu(), settings.memory_budget_gb, plugins.release_all)
    server = None if settings.use_redis or settings.redis_url else EmbeddedServer(storage.redis_dir)
    queue = Queue(server.url if server else str(settings.redis_url), settings.redis_prefix)
    hub = Hub(queue)
    people, loras, outputs = CharacterShelf(storage), LoraShelf(storage), OutputShelf(storage)
    likeness = Likeness(storage, people, plugins)
    handlers: dict[str, Handler] = {
        "training": TrainLora(storage, people, loras, registry, plugins, arbiter),
        "generation": GenerateImages(storage, loras, outputs, registry, plugins, arbiter, likeness),
    }
    workers = Workers(queue, hub, handlers, settings.worker_threads)
    choice = BaseModelChoice(registry, plugins, arbiter)
    datasets = Datasets(people, queue, storage, settings.max_upload_mb)
    isengard = Isengard(
        characters=Characters(people, queue, datasets),
        datasets=datasets,
        training=Training(people, storage, queue, plugins, arbiter, choice),
        generation=Generation(people, loras, storage, queue, plugins, arbiter, choice),
        jobs=Jobs(queue, hub, storage),
        loras=Loras(loras, storage, queue, plugins, choice),
        outputs=Outputs(outputs),
        models=Models(choice),
        system=System(settings, __version__, storage, queue, hub, plugins, arbiter, choice, lambda: workers.alive),
    )
    return isengard, Runtime(storage, server, queue, hub, workers, plugins)


def _plugins(settings: Settings, storage: Storage) -> Plugins:
    log = structlog.get_logger("plugins")
    context = PluginContext(PROJECT_ROOT, storage.cache, storage.models, settings.engine_idle_seconds, log.info)
    return load_plugins(context)
