"""From a planner's recipe to a placement and its clusters: fixed ones, or the best found."""

import math
from dataclasses import replace

from hfedfm_opt.planning.alternate import alternate, arrange_placed
from hfedfm_opt.planning.arrange import arrange
from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.by_cell.plan_cells import decide_by_cells, fits
from hfedfm_opt.planning.candidates import Reach
from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.decide_association import AssociationTask, alternate_with_association, has_choice
from hfedfm_opt.planning.device_energy import device_limits
from hfedfm_opt.planning.fair_search import search_fairly
from hfedfm_opt.planning.formulate_placement import formulate_placement
from hfedfm_opt.planning.joule_multipliers import Demands
from hfedfm_opt.planning.left_out import NO_BOUND, LeftOut
from hfedfm_opt.planning.optimise import SearchSettings
from hfedfm_opt.planning.place import Placed, place
from hfedfm_opt.planning.recipes import Recipe
from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.planning.trained_elsewhere import with_training
from hfedfm_opt.planning.tree_prices import TreePrices
from hfedfm_opt.planning.workers import ALONE, Workers
from hfedfm_opt.system.network import Network
from solvers.common import Options


def decide(
    network: Network, recipe: Recipe, settings: PlannerOptions, workers: Workers = ALONE
) -> tuple[Placed, Arrangement]:
    """Return who runs what and how clusters average, as a recipe has it.

    Parameters
    ----------
    network : Network
        The network, with the duplex and precisions of the settings and the prices in force.
    recipe : Recipe
        The planner.
    settings : PlannerOptions
        How to plan.
    workers : Workers
        Who does independent work.

    Raises
    ------
    NoPlacement, MissingLink
        If there is no placement, or clusters cannot average, or not within the limits.
    """
    if recipe.arrangement == "optimised":
        return _optimised(network, recipe, settings, workers)
    task = formulate_placement(network, reach_of(recipe))
    options = Options(time_limit_s=settings.time_limit_s, seed=settings.seed)
    placed = place(network, task, recipe.placement, options)
    return placed, arrange(with_training(network, placed.servings), recipe, placed, settings.seed)


def _optimised(
    network: Network, recipe: Recipe, settings: PlannerOptions, workers: Workers
) -> tuple[Placed, Arrangement]:
    """Return the best placement and arrangement found, with a bound.

    Three layers, each of which calls the one below for networks that differ a little: servers of devices;
    prices of joules that stand for limits and fairness; placement and clusters.
    """
    search, rhythm, reach = (
        search_settings(network, settings, workers),
        Rhythm(recipe.period),
        reach_of(recipe),
    )
    whole = settings.placement is None and search.left_out.is_nothing

    def at_prices(priced: Network, how: SearchSettings) -> tuple[Placed, Arrangement]:
        if whole and fits(priced, recipe.placement):
            found = decide_by_cells(priced, reach, rhythm, how)
            if found is not None:
                return found
        task = formulate_placement(priced, reach)
        if settings.placement is None:
            placed, arrangement = alternate(priced, task, recipe.placement, rhythm, how, settings.seed)
        else:
            options = Options(time_limit_s=settings.time_limit_s, seed=settings.seed)
            placed = place(priced, task, settings.placement, options)
            arrangement = arrange_placed(priced, placed, rhythm, how)
        if whole:
            return placed, arrangement
        return placed, replace(arrangement, bound=-math.inf, proof=NO_BOUND, gap_parts=())

    def associated(given: Network, how: SearchSettings) -> tuple[Placed, Arrangement]:
        demands = demands_of(given, settings, how.max_energy_j)
        if demands.are_plain:
            return at_prices(given, how)
        return search_fairly(given, rhythm, demands, how, at_prices)

    if settings.association != "decided" or not has_choice(network):
        return associated(network, search)
    task = AssociationTask(network, reach, recipe.placement, rhythm, search, associated)
    placed, arrangement = alternate_with_association(task)
    if whole:
        return placed, arrangement
    return placed, replace(arrangement, bound=-math.inf, proof=NO_BOUND, gap_parts=())


def search_settings(network: Network, settings: PlannerOptions, workers: Workers = ALONE) -> SearchSettings:
    """Return how the optimised planner searches: limits are the tighter of the instance's and those asked."""
    limits = network.instance.limits
    return SearchSettings(
        allocate=settings.allocate,
        joint=settings.allocate and settings.allocate_d2d,
        gap=settings.gap,
        time_limit_s=math.inf if settings.time_limit_s is None else settings.time_limit_s,
        max_latency_s=_tighter(limits.max_latency_s, settings.max_latency_s),
        max_energy_j=_tighter(limits.max_energy_j, settings.max_energy_j),
        workers=workers,
        trees=TreePrices(workers),
        left_out=LeftOut(
            trees=settings.trees,
            uplinks=settings.allocate and not settings.allocate_uplinks,
            cpu=settings.allocate and not settings.allocate_cpu,
            seed=settings.seed,
        ),
    )


def demands_of(network: Network, settings: PlannerOptions, max_energy_j: float) -> Demands:
    """Return what single devices may spend, and what fairness costs."""
    limits = device_limits(network.instance, settings.max_device_energy_j)
    return Demands(limits, max_energy_j, network.instance.objective.fairness_weight_per_j)


def reach_of(recipe: Recipe) -> Reach:
    """Return where a recipe's averages can take in what is trained elsewhere than on the devices."""
    if recipe.arrangement in ("alone", "star"):
        return "device"
    return "above" if recipe.period == 1 else "server"


def _tighter(given: float | None, asked: float | None) -> float:
    return min(math.inf if limit is None else limit for limit in (given, asked))
