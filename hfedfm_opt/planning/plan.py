"""A plan: decisions together with the instance that they are for, and the result that a planner gives."""

from dataclasses import dataclass, field, replace
from functools import cached_property

from fl_runtime.schedule import Schedule
from hfedfm_opt.planning.association import as_decided
from hfedfm_opt.planning.check import judge
from hfedfm_opt.planning.compile import compile_schedule
from hfedfm_opt.planning.costs import Prediction, predict
from hfedfm_opt.planning.device_energy import largest_device_energy, objective_of
from hfedfm_opt.planning.violations import PlanViolation
from hfedfm_opt.system.decisions import Claim, Decisions, GapPart, precisions_of
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.network import Network, resolve_network
from solvers.common import Status, StopReason, relative_gap


@dataclass(frozen=True)
class Plan:
    """Decisions for an instance.

    Parameters
    ----------
    instance : Instance
        What was given.
    decisions : Decisions
        What was decided.
    resolved : Network or None
        The network of the instance, with the plan's duplex and precisions, where it is at hand.
    """

    instance: Instance
    decisions: Decisions
    resolved: Network | None = field(default=None, compare=False, repr=False)

    @cached_property
    def network(self) -> Network:
        """The network, with the plan's duplex, and with who trains what."""
        decided = self.decisions
        network = self.resolved
        if network is None:
            network = resolve_network(self.instance, decided.duplex, precisions_of(decided.transport_bits))
        return as_decided(network, decided)

    @cached_property
    def prediction(self) -> Prediction:
        """Seconds and joules per round over one cycle on a still channel, without the uses of bands."""
        return self._judged[1] or predict(self.network, self.decisions)

    @property
    def violations(self) -> tuple[PlanViolation, ...]:
        """What is wrong with the plan; empty for a plan that keeps every limit."""
        return self._judged[0]

    @cached_property
    def _judged(self) -> tuple[tuple[PlanViolation, ...], Prediction | None]:
        violations, prediction = judge(self.network, self.decisions)
        return violations, None if prediction is None else replace(prediction, uses={})

    def compile(self, rounds: int | None = None) -> Schedule:
        """Return the schedule that executes the plan for a number of rounds (default: the instance's)."""
        return compile_schedule(self.network, self.decisions, rounds or self.instance.training.rounds)

    @property
    def objective(self) -> float:
        """Weighted energy, latency, and joules of the device that spends most, at the instance's prices."""
        return objective_of(self.instance, self.instance.objective, self.prediction)

    @property
    def largest_device_energy(self) -> tuple[str, float]:
        """The device that spends most per round, and its joules."""
        return largest_device_energy(self.instance, self.prediction.node_energy_j)

    def claiming(self, bound: float | None, proof: str, gap_parts: tuple[GapPart, ...] = ()) -> "Plan":
        """Return the plan with a claim: its predicted cost at the instance's prices, and what is proven."""
        prices, cost = self.instance.objective, self.prediction
        fairness = prices.fairness_weight_per_j
        claim = Claim(
            energy_weight_per_j=prices.energy_weight_per_j,
            time_weight_per_s=prices.time_weight_per_s,
            fairness_weight_per_j=fairness,
            latency_s=cost.latency_s,
            energy_j=cost.energy_j,
            largest_device_energy_j=self.largest_device_energy[1] if fairness > 0 else None,
            objective=self.objective,
            bound=bound,
            proof=proof,
            gap_parts=gap_parts,
        )
        decisions = self.decisions.model_copy(update={"claim": claim})
        claimed = Plan(self.instance, decisions, self.resolved)
        claimed.__dict__["prediction"] = cost  # a claim changes no cost
        return claimed


@dataclass(frozen=True, kw_only=True)
class PlanResult:
    """What a planner answers: a checked plan, its cost, and how far from the best it can be.

    Parameters
    ----------
    planner : str
        Name of the planner.
    status : Status
        What is known.
    stop_reason : StopReason
        Why it ended.
    plan : Plan or None
        The plan, which breaks no limit; ``None`` exactly when there is none.
    objective : float
        Weighted energy and latency per round, with the joules of the device that spends most where they have
        a price; ``inf`` without a plan.
    bound : float
        No plan of the scope in ``proof`` is below; ``-inf`` when none is proven.
    proof : str
        What proves the bound, and for which plans.
    latency_s, energy_j : float
        Seconds and joules per round, over a cycle; ``inf`` without a plan.
    seconds : float
        Wall seconds spent.
    explanation : str
        What a person should know besides: why there is no plan and which limit to relax.
    gap_parts : tuple of GapPart
        What leaves which part of the gap open; empty where no bound is proven.
    """

    planner: str
    status: Status
    stop_reason: StopReason
    plan: Plan | None
    objective: float
    bound: float
    proof: str
    latency_s: float
    energy_j: float
    seconds: float
    explanation: str = ""
    gap_parts: tuple[GapPart, ...] = ()

    @property
    def gap(self) -> float:
        """Relative distance of ``objective`` from ``bound``; ``inf`` where either is missing."""
        return relative_gap(self.objective, self.bound)
