"""What the tests of sweeps share: three clusters of the published network, and runs with a known truth."""

import numpy as np
import pytest

from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.study.sweeping.candidates import grid, plan_candidates, uniform
from hfedfm_opt.study.sweeping.field import Field
from hfedfm_opt.study.sweeping.runs import KeptRun
from hfedfm_opt.system.generate.paper import paper_instance


@pytest.fixture(scope="session")
def small():
    """Three clusters of the published network as an instance of their own."""
    paper = paper_instance()
    kept = {"cloud", *(f"s{i}" for i in range(3)), *(f"d{i}" for i in range(12))}
    return paper.model_copy(
        update={
            "name": "paper-12",
            "nodes": tuple(node for node in paper.nodes if node.id in kept),
            "wireless_links": tuple(link for link in paper.wireless_links if link.source in kept),
            "wired_links": tuple(link for link in paper.wired_links if {link.source, link.target} <= kept),
        }
    )


class KnownRuns:
    """Runs whose accuracy is a known truth of the candidate, an effect of the seed, and noise."""

    def __init__(self, truth, noise=0.1):
        self.truth, self.noise = truth, noise
        self.made = []
        self.num_trained = 0

    def find(self, schedule, seed):
        return None

    def train(self, schedule, seed, name, observer=None):
        self.made.append((name, seed))
        rng = np.random.default_rng([seed, sum(map(ord, name))])
        percent = self.truth[name] + 5.0 * np.sin(seed) + self.noise * rng.standard_normal()
        return KeptRun(
            key=f"{name} {seed}",
            name=name,
            seed=seed,
            tasks=("one",),
            accuracy=((percent / 100.0,),),
            reached_cloud=(True,),
        )


@pytest.fixture(scope="session")
def planned(small):
    """Reference and candidates of periods 1, 2, 4 and 8, bits 8, 4 and 2, cheapest first."""
    [reference], _ = plan_candidates(small, "optimised", [uniform(small, 2, (32, 32))], PlannerOptions(), 1)
    wanted = grid(small, (1, 2, 4, 8), ((8, 8), (4, 4), (2, 2)), (0.0,))
    candidates, _ = plan_candidates(small, "optimised", wanted, PlannerOptions(), 1)
    return reference, candidates


def truth_of(planned_one):
    """Return an accuracy that falls with the period and with coarse rounding, in percent."""
    period = dict(planned_one.candidate.periods)["adapter"]
    bits = dict(planned_one.candidate.bits)["adapter"][0]
    return 75.0 - 2.0 * np.log2(period) - 8.0 * 2.0 ** (1 - bits)


@pytest.fixture(scope="session")
def known_runs():
    """The class of runs with a known truth."""
    return KnownRuns


@pytest.fixture
def known(planned):
    reference, candidates = planned
    return KnownRuns({one.name: truth_of(one) for one in [reference, *candidates]})


@pytest.fixture
def field(planned, known):
    """The field with its reference run."""
    found = Field(planned[0], (0, 1, 2), "sync", known, float("inf"), None)
    for seed in found.seeds:
        found.run(found.reference, seed)
    return found
