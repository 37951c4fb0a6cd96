"""What ``hfedfm export`` writes says what the plan says."""

import csv
import json

import jsonschema
import networkx as nx
import pytest

from fl_runtime import Transfer, Wireless, play, read_schedule
from hfedfm_opt import plan, write_instance, write_plan
from hfedfm_opt.planning.graphs import network_graph, trees_graph
from hfedfm_opt.system.generate.city import city_instance


@pytest.fixture(scope="module")
def plans():
    city = city_instance(6, 2)
    return {name: plan(city, planner=name).plan for name in ("hierarchical+d2d:2", "consensus:2", "star")}


@pytest.fixture
def exported(hfedfm, plans, tmp_path):
    found = plans["hierarchical+d2d:2"]
    write_instance(found.instance, tmp_path / "city.json")
    write_plan(found, tmp_path / "plan.json", tmp_path / "city.json")
    status, _, errors = hfedfm("export", tmp_path / "plan.json", "--rounds", 5, "-o", tmp_path / "out")
    assert (status, errors) == (0, [])
    return tmp_path / "out"


def test_the_schedule_is_that_of_the_plan(exported, plans):
    assert read_schedule(exported / "schedule.json") == plans["hierarchical+d2d:2"].compile(5)


def test_plan_and_schedule_keep_their_schemas(exported):
    for name, content in (("plan", exported.parent / "plan.json"), ("schedule", exported / "schedule.json")):
        schema = json.loads((exported / f"{name}.schema.json").read_text())
        jsonschema.validate(json.loads(content.read_text()), schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({}, schema)


def test_each_transfer_has_a_line_with_the_time_that_the_clock_gives_it(exported, plans):
    schedule = plans["hierarchical+d2d:2"].compile(2)
    with (exported / "transfers.csv").open() as stream:
        lines = {(line["kind"], line["transfer"]): line for line in csv.DictReader(stream)}
    timeline = play(schedule)
    clock = {
        (schedule.cycle[index], step): (end - start, bits)
        for index, step, action, start, end, bits in zip(
            timeline.round,
            timeline.step,
            timeline.action,
            timeline.start_s,
            timeline.end_s,
            timeline.bits,
            strict=True,
        )
        if action == "transfer"
    }

    assert lines.keys() == clock.keys()
    for key, (seconds, bits) in clock.items():
        assert float(lines[key]["alone_s"]) == pytest.approx(seconds, rel=1e-9, abs=1e-9)
        assert float(lines[key]["bits"]) == bits
    steps = [step for kind in schedule.kinds for step in kind.steps if isinstance(step, Transfer)]
    wireless = {step.id for step in steps if isinstance(step.medium, Wireless)}
    assert wireless
    assert {line["transfer"] for line in lines.values() if line["band"]} == wireless


def test_graphml_comes_back_as_it_was(exported, plans):
    found = plans["hierarchical+d2d:2"]
    network = nx.read_graphml(exported / "network.graphml")
    trees = nx.read_graphml(exported / "trees.graphml")

    for read, written in ((network, network_graph(found.network)), (trees, trees_graph(found))):
        assert dict(read.nodes(data=True)) == dict(written.nodes(data=True))
        assert sorted(map(_plain, read.edges(data=True))) == sorted(map(_plain, written.edges(data=True)))
    assert set(network) == {node.id for node in found.instance.nodes}
    assert set(network.edges) == set(found.network.edges)


def _plain(edge):
    source, target, figures = edge
    return source, target, sorted((name, str(value)) for name, value in figures.items() if name != "id")


def test_trees_lead_to_the_aggregator_and_the_cloud(plans):
    found = plans["hierarchical+d2d:2"]
    trees = trees_graph(found)
    for cluster in found.decisions.clusters:
        inside = nx.DiGraph(
            (source, target)
            for source, target, hop in trees.edges(data=True)
            if hop["role"] == "gather" and hop["cluster"] == cluster.id
        )
        inside.add_node(cluster.aggregator)
        assert nx.is_arborescence(inside.reverse())
        assert cluster.id in trees.nodes[cluster.aggregator]["aggregates"].split()
    backhaul = nx.DiGraph((s, t) for s, t, hop in trees.edges(data=True) if hop["role"] == "backhaul up")
    assert all(nx.has_path(backhaul, node, found.network.root) for node in backhaul)


def test_consensus_has_exchanges_and_no_aggregator(plans):
    trees = trees_graph(plans["consensus:2"])
    roles = {hop["role"] for *_, hop in trees.edges(data=True)}

    assert "exchange" in roles
    assert not any("aggregates" in node for _, node in trees.nodes(data=True))
