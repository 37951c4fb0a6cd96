"""Clusters whose members average with their neighbours: worked by hand, checked, and trained."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fl_runtime import check_schedule
from fl_runtime.aggregation import mixings
from hfedfm_opt.planning.consensus import ACCURACY, consensus_of
from hfedfm_opt.planning.phase import Ledger, Phase
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.rounds import Kind
from hfedfm_opt.system.decisions import Consensus, Hop, Mixing, Neighbours
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.network import WirelessEdge, resolve_network


@pytest.fixture(scope="module")
def found(paper: Instance) -> Plan:
    result = plan(paper, "consensus:4")
    assert result.plan is not None, result.explanation
    return result.plan


def with_consensus(found: Plan, **changes: Any) -> Plan:
    """Return the plan with changes to the consensus of its first cluster."""
    first, *others = found.decisions.clusters
    assert first.consensus is not None
    changed = first.model_copy(update={"consensus": first.consensus.model_copy(update=changes)})
    clusters = (changed, *others)
    return Plan(found.instance, found.decisions.model_copy(update={"clusters": clusters, "claim": None}))


def test_a_mixing_is_the_matrix_of_its_pairs() -> None:
    pairs = (Neighbours(first="a", second="b", weight=0.25), Neighbours(first="c", second="b", weight=0.5))
    mixing = Mixing(modules=("m",), nodes=("a", "b", "c"), neighbours=pairs)
    assert mixing.matrix() == ((0.75, 0.25, 0.0), (0.25, 0.25, 0.5), (0.0, 0.5, 0.5))


def test_sweeps_bring_the_members_to_within_a_tenth_of_their_mean(found: Plan) -> None:
    schedule = found.compile(4)
    assert check_schedule(schedule) == ()
    edge = next(kind for kind in schedule.kinds if kind.name == "edge")
    matrix = mixings(schedule, edge)["adapter"].matrix()
    assert matrix.sum(axis=0) == pytest.approx(np.ones(len(matrix)))  # the mean is kept
    for cluster in found.decisions.clusters:
        rows = [int(device[1:]) for device in cluster.members]
        part = matrix[np.ix_(rows, rows)]
        assert part.sum(axis=1) == pytest.approx(np.ones(len(rows)))  # nothing crosses clusters
        distance = np.abs(np.linalg.eigvalsh(part - 1.0 / len(rows))).max()
        assert distance <= ACCURACY


def test_rounds_of_the_cloud_average_as_without_consensus(found: Plan, paper: Instance) -> None:
    gathered = plan(paper, "hierarchical+d2d:4").plan
    assert gathered is not None
    cloud = {}
    for name, each in (("consensus", found), ("gathered", gathered)):
        schedule = each.compile(4)
        kind = next(kind for kind in schedule.kinds if kind.name == "cloud")
        cloud[name] = mixings(schedule, kind)["head-read"].matrix()
    assert (cloud["consensus"] == cloud["gathered"]).all()


@pytest.mark.parametrize(
    ("duplex", "ready_s", "expected_s"),
    [
        ("full", (0.0, 0.0, 0.0), 2.0),  # all four ways side by side, 1 s a sweep
        ("full", (0.0, 3.0, 1.0), 5.0),  # b sends from 3 s to 4 s, then one more sweep
        ("half", (0.0, 0.0, 0.0), 8.0),  # the radio of b takes the four ways one after another
        ("half", (0.0, 3.0, 1.0), 9.0),  # a -> b 0 to 1 s, c -> b to 2 s, b -> a, b -> c 3 to 5 s; then 4 s
    ],
)
def test_two_sweeps_on_a_line_take_what_is_worked_out_by_hand(
    make_instance: Callable[..., Instance], duplex: str, ready_s: tuple[float, ...], expected_s: float
) -> None:
    plain = resolve_network(make_instance(3), duplex)
    a, b, c = plain.members["s0"]
    bits = plain.update_bits("adapter")
    pairs = ((a, b), (b, a), (b, c), (c, b))
    edges = {pair: WirelessEdge(*pair, "d2d-s0", 1e-9 * bits, 1e-9) for pair in pairs}  # SNR 1 at 1 W
    network = replace(plain, edges={**plain.edges, **edges})
    line = tuple(Neighbours(first=x, second=b, weight=0.25) for x in (a, c))
    consensus = Consensus(
        sweeps=2,
        exchanges=tuple(Hop(source=x, target=y, band_hz=bits, power_w=1.0) for x, y in pairs),
        mixings=(Mixing(modules=("adapter",), nodes=(a, b, c), neighbours=line),),
    )
    phase = Phase(network, Ledger(), "s0", "edge")
    ready = dict(zip((a, b, c), ready_s, strict=True))
    mixed = phase.mix(consensus, Kind("edge", frozenset()), ready, frozenset())
    assert mixed == pytest.approx(dict.fromkeys((a, b, c), expected_s), rel=1e-12)
    assert phase.mix(consensus, Kind("cloud", frozenset({"adapter"})), ready, frozenset()) == ready


def broken(found: Plan, make: Callable[[Consensus], dict[str, Any]]) -> list[str]:
    consensus = found.decisions.clusters[0].consensus
    assert consensus is not None
    return [str(violation) for violation in with_consensus(found, **make(consensus)).violations]


def test_what_is_wrong_with_a_consensus_is_named(found: Plan) -> None:
    def first_pair(consensus: Consensus, **changes: Any) -> dict[str, Any]:
        mixing = consensus.mixings[0]
        pairs = (mixing.neighbours[0].model_copy(update=changes), *mixing.neighbours[1:])
        return {"mixings": (mixing.model_copy(update={"neighbours": pairs}), *consensus.mixings[1:])}

    cases: list[tuple[Callable[[Consensus], dict[str, Any]], str]] = [
        (lambda c: {"exchanges": c.exchanges[1:]}, "mixes with .*, but no exchange brings its model"),
        (lambda c: {"exchanges": (*c.exchanges, c.exchanges[0])}, "has 2 exchanges .*, must have one"),
        (lambda c: {"mixings": c.mixings[1:]}, "mixes 'adapter' on 'd0' 0 times, must mix it once"),
        (lambda c: {"mixings": (*c.mixings, c.mixings[0])}, "mixes 'adapter' on 'd0' 2 times"),
        (lambda c: first_pair(c, weight=0.9), "weights of 'd1'"),
        (lambda c: first_pair(c, second="d9"), "must be two of its nodes"),
        (lambda c: first_pair(c, second=c.mixings[0].neighbours[0].first), "a pair that occurs once"),
    ]
    for make, message in cases:
        lines = broken(found, make)
        assert any(re.search(message, line) for line in lines), (message, lines)


def test_models_that_are_mixed_travel_as_they_are(paper: Instance) -> None:
    result = plan(paper, "consensus:2", transport_bits=4)
    assert result.plan is None
    assert "mixes 'adapter', which travels with 4 bits, must be 32" in result.explanation


def test_a_module_that_only_some_train_is_mixed_among_them(paper: Instance) -> None:
    network = resolve_network(paper, "as given")
    members = network.members["s0"]
    for mixing in consensus_of(network, members).mixings:
        for module in mixing.modules:
            assert all(module in network.trained_on[node] for node in mixing.nodes)


def test_members_learn_nearly_the_same_model(found: Plan) -> None:
    pytest.importorskip("torch", reason="training needs torch")
    from fl_runtime.learn import learn

    schedule = found.compile(1)
    quick = replace(schedule, training=replace(schedule.training, local_steps=1))
    state = learn(quick).state["adapter"]
    for cluster in found.decisions.clusters:
        rows = state[[int(device[1:]) for device in cluster.members]]
        alike, mean = np.abs(rows - rows.mean(axis=0)).max(), np.abs(rows.mean(axis=0)).max()
        assert 0 < alike < 0.1 * mean
