"""What decides what a run learns, as one hash: runs of the same key need to be made only once."""

import hashlib
import json
from dataclasses import asdict

import numpy as np

from fl_runtime.aggregation import Mixing, mixings
from fl_runtime.living.draws import is_living
from fl_runtime.modules.shared import SharedModel
from fl_runtime.schedule import Schedule
from fl_runtime.schedule_json import schedule_text
from fl_runtime.transport import packed_modules, way_of_kind


def learning_key(schedule: Schedule, seed: int = 0, model: SharedModel | None = None) -> str:
    """Return a hash of all that decides what is learned of a schedule, a seed and a given workload.

    ``model`` counts where one is given; ``None`` stands for the compact one.

    Schedules that differ in links, relays, powers or names of kinds, but average the same replicas with the
    same weights in the same rounds, have the same key: one training run serves them all.  Where modules
    travel below 32 bits, relays round, so that their ways count as well.  In a living network all of the
    schedule counts.
    """
    mixing_of_kind = {kind.name: mixings(schedule, kind) for kind in schedule.kinds}
    digest_of_kind = {
        kind.name: [kind.reaches_cloud, {name: _digest(m) for name, m in mixing_of_kind[kind.name].items()}]
        for kind in schedule.kinds
    }
    facts = {
        "seed": seed,
        "rounds": [digest_of_kind[schedule.kind_of_round(index).name] for index in range(schedule.rounds)],
        "training": asdict(schedule.training),
        "modules": [
            [m.id, m.kind, m.trainable, m.task, m.modality, m.expert_group] for m in schedule.modules
        ],
        "replicas": [[replica.module, replica.host] for replica in schedule.replicas],
        "routes": [
            [route.device, route.task, route.samples, route.modalities, sorted(route.hosts.items())]
            for route in schedule.routes
        ],
    }
    if model is not None:
        facts["model"] = model.digest()
    if is_living(schedule):
        facts["living"] = schedule_text(schedule)  # times, links and names decide who is missing
    packed = packed_modules(schedule)
    if packed:
        way_of = {kind.name: [way_of_kind(kind, name) for name in packed] for kind in schedule.kinds}
        facts["ways"] = [way_of[schedule.kind_of_round(index).name] for index in range(schedule.rounds)]
        facts["weights"] = [replica.weight for replica in schedule.replicas if replica.module in packed]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _digest(mixing: Mixing) -> str:
    rows = mixing.rows
    parts = (mixing.group, rows.indptr.astype(np.int64), rows.indices.astype(np.int64), rows.data)
    return hashlib.sha256(b"|".join(part.tobytes() for part in parts)).hexdigest()
