"""Rules that the shipped and the generated instances keep."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fl_runtime.activations import activation_bits
from fl_runtime.modules.size import ModelSize
from fl_runtime.schedule import Module, Route, Schedule
from fl_runtime.schedule import Training as RuntimeTraining
from hfedfm_opt.system.generate import campus_instance, city_instance, paper_instance
from hfedfm_opt.system.generate.compact_model import (
    ACTIVATION_BITS,
    ALL_TOKENS,
    INPUT_BITS,
    TOKENS,
    WIDTH,
    compact_modules,
)
from hfedfm_opt.system.instance import Cpu
from hfedfm_opt.system.network import resolve_network
from hfedfm_opt.system.read import instance_text, parse_instance

INSTANCES = Path("instances")
MADE = {
    "campus-0": campus_instance,
    "campus-device-edge": lambda: campus_instance(trained_on=("device", "edge")),
    "campus-5": lambda: campus_instance(seed=5),
    "city-1": lambda: city_instance(1),
    "city-30-2": lambda: city_instance(30, 2),
    "city-7-20": lambda: city_instance(7, 20, seed=1),
    "city-600": lambda: city_instance(600, seed=2),
}


@pytest.mark.parametrize(("name", "make"), [("paper-40", paper_instance), ("campus", campus_instance)])
def test_shipped_file_is_what_the_generator_writes(name, make):
    assert (INSTANCES / f"{name}.json").read_text(encoding="utf-8") == instance_text(make())


@pytest.mark.parametrize("name", MADE)
def test_generated_instance_is_valid_and_survives_its_file(name):
    instance = MADE[name]()
    assert parse_instance(instance_text(instance)) == instance


@pytest.mark.parametrize("name", MADE)
def test_same_arguments_give_the_same_instance(name):
    assert MADE[name]() == MADE[name]()


def test_seeds_give_other_instances():
    assert campus_instance(0).nodes != campus_instance(1).nodes
    assert city_instance(30, seed=0).nodes != city_instance(30, seed=1).nodes


def test_campus_parents_are_the_servers_with_the_largest_gain():
    network = resolve_network(campus_instance())
    for device in network.devices:
        gains = {
            target: edge.gain
            for (source, target), edge in network.edges.items()
            if source == device and target.startswith("s")
        }
        assert len(gains) >= 2
        assert max(gains, key=gains.__getitem__) == network.parent(device)


def test_campus_links_to_servers_exist_both_ways_with_one_gain():
    network = resolve_network(campus_instance())
    up = {pair: edge for pair, edge in network.edges.items() if pair[0][0] == "d" and pair[1][0] == "s"}
    assert up
    for (device, server), edge in up.items():
        down = network.edges[server, device]
        assert down.gain == edge.gain
        assert down.noise_w_per_hz == pytest.approx(edge.noise_w_per_hz * 10**0.4)  # 9 dB against 5 dB


def test_campus_memory_bites_but_leaves_room_for_what_is_trained():
    instance = campus_instance()
    modules = {module.id: module for module in instance.modules}
    movable = sum(module.memory_bytes for module in instance.modules if module.may_run_on)
    core = sum(modules[name].memory_bytes for name in ("backbone", "expert-0", "expert-1"))
    by_tier = {tier: [node for node in instance.nodes if node.tier == tier] for tier in instance.tiers}

    assert all(node.memory_bytes < movable for node in by_tier["edge"])
    assert any(node.memory_bytes > core for node in by_tier["edge"])
    assert 0 < sum(node.memory_bytes < core for node in by_tier["device"]) < len(by_tier["device"])
    assert by_tier["cloud"][0].memory_bytes is None
    own = {module.id for module in instance.modules if not module.may_run_on}
    for device in by_tier["device"]:
        used = {
            name
            for data in device.data
            for task in instance.tasks
            if task.id == data.task
            for name in task.modules
        }
        assert sum(modules[name].memory_bytes for name in used & own) <= device.memory_bytes


def test_campus_devices_differ():
    devices = [node for node in campus_instance().nodes if node.tier == "device"]
    assert all(isinstance(node.processor, Cpu) for node in devices)
    assert len({node.processor.max_frequency_hz for node in devices}) >= 4
    assert len({node.modalities for node in devices}) == 3
    assert len({tuple(data.task for data in node.data) for node in devices}) >= 4
    assert len(resolve_network(campus_instance()).members) == 4


def test_campus_has_every_kind_of_module_and_trains_adapters_and_heads_only():
    modules = campus_instance().modules
    assert {module.kind for module in modules} == {
        "encoder",
        "prompt",
        "backbone",
        "expert",
        "adapter",
        "head",
    }
    assert {module.kind for module in modules if module.trainable} == {"adapter", "head"}
    assert Counter(module.expert_group for module in modules)["experts"] == 4


def test_backbone_work_is_that_of_its_matrix_products():
    backbone = next(module for module in compact_modules() if module.id == "backbone")
    tokens, width = 122, 384
    per_block = (
        2 * tokens * 12 * width**2 + 2 * 2 * tokens**2 * width
    )  # projections; scores and weighted sums
    assert backbone.forward_flops_per_sample == 12 * per_block
    assert backbone.parameters == 12 * (12 * width**2 + 13 * width) + 2 * width


def test_activations_are_the_mean_of_input_and_output():
    module_of = {module.id: module for module in compact_modules()}
    image_bits, image_tokens = 224 * 224 * 3 * 8, 49 * 384 * 16
    assert module_of["backbone"].activation_bits_per_sample == 122 * 384 * 16
    assert module_of["encoder-image"].activation_bits_per_sample == (image_bits + image_tokens) / 2


@pytest.mark.parametrize(("devices", "edges"), [(1, None), (30, 2), (7, 20), (600, None)])
def test_city_has_the_size_asked(devices, edges):
    tiers = Counter(node.tier for node in city_instance(devices, edges).nodes)
    assert tiers == {"cloud": 1, "edge": -(-devices // 6) if edges is None else edges, "device": devices}


def test_city_devices_reach_their_own_server_and_at_most_three():
    network = resolve_network(city_instance(600, 40))
    servers_of = {device: set() for device in network.devices}
    for source, target in network.edges:
        if source in servers_of and target.startswith("s"):
            servers_of[source].add(target)
    assert all(network.parent(device) in found for device, found in servers_of.items())
    assert {len(found) for found in servers_of.values()} <= {1, 2, 3}
    assert max(len(found) for found in servers_of.values()) == 3


def test_city_d2d_links_stay_within_a_cell_and_its_reach():
    instance = city_instance(600, 40)
    network = resolve_network(instance)
    pairs = [(a, b) for a, b in network.edges if a[0] == b[0] == "d"]
    distances = [np.subtract(network.nodes[a].position_m, network.nodes[b].position_m) for a, b in pairs]
    assert len(pairs) > 3 * 600
    assert all(network.parent(a) == network.parent(b) for a, b in pairs)
    assert np.max(np.linalg.norm(distances, axis=1)) <= 40.0


def test_neighbouring_cells_of_a_city_use_other_carriers():
    instance = city_instance(64, 64)  # an 8 x 8 grid, row by row
    carriers = [band.carrier_hz for band in instance.bands if band.id.startswith("cell")]
    grid = np.array(carriers).reshape(8, 8)
    assert len(set(carriers)) == 5
    assert np.all(grid[:, 1:] != grid[:, :-1])
    assert np.all(grid[1:] != grid[:-1])


@pytest.mark.parametrize(("devices", "edges"), [(0, None), (5, 0), (-3, 2)])
def test_city_without_devices_or_servers_is_refused(devices, edges):
    with pytest.raises(ValueError, match="a city needs devices and edge servers, got"):
        city_instance(devices, edges)


def test_campus_may_train_elsewhere_with_bits_for_both_ways():
    modules = {module.id: module for module in campus_instance(trained_on=("device", "edge")).modules}
    plain = {module.id: module for module in campus_instance().modules}
    for name, module in modules.items():
        if not module.trainable:
            assert module == plain[name]
    assert modules["adapter"].may_run_on == ("device", "edge")
    assert modules["adapter"].activation_bits_per_sample == 122 * 384 * 16
    assert modules["head-cmp"].activation_bits_per_sample == (384 + 3) / 2 * 16


def test_activation_bits_of_the_model_are_counted_as_the_engine_s_are():
    """At the same width: per number, what enters and leaves is what the engine's own count has."""
    size = ModelSize(width=WIDTH)
    experts = [
        Module(id=f"x{i}", kind="expert", expert_group="x", update_bits=0.0, trainable=True) for i in (0, 1)
    ]
    gate = Module(id="gate", kind="gate", expert_group="x", update_bits=0.0, trainable=True)
    head = Module(id="head", kind="head", task="read", update_bits=0.0, trainable=True)
    modalities = ("audio", "image", "text")
    encoders = [Module(id=m, kind="encoder", modality=m, update_bits=0.0, trainable=True) for m in modalities]
    modules = (*experts, gate, head, *encoders)
    schedule = Schedule(
        name="count",
        nodes=(),
        bands=(),
        modules=modules,
        replicas=(),
        routes=(),
        kinds=(),
        cycle=(),
        rounds=1,
        training=RuntimeTraining(experts_per_token=1),
    )
    route = Route(
        device="d", task="read", samples=1, modalities=modalities, hosts={m.id: "d" for m in modules}
    )
    counted = activation_bits(schedule, route, 10, size)
    compact = {m.id: m for m in compact_modules(("device", "edge"))}
    numbers = {name: module.activation_bits_per_sample / ACTIVATION_BITS for name, module in compact.items()}
    assert 2 * numbers["head-read"] * 32 == counted["head"].out_bits == counted["head"].back_bits
    all_tokens = 1 + sum(size.tokens_of(modality) for modality in modalities)
    per_token = counted["x0"].out_bits / 2 / 32 / all_tokens  # of two experts each gets half of the tokens
    assert numbers["expert-0"] / ALL_TOKENS == per_token
    assert numbers["adapter"] / ALL_TOKENS == numbers["backbone"] / ALL_TOKENS == WIDTH
    for modality in modalities:
        made = 32 * size.tokens_of(modality) * WIDTH
        assert counted[modality].out_bits == 32 * size.num_inputs(modality) + made
        assert counted[modality].back_bits == made
        both = 2 * numbers[f"encoder-{modality}"] * ACTIVATION_BITS
        assert both == INPUT_BITS[modality] + TOKENS[modality] * WIDTH * ACTIVATION_BITS
