"""Devices at given places: their tasks, samples and hardware are drawn."""

from collections.abc import Sequence

import numpy as np

from hfedfm_opt.system.generate.campus import draw_tasks
from hfedfm_opt.system.generate.default_tasks import data_of, modalities_for
from hfedfm_opt.system.generate.hardware import draw_hardware
from hfedfm_opt.system.instance import Node

SAMPLES = (40, 60, 80, 120)
"""Samples that a device may have of a task."""

Position = tuple[float, float, float]


def drawn_devices(
    rng: np.random.Generator,
    ids: Sequence[str],
    parents: Sequence[str | None],
    positions_m: Sequence[Position],
) -> list[Node]:
    """Return devices with one or two tasks each, and hardware of a few kinds.

    Parameters
    ----------
    rng : numpy.random.Generator
        What draws.
    ids : sequence of str
        Names of the devices.
    parents : sequence of str or None
        The node above each.
    positions_m : sequence of (x, y, height)
        Where they are, m.
    """
    tasks_of = draw_tasks(rng, len(ids))
    samples_of = rng.choice(SAMPLES, size=(len(ids), 2)).tolist()
    hardware = draw_hardware(rng, len(ids))
    return [
        Node(
            id=name,
            tier="device",
            parent=parent,
            position_m=position,
            memory_bytes=memory_bytes,
            processor=processor,
            radio=radio,
            modalities=modalities_for(tasks),
            data=data_of(tasks, samples[: len(tasks)]),
        )
        for name, parent, position, tasks, samples, (processor, radio, memory_bytes) in zip(
            ids, parents, positions_m, tasks_of, samples_of, hardware, strict=True
        )
    ]
