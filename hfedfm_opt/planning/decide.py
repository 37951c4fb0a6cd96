"""From a planner's recipe to a placement and its clusters: fixed ones, or the best found."""

import math

from hfedfm_opt.planning.alternate import alternate
from hfedfm_opt.planning.arrange import arrange
from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.candidates import Reach
from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.decide_association import AssociationTask, alternate_with_association, has_choice
from hfedfm_opt.planning.formulate_placement import formulate_placement
from hfedfm_opt.planning.optimise import SearchSettings
from hfedfm_opt.planning.place import Placed, place
from hfedfm_opt.planning.recipes import Recipe
from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.planning.trained_elsewhere import with_training
from hfedfm_opt.system.network import Network
from solvers.common import Options


def decide(network: Network, recipe: Recipe, settings: PlannerOptions) -> tuple[Placed, Arrangement]:
    """Return who runs what and how clusters average, as a recipe has it.

    Parameters
    ----------
    network : Network
        The network, with the duplex and precisions of the settings and the prices in force.
    recipe : Recipe
        The planner.
    settings : PlannerOptions
        How to plan.

    Raises
    ------
    NoPlacement, MissingLink
        If there is no placement, or clusters cannot average, or not within the limits.
    """
    task = formulate_placement(network, reach_of(recipe))
    if recipe.arrangement == "optimised":
        search, rhythm = search_settings(network, settings), Rhythm(recipe.period)
        if settings.association == "decided" and has_choice(network):
            return alternate_with_association(
                AssociationTask(network, reach_of(recipe), recipe.placement, rhythm, search, settings.seed)
            )
        return alternate(network, task, recipe.placement, rhythm, search, settings.seed)
    options = Options(time_limit_s=settings.time_limit_s, seed=settings.seed)
    placed = place(network, task, recipe.placement, options)
    return placed, arrange(with_training(network, placed.servings), recipe, placed, settings.seed)


def search_settings(network: Network, settings: PlannerOptions) -> SearchSettings:
    """Return how the optimised planner searches: limits are the tighter of the instance's and those asked."""
    limits = network.instance.limits
    return SearchSettings(
        allocate=settings.allocate,
        joint=settings.allocate and settings.allocate_d2d,
        gap=settings.gap,
        time_limit_s=math.inf if settings.time_limit_s is None else settings.time_limit_s,
        max_latency_s=_tighter(limits.max_latency_s, settings.max_latency_s),
        max_energy_j=_tighter(limits.max_energy_j, settings.max_energy_j),
    )


def reach_of(recipe: Recipe) -> Reach:
    """Return where a recipe's averages can take in what is trained elsewhere than on the devices."""
    if recipe.arrangement in ("alone", "star"):
        return "device"
    return "above" if recipe.period == 1 else "server"


def _tighter(given: float | None, asked: float | None) -> float:
    return min(math.inf if limit is None else limit for limit in (given, asked))
