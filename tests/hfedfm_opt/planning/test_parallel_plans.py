"""Plans with several workers, with trees remembered, and when time is over before all trees are priced."""

import math
import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from hfedfm_opt.planning import joint_curves, tree_prices
from hfedfm_opt.planning.cluster_options import Rhythm, relayed_options, tree_problem
from hfedfm_opt.planning.decide import decide, search_settings
from hfedfm_opt.planning.front import FrontOptions, plan_front
from hfedfm_opt.planning.joint_curves import JointCurves
from hfedfm_opt.planning.joint_search import SearchTask, search_trees
from hfedfm_opt.planning.module_periods import plan_each_with_periods, plan_with_periods
from hfedfm_opt.planning.optimise import least_relaying_j, optimise, options_of
from hfedfm_opt.planning.place import Placed
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.priced_options import priced_options
from hfedfm_opt.planning.proofs import Evidence, evidence_of
from hfedfm_opt.planning.readiness import readiness
from hfedfm_opt.planning.recipes import recipe_of
from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.planning.tree_prices import TreePrices
from hfedfm_opt.system.network import resolve_network
from solvers.common import StopReason

NOMINAL = PlannerOptions(allocate=False)
NOWHERE_ELSE = Placed((), (), 0.0)


@dataclass
class Apart:
    """Workers that have nothing in common: all that goes to them and comes back is pickled."""

    jobs: int
    sent: list[str] = field(default_factory=list)

    def map(self, function: Callable, items: Sequence) -> list:
        self.sent += [function.__name__] * len(items)
        return [pickle.loads(pickle.dumps(function(pickle.loads(pickle.dumps(item))))) for item in items]


@pytest.fixture
def _everything_is_sent(monkeypatch):
    monkeypatch.setattr(tree_prices, "LEAST_TREES_TO_SEND", 0)
    monkeypatch.setattr(joint_curves, "LEAST_CLUSTERS_TO_SEND", 1)


def relayed(network, ready, prices, period=2):
    found = options_of(network, Rhythm(period), ready, allocate=False, trees=prices)
    return [(option.cluster, option.plan, option.seconds, option.joules) for option in found]


@pytest.mark.usefixtures("_everything_is_sent")
def test_plans_are_the_same_to_the_byte_whoever_prices_trees(make_instance):
    network = resolve_network(make_instance(1, devices_per_server=(4, 3, 1, 3), split=True))
    recipe, workers = recipe_of("optimised:2", 2), Apart(3)
    alone = decide(network, recipe, NOMINAL)
    assert pickle.dumps(decide(network, recipe, NOMINAL, workers)) == pickle.dumps(alone)
    assert "price_trees" in workers.sent


def joint_clusters(network):
    found = options_of(network, Rhythm(2), readiness(network, ()), allocate=True, joint=True)
    return dict(enumerate(option.joint for option in found if option.joint is not None))


@pytest.fixture(scope="module")
def joint_instance(make_instance):
    clusters = joint_clusters(resolve_network(make_instance(2, devices_per_server=(3, 2, 3, 3))))
    return clusters, joint_points(JointCurves(clusters, 3.0, 1e-3))


def joint_points(curves):
    """Return what is known at deadlines, asked for in two goes, arrays as bytes."""
    least_s = {name: curves.least_s(name) for name in curves.clusters}
    asked = [(name, least_s[name][0] * part) for part in (1.1, 1.7) for name in least_s]
    points = [*curves.price(asked), *curves.price([(name, 1.3 * seconds) for name, seconds in asked])]
    plans = [vars(point.plan) if point.plan else {} for point in points]
    return (
        [seconds for pair in least_s.values() for seconds in pair],
        [(point.value_j, point.bound_j, point.slope_w) for point in points],
        [{name: np.asarray(value).tobytes() for name, value in plan.items()} for plan in plans],
    )


@pytest.mark.usefixtures("_everything_is_sent")
@pytest.mark.parametrize("jobs", [2, 3])
def test_clusters_decided_at_once_are_the_same_to_the_byte_in_parts(joint_instance, jobs):
    clusters, alone = joint_instance
    workers = Apart(jobs)
    assert joint_points(JointCurves(clusters, 3.0, 1e-3, workers=workers)) == alone
    groups = 2  # of 3 and of 2 members
    assert workers.sent.count("begin") > groups
    assert workers.sent.count("solve_limits") > 2 * groups


def test_larger_clusters_are_searched_by_workers(make_instance):
    clusters = joint_clusters(resolve_network(make_instance(3, devices_per_server=(8, 9))))
    over, workers = time.monotonic() - 1.0, Apart(2)
    apart = JointCurves(clusters, 3.0, 1e-3, over, workers)
    assert joint_points(apart) == joint_points(JointCurves(clusters, 3.0, 1e-3, over))
    assert workers.sent == ["search_trees"] * 2


@pytest.mark.usefixtures("_everything_is_sent")
def test_processes_give_the_same_plan_as_one(make_instance):
    instance = make_instance(4, devices_per_server=(4, 3), split=True)
    one = plan(instance, "optimised:2", NOMINAL)
    two = plan(instance, "optimised:2", replace(NOMINAL, jobs=2))
    assert one.plan.decisions.model_dump_json() == two.plan.decisions.model_dump_json()
    assert (one.objective, one.bound, one.proof) == (two.objective, two.bound, two.proof)


def test_the_best_of_several_periods_is_the_same_with_two_jobs(make_instance):
    instance = make_instance(5)
    options = replace(NOMINAL, periods=(1, 2, None), time_weight_per_s=3.0)
    one, two = plan(instance, options=options), plan(instance, options=replace(options, jobs=2))
    assert one.plan.decisions == two.plan.decisions
    assert two.plan.instance == one.plan.instance
    assert not two.plan.violations


@pytest.mark.usefixtures("_everything_is_sent")
def test_the_front_is_the_same_with_two_jobs(make_instance):
    instance = make_instance(5)
    one, two = (plan_front(instance, FrontOptions(period=2, jobs=jobs)) for jobs in (1, 2))
    for name in ("latency_s", "energy_j", "bound_j"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
    assert one.plan(0).decisions == two.plan(0).decisions


def test_candidates_of_a_sweep_have_the_plans_that_each_has_alone(make_instance):
    instance = make_instance(6)
    names = [module.id for module in instance.modules if module.trainable]
    asked = [
        (dict.fromkeys(names, 1), NOMINAL),
        (dict.fromkeys(names, 2) | {names[0]: 4}, replace(NOMINAL, transport_bits=8)),
        (dict.fromkeys(names, None), NOMINAL),
    ]
    together = plan_each_with_periods(instance, "optimised", asked)
    for (periods, options), result in zip(asked, together, strict=True):
        alone = plan_with_periods(instance, "optimised", periods, options)
        assert result.plan.decisions == alone.plan.decisions
    assert plan_each_with_periods(instance, "optimised", []) == []


def test_trees_are_priced_once_however_often_they_are_asked_for(make_instance):
    network = resolve_network(make_instance(7, devices_per_server=(4, 3)))
    ready, prices = readiness(network, ()), TreePrices()
    first = relayed(network, ready, prices)
    assert prices.num_priced == 2
    assert relayed(network, ready, prices) == first == relayed(network, ready, TreePrices())
    assert prices.num_priced == 2


def test_a_device_that_is_ready_later_has_the_trees_of_its_cluster_priced_anew(make_instance):
    network = resolve_network(make_instance(7, devices_per_server=(4, 3)))
    ready, prices = readiness(network, ()), TreePrices()
    relayed(network, ready, prices)
    later = replace(ready, seconds={**ready.seconds, "d0": ready.seconds["d0"] + 5.0})
    assert relayed(network, later, prices) == relayed(network, later, TreePrices())
    assert prices.num_priced == 3


def test_options_with_known_prices_are_those_without(make_instance):
    network = resolve_network(make_instance(8))
    ready = readiness(network, ())
    problem = tree_problem(network, "s0", Rhythm(2), ready)
    (fronts,) = TreePrices().fronts_of([problem])
    known = relayed_options(network, 0, "s0", Rhythm(2), ready, allocate=True, priced=(problem, fronts))
    anew = relayed_options(network, 0, "s0", Rhythm(2), ready, allocate=True)
    assert [(one.seconds, one.joules, one.plan) for one in known] == [
        (one.seconds, one.joules, one.plan) for one in anew
    ]
    assert len(known) > 6


def without_links(instance, dropped):
    links = tuple(link for link in instance.wireless_links if (link.source, link.target) not in dropped)
    return instance.model_copy(update={"wireless_links": links})


def test_members_without_links_to_a_root_have_no_trees_for_it(make_instance):
    instance = make_instance(9, devices_per_server=(3, 2))
    lost = without_links(instance, {("d0", "d1"), ("d2", "d1")})
    network = resolve_network(lost)
    problem = tree_problem(network, "s0", Rhythm(2), readiness(network, ()))
    assert problem.roots.tolist() == [0, 2]
    apart = without_links(instance, {("d3", "d4"), ("d4", "d3")})
    network = resolve_network(apart)
    assert tree_problem(network, "s1", Rhythm(2), readiness(network, ())) is None


def test_a_time_limit_that_is_over_leaves_a_checked_plan_without_a_bound(make_instance):
    instance = make_instance(10, devices_per_server=(4, 3, 2))
    result = plan(instance, "optimised:2", replace(NOMINAL, time_limit_s=1e-9))
    free = plan(instance, "optimised:2", NOMINAL)
    assert result.plan.violations == ()
    assert free.objective <= result.objective * (1 + 1e-9)
    assert (result.bound, result.stop_reason) == (-math.inf, StopReason.TIME_LIMIT)
    assert "the time limit came before all trees of 3 of 3 clusters were priced" in result.proof
    assert {cluster.aggregator for cluster in result.plan.decisions.clusters} == {"s0", "s1", "s2"}


def test_a_time_limit_that_is_over_leaves_a_checked_plan_where_all_is_decided_at_once(make_instance):
    instance = make_instance(10, devices_per_server=(3, 2))
    result = plan(instance, "optimised:2", time_limit_s=1e-9)
    assert result.plan.violations == ()
    assert result.bound <= result.objective


def test_late_clusters_count_nothing_in_what_relaying_takes_at_least(make_instance):
    network = resolve_network(make_instance(11, devices_per_server=(3, 3)))
    ready, rhythm = readiness(network, ()), Rhythm(2)
    whole = options_of(network, rhythm, ready, allocate=True)
    late = priced_options(network, rhythm, ready, allocate=True, stop_at=time.monotonic() - 1.0)
    assert late.late == {"s0", "s1"}
    evidence = evidence_of(network, joint=False, late=late.late)
    assert set(evidence.values()) == {Evidence.LATE}
    assert least_relaying_j(network, late.options, ready, rhythm, evidence) == {"s0": 0.0, "s1": 0.0}
    some = evidence_of(network, joint=False, late={"s0"})
    of_all = least_relaying_j(network, whole, ready, rhythm, evidence_of(network, joint=False))
    assert least_relaying_j(network, whole, ready, rhythm, some) == {"s0": 0.0, "s1": of_all["s1"]}
    assert min(of_all.values()) > 0.0


def test_bounds_over_placements_hold_when_no_trees_were_priced(make_instance):
    instance = make_instance(12, devices_per_server=(3, 3), split=True)
    free = plan(instance, "optimised:2", NOMINAL)
    short = plan(instance, "optimised:2", replace(NOMINAL, time_limit_s=1e-6))
    assert short.bound <= free.objective
    assert short.plan.violations == ()


def test_a_cluster_that_cannot_average_at_its_server_is_priced_whatever_the_time(make_instance):
    instance = without_links(make_instance(13, devices_per_server=(3, 3)), {("d0", "s0")})
    network = resolve_network(instance)
    late = priced_options(
        network, Rhythm(2), readiness(network, ()), allocate=False, stop_at=time.monotonic() - 1.0
    )
    assert late.late == {"s1"}
    assert {option.cluster for option in late.options} == {0, 1}
    short = plan(instance, "optimised:2", replace(NOMINAL, time_limit_s=1e-9))
    assert short.plan.violations == ()


def test_limits_that_only_trees_keep_are_kept_whatever_the_time(make_instance):
    instance = make_instance(14, devices_per_server=(4, 4))
    network, rhythm = resolve_network(instance), Rhythm(2)
    settings = replace(search_settings(network, NOMINAL), trees=TreePrices())
    placed = NOWHERE_ELSE
    at_servers = optimise(network, placed, rhythm, replace(settings, time_limit_s=1e-9))
    assert {cluster.aggregator for cluster in at_servers.clusters} == {"s0", "s1"}
    least_j = 0.0
    for index in range(2):
        own = [
            o
            for o in options_of(network, rhythm, readiness(network, ()), allocate=False)
            if o.cluster == index
        ]
        least_j += min(option.joules for option in own)
    server_j = sum(
        option.joules
        for option in priced_options(
            network, rhythm, readiness(network, ()), allocate=False, stop_at=-math.inf
        ).options
    )
    assert least_j < server_j
    cloud_j = optimise_energy(network, at_servers) - server_j
    limit_j = (cloud_j + 0.5 * (least_j + server_j)) / rhythm.num_rounds
    tight = optimise(
        network,
        placed,
        rhythm,
        replace(settings, time_limit_s=1e-9, max_energy_j=limit_j, trees=TreePrices()),
    )
    assert {cluster.aggregator for cluster in tight.clusters} != {"s0", "s1"}


def optimise_energy(network, arrangement):
    """Return the joules of a cycle of two rounds."""
    from hfedfm_opt.planning.assemble import assemble
    from hfedfm_opt.planning.costs import predict

    decisions = assemble(network, "optimised:2", 2, NOWHERE_ELSE, arrangement)
    return 2 * predict(network, decisions).energy_j


def test_a_search_of_trees_whose_time_is_over_ends_with_its_first_trees(make_instance):
    network = resolve_network(make_instance(15, devices_per_server=(8, 2)))
    found = options_of(network, Rhythm(2), readiness(network, ()), allocate=True, joint=True)
    (cluster,) = (o.joint for o in found if o.joint is not None and o.cluster == 0)
    late = search_trees(SearchTask(cluster, 1.0, time.time() - 1.0, 1))
    assert len(late.plans) == 1
    assert late.lines == ((0.0, 0.0),)
    assert np.isfinite(late.least_s)
