"""What Flower saw of a run: real time, bytes of messages, and who was missing, beside what the model says."""

import csv
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fl_runtime.measurements import Measurements
from fl_runtime.whole_files import write_whole

COLUMNS = (
    *("round", "kind", "model_end_s", "model_energy_j", "model_bits"),
    *("wall_s", "message_bytes_to_nodes", "message_bytes_from_nodes", "missing"),
)
"""Of a file of rounds: ``model_`` is virtual, what the clock of the schedule says; the rest is real."""


class NodeFailure(RuntimeError):
    """SuperNodes that cannot do their part."""


@dataclass(frozen=True, kw_only=True)
class RoundOnFlower:
    """A round as Flower saw it.

    Parameters
    ----------
    index : int
        The round, 0-based.
    kind : str
        Name of the kind of round.
    wall_s : float
        Real time from the first message sent to the last reply, s.
    bytes_to_nodes, bytes_from_nodes : int
        Bytes of the records in all messages and in all replies; HTTP and TLS not counted.
    missing : mapping of str to str
        The devices whose updates did not come in time, and why.
    """

    index: int
    kind: str
    wall_s: float
    bytes_to_nodes: int
    bytes_from_nodes: int
    missing: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class FlowerRun:
    """A run on Flower.

    Parameters
    ----------
    measurements : Measurements
        What the schedule costs by its model, and what was learned.
    rounds : tuple of RoundOnFlower
        What Flower saw; rounds that an earlier run trained are not in it.
    wall_s : float
        Real time of the whole run: nodes found, rounds trained, averaged and tested, s.
    """

    measurements: Measurements
    rounds: tuple[RoundOnFlower, ...]
    wall_s: float

    @property
    def missing(self) -> dict[int, tuple[str, ...]]:
        """By round: the devices whose updates did not come; rounds in which all came are left out."""
        return {round_.index: tuple(sorted(round_.missing)) for round_ in self.rounds if round_.missing}

    def summary(self) -> dict[str, Any]:
        """Return the figures of :meth:`Measurements.summary`, which are virtual, and the real ones.

        Returns
        -------
        dict
            Besides: ``engine``, ``wall_s`` (of the run), ``wall_s_per_round`` (from a round's first message
            to its last reply, mean), ``message_bytes_to_nodes`` and ``message_bytes_from_nodes`` (of the
            run), ``missing`` (devices by round).
        """
        num_rounds = max(1, len(self.rounds))
        return {
            **self.measurements.summary(),
            "engine": "flower",
            "wall_s": self.wall_s,
            "wall_s_per_round": sum(round_.wall_s for round_ in self.rounds) / num_rounds,
            "message_bytes_to_nodes": sum(round_.bytes_to_nodes for round_ in self.rounds),
            "message_bytes_from_nodes": sum(round_.bytes_from_nodes for round_ in self.rounds),
            "missing": {str(index): list(devices) for index, devices in self.missing.items()},
        }

    def write_rounds_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a line for each round, virtual and real figures in columns of their own."""
        timeline = self.measurements.timeline
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for round_ in self.rounds:
            index = round_.index
            writer.writerow(
                [
                    index,
                    round_.kind,
                    float(timeline.round_end_s[index]),
                    float(timeline.energy_j[index]),
                    float(timeline.bits_of_round[index]),
                    round_.wall_s,
                    round_.bytes_to_nodes,
                    round_.bytes_from_nodes,
                    "+".join(sorted(round_.missing)),
                ]
            )
        write_whole(path, stream.getvalue().encode())
