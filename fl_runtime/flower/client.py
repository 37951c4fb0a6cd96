"""The ClientApp: trains the devices of its SuperNode for a round, and says which devices these are."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Generic, TypeVar, cast
from uuid import uuid4

from flwr.app import ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from fl_runtime.accelerator import reproducible
from fl_runtime.flower.messages import JOB, METRICS, pack, state_in

if TYPE_CHECKING:
    from fl_runtime.accelerator import Precision
    from fl_runtime.device import OwnData
    from fl_runtime.modules.shared import SharedModel
    from fl_runtime.schedule import Schedule
    from fl_runtime.tasks.workload import Workload

Made = TypeVar("Made")

SHARE, NUM_SHARES = "partition-id", "num-partitions"
"""Keys of a SuperNode's configuration: the number of its share of the devices, and of how many shares."""


@dataclass(frozen=True)
class _Maker(Generic[Made]):
    """What makes something, known by a name: an app comes as a copy with each message."""

    name: str
    make: Callable[[], Made] = field(compare=False)


def make_client_app(
    workload: "Callable[[], Workload] | None" = None, model: "Callable[[], SharedModel] | None" = None
) -> ClientApp:
    """Return a ClientApp.

    Parameters
    ----------
    workload : callable or None
        Gives the data, once in each process; ``None``: the handwritten digits that come with the package.
    model : callable or None
        Gives what all devices share; ``None``: the compact model.
    """
    app = ClientApp()
    data = _Maker("digits", _digits) if workload is None else _Maker(uuid4().hex, workload)
    shared = _Maker("compact", _compact) if model is None else _Maker(uuid4().hex, model)

    @app.query()
    def who(message: Message, context: Context) -> Message:
        config = context.node_config
        share, num_shares = int(config.get(SHARE, 0)), int(config.get(NUM_SHARES, 1))
        answer = ConfigRecord({SHARE: share, NUM_SHARES: num_shares})
        return Message(RecordDict({JOB: answer}), reply_to=message)

    @app.train()
    def train(message: Message, context: Context) -> Message:
        from fl_runtime.device import train_devices

        job = message.content.config_records[JOB]
        round_index = int(str(job["round"]))
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        part, seed = _part(str(job["part"])), int(str(job["seed"]))
        before, away, model = state_in(message.content), json.loads(str(job["away"])), _made(shared)
        precision = cast("Precision", str(job["precision"]))  # another one is refused before anything is made
        own = _own(str(job["part"]), seed, data, shared, precision)
        with reproducible(model.device, precision):
            after = train_devices(own, model, part.training, seed, before, round_index, away)
        trained = {module.id for module in part.modules if module.trainable}
        content = pack(
            {name: rows for name, rows in after.items() if name in trained}, {"round": round_index}
        )
        content[METRICS] = MetricRecord(
            {
                "train-s": time.perf_counter() - start_s,
                "train-cpu-s": time.process_time() - start_cpu_s,
                "num-examples": sum(route.samples for route in part.routes),
            }
        )
        return Message(content, reply_to=message)

    return app


def own_client_app(load: "Callable[[], tuple[Workload, SharedModel]]") -> ClientApp:
    """Return a ClientApp for data and a model that come together.

    Parameters
    ----------
    load : callable
        Gives both, once in each process.
    """
    both = _Maker(uuid4().hex, load)
    return make_client_app(workload=lambda: _made(both)[0], model=lambda: _made(both)[1])


@lru_cache(maxsize=64)
def _part(text: str) -> "Schedule":
    from fl_runtime.schedule_json import parse_schedule

    return parse_schedule(text.encode(), "the part of a schedule in a message")


@lru_cache(maxsize=64)  # a process of a simulation trains many devices; each has about 1 MB
def _own(
    part: str,
    seed: int,
    workload: "_Maker[Workload]",
    model: "_Maker[SharedModel]",
    precision: "Precision" = "float32",
) -> "OwnData":
    from fl_runtime.device import own_data

    shared = _made(model)
    with reproducible(shared.device, precision):
        return own_data(_part(part), _made(workload), shared, seed)


@cache
def _made(maker: "_Maker[Made]") -> "Made":
    return maker.make()


def _digits() -> "Workload":
    from fl_runtime.tasks.digits import digits_workload

    return digits_workload()


def _compact() -> "SharedModel":
    from fl_runtime.modules.weights import load_frozen

    return load_frozen()


client_app = make_client_app()
"""The ClientApp with the data and the model that come with the package."""
