"""The solvers alone, arrays in and arrays out; the base package is enough.

``python examples/solvers_alone.py``
"""

import numpy as np

from solvers.allocation import AllocationProblem
from solvers.allocation import solve as allocate
from solvers.relaying import RelayingProblem
from solvers.relaying import solve as relay

# Three devices share 1 MHz to an edge server: who gets which part of it, at which power and CPU frequency?
cell = AllocationProblem(
    bits=[8e6, 4e6, 8e6],
    gain=[1e-10, 3e-11, 8e-11],
    noise_w_per_hz=4e-21,
    max_power_w=0.2,
    cycles=1e9,
    max_frequency_hz=2e9,
    capacitance=1e-28,
    band_hz=1e6,
    energy_weight=1.0,
    time_weight=1.0,
)
answer = allocate(cell)
print("share of the band", np.round(answer.solution.bandwidth_hz / 1e6, 3))
print("seconds", np.round(answer.solution.deadline_s, 3), "gap", f"{answer.gap:.0e}")

# The same three gather one update of 8 Mbit at one of them, and get the average back: over which links?
links = RelayingProblem(
    num_nodes=3,
    link_source=[0, 1, 1, 2, 0, 2],
    link_target=[1, 0, 2, 1, 2, 0],
    link_rate_bps=[8e6, 8e6, 8e6, 8e6, 1e6, 1e6],
    link_power_w=0.5,
    item_bits=[8e6],
    node_item_start=[0, 1, 2, 3],
    node_item=[0, 0, 0],
)
answer = relay(links)
print("root", answer.solution.root, "parents", answer.solution.parent, "gap", f"{answer.gap:.0e}")
