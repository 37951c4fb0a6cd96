"""A front as rows of numbers: CSV, JSON, and a few points for a terminal."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from hfedfm_opt.planning.front import PlanFront
from hfedfm_opt.study.beside_front import Beside

COLUMNS = ("latency_s", "energy_j", "bound_j", "supported")


def front_csv(front: PlanFront) -> str:
    """Return all points as CSV: seconds, joules and bound per round, and 1 where prices make it the best.

    Parameters
    ----------
    front : PlanFront
        The front; ``bound_j`` is empty where nothing is proven, ``supported`` where not all plans are there.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in front_rows(front):
        writer.writerow(["" if row[name] is None else row[name] for name in COLUMNS])
    return stream.getvalue()


def front_rows(front: PlanFront) -> list[dict[str, Any]]:
    """Return all points, each as a mapping with the columns of the CSV."""
    supported = set(front.supported())
    return [
        {
            "latency_s": float(front.latency_s[point]),
            "energy_j": float(front.energy_j[point]),
            "bound_j": float(front.bound_j[point]) if np.isfinite(front.bound_j[point]) else None,
            "supported": int(point in supported) if front.exact else None,
        }
        for point in range(len(front))
    ]


def front_document(front: PlanFront, beside: Sequence[Beside]) -> dict[str, Any]:
    """Return a front and what is beside it as a JSON object.

    Parameters
    ----------
    front : PlanFront
        The front.
    beside : sequence of Beside
        Other planners' plans.
    """
    return {
        "instance": front.instance.name,
        "period": front.options.period,
        "duplex": front.options.duplex,
        "uplinks": front.options.uplinks.value,
        "transport_bits": front.options.transport_bits,
        "exact": front.exact,
        "proof": front.proof,
        "seconds": front.seconds,
        "points": front_rows(front),
        "beside": [asdict(other) for other in beside],
    }


def points_to_show(front: PlanFront, most: int) -> list[int]:
    """Return the ends and points between them, evenly spread over latency, ``most`` at the most.

    Parameters
    ----------
    front : PlanFront
        The front.
    most : int
        How many, >= 2.
    """
    if len(front) <= most:
        return list(range(len(front)))
    asked = np.linspace(front.latency_s[0], front.latency_s[-1], most)
    nearest = np.abs(front.latency_s[:, None] - asked).argmin(axis=0)
    return sorted(set(nearest.tolist()))
