"""The parts of a comparison as data: rows of methods, training runs, gains, settings and wall times."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hfedfm_opt.system.network import Duplex


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method on one kind of radio; ``None`` stands for a figure that does not exist.

    Parameters
    ----------
    label : str
        The planner's name; with ``(nominal resources)`` where the optimised planner may choose trees and
        aggregators, but every link keeps its nominal channel and power.
    planner : str
        Name of the planner.
    allocate : bool or None
        Whether resources were allocated; ``None`` for planners that never do.
    duplex : "as given", "full" or "half"
        Kind of the devices' radios.
    period : int or None
        Every how many rounds the cloud averages; ``None``: never.
    status, stop_reason : str
        What is known, and why the planner ended.
    explanation : str
        Why there is no plan; empty where there is one.
    latency_s, energy_j : float or None
        Predicted per round on a still channel, over whole cycles.
    measured_latency_s, measured_energy_j, measured_bits : float or None
        The same by the clock, and the bits that all links carried per round.
    faded_latency_s, faded_latency_sd_s, faded_energy_j, faded_energy_sd_j : float or None
        By the clock under the instance's fading: mean and standard deviation over the seeds.
    largest_device_energy_j, largest_device : float or None, str or None
        Predicted joules per round of the device that spends most, and its id.
    objective, bound, gap : float or None
        Weighted cost per round, its proven lower bound, and their relative distance.
    proof : str
        What proves the bound, and for which plans.
    training_run : str or None
        Name of the training run; methods that average the same replicas in the same rounds share one.
    accuracy, accuracy_sd : float or None
        After the last round that reached the cloud (the last round if none did), in [0, 1]: mean over tasks,
        and over seeds; standard deviation over seeds, ``None`` with a single seed.
    late_accuracy, late_accuracy_sd : float or None
        The same, averaged over the last third of the rounds.
    accuracy_of_task, accuracy_sd_of_task, late_accuracy_of_task, late_accuracy_sd_of_task : mapping
        The same for each task.
    curve, curve_sd : tuple of float
        Mean over tasks after each round: mean and standard deviation over seeds; empty without training.
    """

    label: str
    planner: str
    allocate: bool | None
    duplex: Duplex
    period: int | None
    status: str
    stop_reason: str
    explanation: str = ""
    latency_s: float | None = None
    energy_j: float | None = None
    measured_latency_s: float | None = None
    measured_energy_j: float | None = None
    measured_bits: float | None = None
    faded_latency_s: float | None = None
    faded_latency_sd_s: float | None = None
    faded_energy_j: float | None = None
    faded_energy_sd_j: float | None = None
    largest_device_energy_j: float | None = None
    largest_device: str | None = None
    objective: float | None = None
    bound: float | None = None
    gap: float | None = None
    proof: str = ""
    training_run: str | None = None
    accuracy: float | None = None
    accuracy_sd: float | None = None
    late_accuracy: float | None = None
    late_accuracy_sd: float | None = None
    accuracy_of_task: Mapping[str, float] | None = None
    accuracy_sd_of_task: Mapping[str, float] | None = None
    late_accuracy_of_task: Mapping[str, float] | None = None
    late_accuracy_sd_of_task: Mapping[str, float] | None = None
    curve: tuple[float, ...] = ()
    curve_sd: tuple[float, ...] = ()

    @property
    def key(self) -> str:
        """Name that no other row of a comparison has."""
        return row_key(self.label, self.duplex)


def row_key(label: str, duplex: str) -> str:
    """Return the key of the row of a label and a kind of radio."""
    return f"{label} | {duplex}"


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """A training run, repeated with several seeds.

    Parameters
    ----------
    name : str
        ``run-1``, ``run-2``, ...
    tasks : tuple of str
        Tasks, sorted.
    seeds : tuple of int
        Seeds.
    accuracy : nested tuple of float, (seeds, rounds, tasks)
        In [0, 1], on the common test set of each task, mean over the devices that run it.
    reached_cloud : tuple of bool, (rounds,)
        In which rounds the cloud averaged.
    """

    name: str
    tasks: tuple[str, ...]
    seeds: tuple[int, ...]
    accuracy: tuple[tuple[tuple[float, ...], ...], ...]
    reached_cloud: tuple[bool, ...]


@dataclass(frozen=True, kw_only=True)
class Gain:
    """What an optimised plan saves against the random-aggregator scheme of the same period and radio.

    Parameters
    ----------
    label, duplex : str
        The row of the optimised plan.
    scheme : str
        The planner that draws aggregators.
    against : str
        ``best``: the least latency and the least energy over all choices of aggregators, each for itself;
        ``mean``: the means over all choices; ``row``: the choice in this table; ``printed``: the row printed
        in the article, which is in the published accounting.
    scheme_latency_s, scheme_energy_j : float
        What is compared with.
    latency_saved, energy_saved : float
        1 - own / other; negative where the other is better.
    accuracy_difference, accuracy_difference_sd : float or None
        Own minus other, paired by seed: mean and standard deviation; exactly zero where both share their
        training run.
    """

    label: str
    duplex: Duplex
    scheme: str
    against: str
    scheme_latency_s: float
    scheme_energy_j: float
    latency_saved: float
    energy_saved: float
    accuracy_difference: float | None = None
    accuracy_difference_sd: float | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What makes a comparison repeatable.

    Parameters
    ----------
    command : str
        What was called.
    version, python, numpy : str
        Versions of this package, Python and numpy.
    torch : str or None
        Version of torch, if it is installed.
    instance, instance_sha256 : str
        Name and digest of the instance.
    planners, duplexes : tuple of str
        What was asked for.
    rounds : int
        Rounds trained.
    seeds : tuple of int
        Seeds of training and fading.
    learn : bool
        Whether training was asked for.
    options : mapping
        Fields of the planners' options.
    """

    command: str
    version: str
    python: str
    numpy: str
    torch: str | None
    instance: str
    instance_sha256: str
    planners: tuple[str, ...]
    duplexes: tuple[str, ...]
    rounds: int
    seeds: tuple[int, ...]
    learn: bool
    options: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class WallSeconds:
    """Wall time spent; all that differs between two comparisons of the same settings.

    Parameters
    ----------
    planning : mapping of str to float
        Seconds of planning by key of the row.
    training : float
        Seconds of all training runs.
    total : float
        Seconds of the comparison.
    """

    planning: Mapping[str, float]
    training: float
    total: float
