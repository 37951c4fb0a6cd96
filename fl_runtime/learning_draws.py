"""What a run draws by its seed: the first modules, and the batches of each round."""

from collections import Counter
from collections.abc import Sequence
from zlib import crc32

import numpy as np
import numpy.typing as npt

from fl_runtime.cohorts import Cohort
from fl_runtime.modules.shared import SharedModel
from fl_runtime.schedule import Schedule, Training
from fl_runtime.tasks.partition import draw_batches
from fl_runtime.tasks.workload import IntArray


def initial_state(
    schedule: Schedule, cohorts: Sequence[Cohort], seed: int, model: SharedModel | None = None
) -> dict[str, npt.NDArray[np.float32]]:
    """Return the first parameters of each module that this engine trains: equal in all replicas.

    They are drawn for ``model``; ``None``: the compact one.
    """
    if model is None:
        from fl_runtime.modules.weights import load_frozen

        model = load_frozen()
    classes = {part.module: cohort.task.num_classes for cohort in cohorts for part in cohort.parts}
    counts = Counter(replica.module for replica in schedule.replicas)
    state = {}
    for module in schedule.modules:
        if module.id not in classes:
            continue
        drawn = f"{module.kind}:{module.id if module.kind == 'expert' else module.task}"
        rng = np.random.default_rng([seed, crc32(drawn.encode())])
        group = [m for m in schedule.modules if m.kind == "expert" and m.expert_group == module.expert_group]
        first = model.initial(
            module.kind,
            rng,
            num_classes=classes[module.id],
            num_experts=len(group),
            modality=module.modality,
        )
        state[module.id] = np.tile(first, (counts[module.id], 1))
    return state


def round_batches(
    cohorts: Sequence[Cohort], training: Training, seed: int, round_index: int
) -> list[IntArray]:
    """Return each cohort's samples of a round, (clients with data, steps, batch)."""
    shape = (training.local_steps, training.batch_size)
    return [
        np.array(
            [
                draw_batches(held, *shape, seed, (device, cohort.task.name), round_index)
                for device, held in zip(cohort.devices, cohort.held, strict=True)
                if len(held)
            ],
            dtype=np.int64,
        )
        for cohort in cohorts
    ]
