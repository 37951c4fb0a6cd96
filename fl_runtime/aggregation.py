"""What a round does to the replicas of a module, as one mixing matrix: ``new = W @ old``.

The steps of a round are followed with symbols: a node holds, of each module, a weighted sum over replicas
whose coefficients and total are exact numbers.  They are divided once, at the end.  So two relay trees that
average the same replicas give the same matrix to the last bit, and hence the same model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from scipy import sparse

from fl_runtime.order import in_order
from fl_runtime.schedule import Aggregate, Deliver, Merge, Mix, RoundKind, Schedule, Step, Transfer

Number = int | float | Fraction

_MIXED_AT_ONCE = 2**22
"""Numbers mixed in one go: 32 MiB of float64."""


@dataclass(frozen=True)
class Mixing:
    """The mixing matrix of a module, each distinct row kept once.

    Parameters
    ----------
    group : array of int, shape (replicas,)
        Which distinct row is the row of a replica; replicas of one group hold the same model afterwards.
    rows : sparse array, shape (groups, replicas)
        The distinct rows; each sums to one.
    """

    group: npt.NDArray[np.int64]
    rows: sparse.csr_array

    def matrix(self) -> npt.NDArray[np.float64]:
        """Return W as a dense array, (replicas, replicas)."""
        dense: npt.NDArray[np.float64] = self.rows.toarray()[self.group]
        return dense

    def apply(self, state: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the replicas' parameters (replicas, size) after mixing.

        Sums are made in double precision and in the order of the replicas, whatever the number of threads;
        some parameters at a time, so that they take little memory.
        """
        result = np.empty_like(state)
        at_once = max(1, _MIXED_AT_ONCE // max(1, len(state)))
        for start in range(0, state.shape[1], at_once):
            part = slice(start, start + at_once)
            mixed: npt.NDArray[np.float64] = self.rows @ state[:, part].astype(np.float64)  # (groups, part)
            result[:, part] = mixed.astype(np.float32)[self.group]
        return result


@dataclass(frozen=True)
class _Sum:
    """A weighted sum of replicas' parameters, not yet divided by its total weight."""

    coefficients: Mapping[int, Number]
    total: Number

    def average(self) -> dict[int, float]:
        """Return the coefficients of the average; zeros are left out."""
        return {
            replica: _quotient(weight, self.total) for replica, weight in self.coefficients.items() if weight
        }


@dataclass
class _Ledger:
    """What each node holds of one module while a round's steps are followed."""

    hosts: frozenset[str]
    updates: dict[str, _Sum]
    arrived: dict[str, list[_Sum]] = field(default_factory=dict)
    passing: dict[str, dict[str, _Sum]] = field(default_factory=dict)
    models: dict[str, _Sum] = field(default_factory=dict)
    rows: dict[str, _Sum] = field(default_factory=dict)


def mixings(schedule: Schedule, kind: RoundKind) -> dict[str, Mixing]:
    """Return the mixing matrix of each trainable module in a round of a kind.

    Parameters
    ----------
    schedule : Schedule
        Its replicas, in their order, are the rows and columns of the matrices.
    kind : RoundKind
        The steps; a replica that none of them delivers keeps its own parameters.

    Returns
    -------
    dict of str to Mixing
        By module, in the order of the schedule.

    Raises
    ------
    ValueError
        If the steps wait for each other in a circle, or a step uses an update or a model that no earlier step
        brought to its node.
    """
    steps = in_order(kind.steps)
    return {module.id: _follow(schedule, module.id, steps) for module in schedule.modules if module.trainable}


def _follow(schedule: Schedule, module: str, steps: tuple[Step, ...]) -> Mixing:
    replicas = [replica for replica in schedule.replicas if replica.module == module]
    weights = [_exact(replica.weight) for replica in replicas]
    ledger = _Ledger(
        hosts=frozenset(replica.host for replica in replicas),
        updates={
            replica.host: _Sum({index: weight}, weight)
            for index, (replica, weight) in enumerate(zip(replicas, weights, strict=True))
        },
    )
    for step in steps:
        if isinstance(step, Transfer | Merge | Aggregate | Mix | Deliver) and module in step.modules:
            _take(ledger, module, step)
    averages: dict[int, dict[int, float]] = {}  # by identity: what was delivered to many is divided once
    rows = []
    for index, replica in enumerate(replicas):
        model = ledger.rows.get(replica.host)
        if model is None:
            rows.append({index: 1.0})
            continue
        if id(model) not in averages:
            averages[id(model)] = model.average()
        rows.append(averages[id(model)])
    return _grouped(rows)


def _take(ledger: _Ledger, module: str, step: Transfer | Merge | Aggregate | Mix | Deliver) -> None:
    """Follow one step; ``ledger`` is changed."""
    match step:
        case Transfer(content="update"):
            _send(ledger, module, step)
        case Transfer(content="model"):
            ledger.models[step.target] = _held(ledger.models, step.source, "model", module, step)
        case Merge():
            _merge(ledger, module, step.node, step)
        case Aggregate():
            ledger.models[step.node] = _merge(ledger, module, step.node, step)
            if ledger.models[step.node].total == 0:
                raise ValueError(
                    f"step {step.id!r}: the updates of {module!r} that node {step.node!r} averages all have "
                    "weight 0; give its replicas the samples that train them as weights"
                )
        case Mix():
            _mix(ledger, module, step)
        case Deliver():
            _deliver(ledger, module, step)
        case Transfer():
            pass  # activations change no parameters


def _send(ledger: _Ledger, module: str, step: Transfer) -> None:
    """Bring an update to the target: the source's own, or one that it passes on and does not merge itself."""
    origin = step.source if step.origin is None else step.origin
    if origin == step.source:
        update = _held(ledger.updates, origin, "update", module, step)
    else:
        update = _held(ledger.passing.get(origin, {}), step.source, "update", module, step)
        waiting = ledger.arrived.get(step.source, [])
        ledger.arrived[step.source] = [other for other in waiting if other is not update]
    ledger.arrived.setdefault(step.target, []).append(update)
    ledger.passing.setdefault(origin, {})[step.target] = update


def _merge(ledger: _Ledger, module: str, node: str, step: Step) -> _Sum:
    parts = ledger.arrived.pop(node, [])
    if node in ledger.updates:
        parts = [ledger.updates[node], *parts]
    if not parts:
        raise ValueError(f"step {step.id!r}: no update of {module!r} has reached node {node!r}")
    merged = parts[0] if len(parts) == 1 else _sum_of(parts)
    ledger.updates[node] = merged
    return merged


def _sum_of(parts: list[_Sum]) -> _Sum:
    coefficients: dict[int, Number] = {}
    for part in parts:
        for replica, weight in part.coefficients.items():
            coefficients[replica] = coefficients.get(replica, 0) + weight
    return _Sum(coefficients, sum(part.total for part in parts))


def _mix(ledger: _Ledger, module: str, step: Mix) -> None:
    """Replace the nodes' models by ``weights ** sweeps`` times them; each node keeps its weight."""
    updates = [
        ledger.models.get(node) or _held(ledger.updates, node, "update", module, step) for node in step.nodes
    ]
    averages = [
        update.average() if update.total else dict.fromkeys(update.coefficients, 1.0) for update in updates
    ]
    columns = sorted({replica for average in averages for replica in average})
    place = {replica: column for column, replica in enumerate(columns)}
    models = np.zeros((len(averages), len(columns)))
    for row, average in enumerate(averages):
        for replica, weight in average.items():
            models[row, place[replica]] = weight
    mixed = np.linalg.matrix_power(np.array(step.weights, dtype=np.float64), step.sweeps) @ models
    for node, update, row in zip(step.nodes, updates, mixed, strict=True):
        coefficients = dict(zip(columns, row.tolist(), strict=True))
        ledger.models[node] = _Sum(coefficients, 1)
        weighted = {replica: weight * float(update.total) for replica, weight in coefficients.items()}
        ledger.updates[node] = _Sum(weighted, float(update.total))


def _deliver(ledger: _Ledger, module: str, step: Deliver) -> None:
    for host in step.nodes:
        if host in ledger.hosts:
            ledger.rows[host] = _held(ledger.models, host, "model", module, step)


def _held(held: Mapping[str, _Sum], node: str, what: str, module: str, step: Step) -> _Sum:
    if node not in held:
        raise ValueError(f"step {step.id!r}: no {what} of {module!r} has reached node {node!r}")
    return held[node]


def _exact(weight: float) -> Number:
    """Return the same number in a type whose sums are exact."""
    return int(weight) if float(weight).is_integer() else Fraction(weight)


def _quotient(weight: Number, total: Number) -> float:
    if isinstance(weight, float) or isinstance(total, float):
        return float(weight) / float(total)
    return float(Fraction(weight) / Fraction(total))  # correctly rounded


def _grouped(rows: list[dict[int, float]]) -> Mixing:
    """Keep equal rows once, in the order of their first replica."""
    groups: dict[tuple[tuple[int, float], ...], int] = {}
    group_of_row: dict[int, int] = {}  # by identity, so that a row shared by many is compared once
    for row in rows:
        if id(row) not in group_of_row:
            group_of_row[id(row)] = groups.setdefault(tuple(sorted(row.items())), len(groups))
    group = [group_of_row[id(row)] for row in rows]
    lengths = [len(row) for row in groups]
    indices = np.array([replica for row in groups for replica, _ in row], dtype=np.int64)
    weights = np.array([weight for row in groups for _, weight in row], dtype=np.float64)
    pointers = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    matrix = sparse.csr_array((weights, indices, pointers), shape=(len(groups), len(rows)))
    return Mixing(group=np.array(group, dtype=np.int64), rows=matrix)
