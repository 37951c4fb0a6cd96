"""What a message holds: one record of arrays for each module, and a record that says what to do."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from flwr.app import ArrayRecord, ConfigRecord, MetricRecord, RecordDict

from fl_runtime.local import State

JOB = "job"
METRICS = "metrics"
_MODULE = "module "
"""Before the name of a module in the name of its record, so that no module can be called like a job."""


def pack(state: State, job: Mapping[str, str | int]) -> RecordDict:
    """Return the content of a message: of each module its replicas, (replicas, size), and a job."""
    content = RecordDict({_MODULE + name: ArrayRecord([rows]) for name, rows in state.items()})
    content[JOB] = ConfigRecord(dict(job))
    return content


def state_in(content: RecordDict) -> dict[str, npt.NDArray[np.float32]]:
    """Return the modules' replicas that a message holds."""
    return {
        name.removeprefix(_MODULE): record.to_numpy_ndarrays()[0]
        for name, record in content.array_records.items()
    }


def num_bytes(content: RecordDict) -> int:
    """Return the bytes of all records of a message: arrays with their heads, names, numbers and texts.

    What HTTP and TLS add is not counted.
    """
    records: list[ArrayRecord | ConfigRecord | MetricRecord] = [
        *content.array_records.values(),
        *content.config_records.values(),
        *content.metric_records.values(),
    ]
    return sum(record.count_bytes() for record in records) + sum(len(name) for name in content)
