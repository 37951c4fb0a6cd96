import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfedfm_opt.system.instance import Band, ChannelModel, Node, WirelessGroup
from hfedfm_opt.system.propagation import links_of_group

BANDS = {"b": Band(id="b", band_hz=1e6, carrier_hz=3.5e9), "plain": Band(id="plain", band_hz=1e6)}


def node(name, x, y=0.0, z=1.5, tier="device"):
    modalities = ("text",) if tier == "device" else ()
    return Node(id=name, tier=tier, position_m=(x, y, z), modalities=modalities)


def links(nodes, sources, targets, *, band="b", both_ways=False, reach=None, **channel):
    group = WirelessGroup(
        sources=tuple(sources),
        targets=tuple(targets),
        band=band,
        channel=ChannelModel(**channel),
        both_ways=both_ways,
        max_distance_m=reach,
    )
    senders, receivers, gains = links_of_group(group, {n.id: n for n in nodes}, BANDS)
    assert len(set(zip(senders, receivers, strict=True))) == len(gains)
    return dict(zip(zip(senders, receivers, strict=True), gains.tolist(), strict=True))


def line(count, step_m=20.0):
    return [node(f"d{index}", index * step_m) for index in range(count)]


def test_gain_is_the_loss_of_the_formula_where_nothing_is_drawn():
    found = links(
        [node("a", 0.0), node("b", 100.0)],
        ["a"],
        ["b"],
        model="exponent",
        reference_loss_db=40.0,
        exponent=2.0,
    )
    assert found == {("a", "b"): pytest.approx(1e-8)}


def test_cellular_gain_uses_the_heights_of_both_ends():
    nodes = [node("d", 0.0), node("s", 100.0, z=10.0, tier="edge")]
    found = links(
        nodes, ["d"], ["s"], model="tr38901-umi", line_of_sight="always", shadowing=False, both_ways=True
    )
    loss = 32.4 + 21 * np.log10(np.hypot(100.0, 8.5)) + 20 * np.log10(3.5)
    assert found["d", "s"] == found["s", "d"] == pytest.approx(10 ** (-loss / 10))


def test_heights_of_zero_stand_for_the_models_own():
    given_ = [node("d", 0.0), node("s", 300.0, z=25.0, tier="edge")]
    blank = [node("d", 0.0, z=0.0), node("s", 300.0, z=0.0, tier="edge")]
    first, second = (links(nodes, ["d"], ["s"], model="tr38901-uma") for nodes in (given_, blank))
    assert first == second


def test_lines_of_sight_are_fixed_on_request():
    nodes = line(2, 300.0)
    clear, blocked = (
        links(nodes, ["d0"], ["d1"], model="tr36843-d2d", line_of_sight=state, shadowing=False)["d0", "d1"]
        for state in ("always", "never")
    )
    assert clear > 10 * blocked


@pytest.mark.parametrize("model", ["tr38901-umi", "tr36843-d2d", "exponent"])
def test_nodes_at_one_place_have_a_finite_gain(model):
    found = links([node("a", 5.0), node("b", 5.0)], ["a"], ["b"], model=model, shadowing=False)
    assert 0.0 < found["a", "b"] < 1.0


def test_links_beyond_reach_are_left_out():
    found = links(line(4), ["d0"], ["d1", "d2", "d3"], reach=40.0, model="exponent")
    assert list(found) == [("d0", "d1"), ("d0", "d2")]


def test_a_group_of_one_set_links_all_ordered_pairs_once():
    names = ["d0", "d1", "d2"]
    one_way = links(line(3), names, names, model="tr36843-d2d")
    both = links(line(3), names, names, model="tr36843-d2d", both_ways=True)
    assert one_way == both
    assert len(one_way) == 6


def test_a_group_of_one_node_has_no_links():
    assert links(line(1), ["d0"], ["d0"], model="tr36843-d2d") == {}


@given(order=st.permutations(range(6)), dropped=st.integers(0, 4))
@settings(deadline=None, derandomize=True, max_examples=30)
def test_draws_of_a_pair_depend_on_no_other_pair_and_on_no_order(order, dropped):
    nodes = line(6)
    names = [f"d{index}" for index in range(6)]
    everything = links(nodes, names, names, model="tr36843-d2d", seed=3)

    chosen = [names[index] for index in order][: 6 - dropped]
    some = links(nodes[::-1], chosen, chosen[:1], model="tr36843-d2d", seed=3, both_ways=True)

    assert some == {pair: everything[pair] for pair in some}


def test_both_directions_have_the_same_gain_even_in_different_groups():
    nodes = line(5)
    up = links(nodes, ["d0", "d1"], ["d2", "d3", "d4"], model="tr36843-d2d")
    down = links(nodes, ["d4", "d3", "d2"], ["d1", "d0"], model="tr36843-d2d")
    assert up == {(source, target): down[target, source] for source, target in up}


def test_seeds_give_other_draws():
    first, second = (links(line(2), ["d0"], ["d1"], model="tr36843-d2d", seed=seed) for seed in (0, 1))
    assert first != second


def test_shadowing_is_normal_with_the_stated_deviation_and_independent_between_pairs():
    nodes = [node("s", 0.0, z=10.0, tier="edge")]
    angles = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    nodes += [node(f"d{i}", 100 * np.cos(a), 100 * np.sin(a)) for i, a in enumerate(angles)]
    names = [n.id for n in nodes[1:]]
    settings_ = {"model": "tr38901-umi", "line_of_sight": "never"}
    plain = links(nodes, names, ["s"], shadowing=False, **settings_)
    drawn = links(nodes, names, ["s"], **settings_)

    shadow = 10 * np.log10(np.array(list(drawn.values())) / np.array(list(plain.values()))) / 7.82

    assert abs(shadow.mean()) < 4 / np.sqrt(20_000)
    assert shadow.std() == pytest.approx(1.0, abs=0.02)
    assert np.mean(np.abs(shadow) < 1.0) == pytest.approx(0.6827, abs=0.013)
    assert abs(np.corrcoef(shadow[:-1], shadow[1:])[0, 1]) < 4 / np.sqrt(20_000)


def test_lines_of_sight_are_as_frequent_as_the_model_says():
    nodes = [node("s", 0.0, z=1.5, tier="edge")]
    angles = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    nodes += [node(f"d{i}", 36 * np.cos(a), 36 * np.sin(a)) for i, a in enumerate(angles)]
    names = [n.id for n in nodes[1:]]
    clear = links(nodes, names[:1], ["s"], model="tr38901-umi", line_of_sight="always", shadowing=False)
    found = links(nodes, names, ["s"], model="tr38901-umi", shadowing=False)

    share = np.mean(np.isclose(list(found.values()), clear["d0", "s"], rtol=1e-9, atol=0))

    assert share == pytest.approx(0.5 + 0.5 * np.exp(-1), abs=0.013)  # four standard errors


def test_blocks_of_a_large_group_give_the_links_of_the_whole(monkeypatch):
    names = [f"d{index}" for index in range(7)]
    whole = links(line(7), names, names, model="tr36843-d2d", reach=70.0)
    monkeypatch.setattr("hfedfm_opt.system.propagation._PAIRS_PER_BLOCK", 10)
    assert links(line(7), names, names, model="tr36843-d2d", reach=70.0) == whole


def test_missing_position_is_named():
    with pytest.raises(ValueError, match=r"node 'x': position_m is missing"):
        links([Node(id="x", tier="device"), node("d", 0.0)], ["x"], ["d"], model="exponent")


def test_missing_carrier_is_named_where_the_model_needs_one():
    assert links(line(2), ["d0"], ["d1"], band="plain", model="macro")
    with pytest.raises(ValueError, match=r"band 'plain': carrier_hz is missing, 'tr36843-d2d' needs it"):
        links(line(2), ["d0"], ["d1"], band="plain", model="tr36843-d2d")
