"""The parts of a comparison besides its rows: training runs, gains, settings and wall times."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hfedfm_opt.system.network import Duplex


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
