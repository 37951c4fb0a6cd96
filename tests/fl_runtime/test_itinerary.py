from dataclasses import replace

from fl_runtime.itinerary import is_mixed, itinerary
from fl_runtime.schedule import Mix, RoundKind


def ways_of(worlds, steps, weights):
    schedule = worlds.schedule({"r": steps}, weights, 4)
    return itinerary(schedule, schedule.kinds[0], "m")


def test_ways_up_name_the_nodes_that_merge(worlds):
    steps = worlds.Steps(4, 4).up("d1", "d2").merge("d2").up("d2", "e").merge("e").up("e", "c").average("c")
    gathering = ways_of(worlds, steps, {"d1": 1.0, "d2": 1.0}).gathering_of["update d1: d1 > d2"]
    assert gathering.averagers == {"c"}
    assert gathering.ways == {"d1": ("d2", "e", "c"), "d2": ("e", "c")}
    assert gathering.packed


def test_who_only_passes_on_is_not_on_the_way(worlds):
    steps = worlds.Steps(4, 32).up("d1", "d2").up("d2", "e", origin="d1").up("d2", "e").average("e")
    gathering = ways_of(worlds, steps, {"d1": 1.0, "d2": 1.0}).gathering_of["average e"]
    assert gathering.ways == {"d1": ("e",), "d2": ("e",)}
    assert not gathering.packed


def test_averages_with_a_step_in_common_are_one_gathering_and_others_are_not(worlds):
    steps = worlds.Steps(4, 4).up("d1", "e").average("e").up("e", "c").average("c").up("d2", "f").average("f")
    found = ways_of(worlds, steps, {"d1": 1.0, "d2": 1.0}).gathering_of
    assert found["average e"] is found["average c"]
    assert found["average e"].averagers == {"e", "c"}
    assert found["average f"].averagers == {"f"}
    assert found["average f"].ways == {"d2": ("f",)}


def test_an_update_that_goes_two_ways_is_said_to_branch(worlds):
    steps = worlds.Steps(4, 4).up("d1", "r").merge("r").up("r", "e").up("r", "f").average("e").average("f")
    found = ways_of(worlds, steps, {"d1": 1.0}).gathering_of
    assert found["average e"] is found["average f"]
    assert found["average e"].branches
    steps = worlds.Steps(4, 4).up("d1", "e").average("e").up("e", "c").average("c")
    gathering = ways_of(worlds, steps, {"d1": 1.0}).gathering_of["average e"]
    assert not gathering.branches  # the second average is further on the same way
    assert gathering.ways == {"d1": ("e", "c")}


def test_codes_reach_all_that_they_are_passed_to_until_they_are_made_anew(worlds):
    steps = (
        worlds.Steps(4, 4).up("d1", "c").average("c").down("c", "e").down("e", "d1").down("c", "f", bits=8)
    )
    steps.down("f", "d2").down("e", "d3", bits=32)
    found = ways_of(worlds, steps, {"d1": 1.0, "d2": 1.0, "d3": 1.0})
    assert found.receivers_of == {
        "model c: c > e": {"e", "d1"},
        "model e: e > d1": {"e", "d1"},  # the same codes
        "model c: c > f": {"f"},  # with 8 bits
        "model f: f > d2": {"d2"},  # with 4 bits, made by f
    }
    assert found.sources_of == {
        "c": {"c"}, "e": {"c"}, "d1": {"c"}, "f": {"c", "f"}, "d2": {"f"}, "d3": {"c"},
    }  # fmt: skip


def test_activations_are_no_way_of_a_module_and_consensus_is_found(worlds):
    steps = worlds.Steps(4, 32).send("activation", "d1", "e")
    assert ways_of(worlds, steps, {"d1": 1.0}).steps == ()
    mix = Mix(id="mix", nodes=("d1", "d2"), modules=("m",), weights=((0.5, 0.5), (0.5, 0.5)))
    assert is_mixed([RoundKind(name="r", steps=(mix,))], "m")
    assert not is_mixed([RoundKind(name="r", steps=(mix,))], "other")


def tiers_of(worlds, steps, devices=("d1", "d2", "d3")):
    schedule = worlds.schedule({"k": steps}, dict.fromkeys(devices, 1.0), 8)
    ways = itinerary(schedule, schedule.kinds[0], "m")
    return [[step.id for step in tier] for tier in ways.update_tiers], ways


def test_updates_of_all_clusters_leave_in_one_tier(worlds):
    steps = worlds.Steps(8, 4).up("d1", "e1").average("e1").up("d2", "e2").up("d3", "e2").average("e2")
    steps.up("e1", "cloud").up("e2", "cloud").average("cloud").down("cloud", "d1").deliver("d1")
    tiers, ways = tiers_of(worlds, steps)
    assert tiers == [
        ["update d1: d1 > e1", "update d2: d2 > e2", "update d3: d3 > e2"],
        ["average e1", "average e2"],
        ["update e1: e1 > cloud", "update e2: e2 > cloud"],
        ["average cloud"],
    ]
    assert ways.first_codes == {"average cloud": "model cloud: cloud > d1"}


def test_what_comes_after_a_merge_is_of_a_later_tier(worlds):
    steps = worlds.Steps(8, 4).up("d1", "d2").merge("d2").up("d2", "e").up("d3", "d2").up("d3", "e")
    tiers, _ = tiers_of(worlds, steps.average("e"))
    assert tiers[0] == ["update d1: d1 > d2"]
    assert [tier for tier in tiers if "update d3: d3 > d2" in tier] == [["update d3: d3 > d2"]]
    position = {name: place for place, tier in enumerate(tiers) for name in tier}
    assert position["merge d2"] < position["update d2: d2 > e"] < position["update d3: d3 > d2"]
    assert position["update d3: d3 > d2"] < position["update d3: d3 > e"] < position["average e"]


def test_a_model_that_is_coded_twice_is_not_made_ahead(worlds):
    steps = worlds.Steps(8, 4).up("d1", "e").average("e").down("e", "d2").up("d2", "e").average("e")
    steps.steps[-1] = replace(steps.steps[-1], id="again")
    steps.send("model", "e", "d3").deliver("d3")
    assert tiers_of(worlds, steps)[1].first_codes == {}
