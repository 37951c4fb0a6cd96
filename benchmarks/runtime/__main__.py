"""Measures the runtime's learning: what it reaches, and what it takes.

Run it with ``python -m benchmarks.runtime [speed|overhead|memory|accuracy]``; each prints one table.
"""

from benchmarks.runtime.accuracy import measure_accuracy
from benchmarks.runtime.memory import measure_memory
from benchmarks.runtime.options import given
from benchmarks.runtime.overhead import measure_overhead
from benchmarks.runtime.speed import measure_speed

WAYS = {
    "speed": measure_speed,
    "overhead": measure_overhead,
    "memory": measure_memory,
    "accuracy": measure_accuracy,
}

if __name__ == "__main__":
    options = given(__doc__)
    WAYS[options.what](options)
