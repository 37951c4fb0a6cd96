import subprocess
import sys

import numpy as np

from solvers.common.compiled import compiled, has_compiler


def sum_of_quotients(numerators, denominators):
    total = 0.0
    for place in range(len(numerators)):
        total += numerators[place] / denominators[place]
    return total


def test_a_compiled_loop_agrees_with_plain_python_to_the_last_digit():
    rng = np.random.default_rng(0)
    numerators, denominators = rng.random(1000), 0.1 + rng.random(1000)

    value = compiled(sum_of_quotients)(numerators, denominators)

    assert value == sum_of_quotients(numerators, denominators)


def test_loops_stay_plain_where_numba_is_told_to_stand_aside(monkeypatch):
    code = (
        "from solvers.common.compiled import compiled, has_compiler\n"
        "def double(x): return 2 * x\n"
        "assert not has_compiler() and compiled(double) is double"
    )
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert has_compiler()
