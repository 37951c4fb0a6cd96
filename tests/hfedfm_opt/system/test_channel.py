import json
import math
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfedfm_opt.system.channel import LargeScaleModel, model_named
from hfedfm_opt.system.instance import ChannelModel
from hfedfm_opt.system.path_loss import Paths, rma_los_loss_db

GOLDEN = Path("../shared/data/pathloss_golden.json")
needs_golden = pytest.mark.skipif(not GOLDEN.exists(), reason="pathloss_golden.json is absent")
MODELS = get_args(ChannelModel.model_fields["model"].annotation)
CARRIERS_HZ = {"tr36843-d2d": (0.7e9, 1.8e9, 2e9, 5.9e9), "macro": (2e9,), "tr37885-highway": (5.9e9, 63e9)}


def paths(distance_2d_m, base_m=10.0, terminal_m=1.5) -> Paths:
    d = np.atleast_1d(np.asarray(distance_2d_m, dtype=float))
    return Paths(d, np.hypot(d, base_m - terminal_m), np.full_like(d, base_m), np.full_like(d, terminal_m))


def own_heights(model: LargeScaleModel, distance_2d_m) -> Paths:
    return paths(distance_2d_m, model.base_height_m, model.terminal_height_m)


@needs_golden
@pytest.mark.parametrize(("name", "base_m"), [("UMa", 25.0), ("UMi", 10.0)])
def test_cellular_losses_equal_the_check_values(name, base_m):
    table = json.loads(GOLDEN.read_text())["formula_values_c=3e8_fc=3.5GHz"]
    rows = next(rows for title, rows in table.items() if title.startswith(name))
    model = model_named(f"tr38901-{name.lower()}")
    where = paths([float(distance) for distance in rows], base_m)

    losses = np.stack([model.los_loss_db(where, 3.5e9), model.nlos_loss_db(where, 3.5e9)], axis=1)

    np.testing.assert_allclose(losses, list(rows.values()), rtol=0, atol=5.1e-5)  # four decimals are given


@needs_golden
def test_rural_loss_equals_the_published_example():
    example = json.loads(GOLDEN.read_text())["matlab_nrPathLoss_doc_example"]
    distance = math.hypot(*np.subtract(example["ue"][:2], example["bs"][:2]))

    loss = rma_los_loss_db(paths(distance, example["bs"][2], example["ue"][2]), 3.5e9, example["h_building"])

    assert loss[0] == pytest.approx(example["expected_dB"], abs=5e-5)


def test_rural_loss_is_continuous_at_its_breakpoint():
    breakpoint_m = 2 * math.pi * 30.0 * 1.5 * 3.5e9 / 3e8
    near, far = rma_los_loss_db(paths([breakpoint_m - 1e-3, breakpoint_m + 1e-3], 30.0), 3.5e9)
    assert far == pytest.approx(near, abs=1e-2)  # 2-D against 3-D distance leaves 2e-3 dB


@pytest.mark.parametrize(
    ("name", "distance_m", "carrier_hz", "los_db", "nlos_db"),
    [
        ("tr38901-inf-sl", 100.0, 1e9, 31.84 + 43.0, 33.0 + 51.0),
        ("tr38901-inf-dl", 100.0, 1e9, 31.84 + 43.0, 18.6 + 71.4),
        ("tr38901-inf-dl", 10.0, 1e9, 31.84 + 21.5, 33.0 + 25.5),  # SL is the larger one here
        ("tr38901-inf-sh", 100.0, 10e9, 31.84 + 43.0 + 19.0, 32.4 + 46.0 + 20.0),
        ("tr38901-inf-dh", 100.0, 10e9, 31.84 + 43.0 + 19.0, 33.63 + 43.8 + 20.0),
        ("tr37885-highway", 100.0, 10e9, 32.4 + 40.0 + 20.0, 36.85 + 60.0 + 18.9),
        ("tr37885-urban", 100.0, 10e9, 38.77 + 33.4 + 18.2, 36.85 + 60.0 + 18.9),
        ("macro", 1000.0, 2e9, 128.1, 128.1),
        ("macro", 100.0, 2e9, 128.1 - 37.6, 128.1 - 37.6),
        ("exponent", 100.0, 2e9, 90.0, 90.0),
    ],
)
def test_losses_equal_values_worked_by_hand(name, distance_m, carrier_hz, los_db, nlos_db):
    model = model_named(name)
    where = paths(distance_m, 1.5)  # equal heights: the 3-D distance is the horizontal one

    assert model.los_loss_db(where, carrier_hz)[0] == pytest.approx(los_db, abs=1e-9)
    assert model.nlos_loss_db(where, carrier_hz)[0] == pytest.approx(nlos_db, abs=1e-9)


def test_d2d_losses_at_2_ghz_equal_values_worked_by_hand():
    model = model_named("tr36843-d2d")
    # breakpoint 4 * 0.64 * 2e9 / 3e8 = 17.07 m; lg 2 = 0.30103, lg 0.8 = -0.09691, lg 1.5 = 0.17609
    free_space = 46.4 + 20.0 + 20 * math.log10(0.4)  # larger than 27 + 22.7 + 6.02 at 10 m
    beyond = 7.56 + 80.0 - 34.6 * math.log10(0.8) + 2.7 * math.log10(2.0)
    blocked = (
        (44.9 - 6.55 * math.log10(1.5)) * 2 + 5.83 * math.log10(1.5) + 14.78 + 34.97 * math.log10(2.0) - 5
    )

    clear = model.los_loss_db(paths([10.0, 100.0], 1.5), 2e9)

    np.testing.assert_allclose(clear, [free_space, beyond], atol=1e-9)
    assert model.nlos_loss_db(paths(100.0, 1.5), 2e9)[0] == pytest.approx(blocked, abs=1e-9)


@pytest.mark.parametrize("carrier_hz", [1.5e9, 2e9])
def test_d2d_loss_hardly_jumps_where_its_carrier_formula_changes(carrier_hz):
    below, above = (
        model_named("tr36843-d2d").nlos_loss_db(paths(100.0, 1.5), carrier_hz * factor)[0]
        for factor in (1 - 1e-9, 1 + 1e-9)
    )
    assert above == pytest.approx(below, abs=0.01)


def test_d2d_loss_at_700_mhz_uses_the_public_safety_formula():
    blocked = (
        (44.9 - 6.55 * math.log10(1.5)) * 2 + 5.83 * math.log10(1.5) + 16.33 + 26.16 * math.log10(0.7) - 5
    )
    assert model_named("tr36843-d2d").nlos_loss_db(paths(100.0, 1.5), 0.7e9)[0] == pytest.approx(blocked)


@pytest.mark.parametrize(
    ("name", "base_m", "jump_db"), [("tr38901-uma", 25.0, 0.05), ("tr38901-umi", 10.0, 0.05)]
)
def test_cellular_loss_is_continuous_at_its_breakpoint(name, base_m, jump_db):
    breakpoint_m = 4 * (base_m - 1) * 0.5 * 3.5e9 / 3e8
    near, far = model_named(name).los_loss_db(
        paths([breakpoint_m - 1e-6, breakpoint_m + 1e-6], base_m), 3.5e9
    )
    assert far == pytest.approx(near, abs=jump_db)


@pytest.mark.parametrize(
    ("name", "distance_m", "probability"),
    [
        ("tr38901-umi", 18.0, 1.0),
        ("tr38901-umi", 36.0, 0.5 + 0.5 * math.exp(-1)),
        ("tr38901-uma", 63.0, 18 / 63 + math.exp(-1) * 45 / 63),
        ("tr36843-d2d", 72.0, 0.25 + 0.75 * math.exp(-2)),
        ("tr38901-inf-sl", 10.0, 0.8),  # k = -10 / ln 0.8
        ("tr38901-inf-dl", 2.0, 0.4),  # k = -2 / ln 0.4
        ("tr38901-inf-sh", 130.0, 0.8),  # k thirteenfold: (8 - 1.5) / (2 - 1.5)
        ("tr38901-inf-dh", 2.0 * 6.5 / 4.5, 0.4),  # k times (8 - 1.5) / (6 - 1.5)
        ("tr37885-highway", 10.0, 2.1013e-6 * 100 - 0.02 + 1.0193),
        ("tr37885-highway", 575.0, 0.44),
        ("tr37885-highway", 2000.0, 0.0),
        ("tr37885-urban", 100.0, 1.05 * math.exp(-1.14)),
        ("macro", 500.0, 1.0),
        ("exponent", 500.0, 1.0),
    ],
)
def test_probability_of_line_of_sight_equals_values_worked_by_hand(name, distance_m, probability):
    model = model_named(name)
    assert model.los_probability(own_heights(model, distance_m))[0] == pytest.approx(min(probability, 1.0))


def test_high_terminals_see_macro_stations_more_often():
    model = model_named("tr38901-uma")
    low, high = (model.los_probability(paths(200.0, 25.0, height))[0] for height in (13.0, 23.0))
    assert high == pytest.approx(min(1.0, low * (1 + 1.25 * 8 * math.exp(-200 / 150))))
    assert high > low


@pytest.mark.parametrize(
    ("name", "los_db", "nlos_db"),
    [
        ("tr38901-uma", 4.0, 6.0),
        ("tr38901-umi", 4.0, 7.82),
        ("tr38901-inf-sl", 4.3, 5.7),
        ("tr38901-inf-dl", 4.3, 7.2),
        ("tr38901-inf-sh", 4.3, 5.9),
        ("tr38901-inf-dh", 4.3, 4.0),
        ("tr36843-d2d", 7.0, 7.0),
        ("tr37885-highway", 3.0, 4.0),
        ("tr37885-urban", 3.0, 4.0),
        ("macro", 8.0, 8.0),
        ("exponent", 0.0, 0.0),
    ],
)
def test_shadowing_has_the_standard_deviation_of_the_table(name, los_db, nlos_db):
    assert model_named(name).shadowing_db(np.array([True, False])).tolist() == [los_db, nlos_db]


@pytest.mark.parametrize("name", MODELS)
@given(distance_m=st.floats(10.0, 5000.0), factor=st.floats(1.001, 10.0))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_every_model_keeps_the_laws_of_propagation(name, distance_m, factor):
    model = model_named(name)
    near, far = own_heights(model, distance_m), own_heights(model, distance_m * factor)
    for carrier_hz in CARRIERS_HZ.get(name, (0.7e9, 3.5e9, 28e9)):
        for loss_db in (model.los_loss_db, model.nlos_loss_db):
            assert (
                loss_db(far, carrier_hz)[0] > loss_db(near, carrier_hz)[0] - 0.05
            )  # breakpoints are rounded
        assert model.nlos_loss_db(near, carrier_hz)[0] >= model.los_loss_db(near, carrier_hz)[0]
    here, there = model.los_probability(near)[0], model.los_probability(far)[0]
    assert 0.0 <= there <= here <= 1.0


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("heights_m", [(0.0, 0.0), (0.5, 0.2), (100.0, 99.0)])
def test_every_model_is_finite_at_odd_heights(name, heights_m):
    model, where = model_named(name), paths([2.0, 200.0, 20_000.0], *heights_m)
    for clear in (True, False):
        assert np.all(np.isfinite(model.loss_db(where, 3.5e9, np.full(3, clear))))
    assert np.all((model.los_probability(where) >= 0) & (model.los_probability(where) <= 1))


def test_exponent_takes_its_parameters():
    model = model_named("exponent", reference_loss_db=40.0, exponent=2.5)
    assert model.los_loss_db(paths(10.0, 1.5), 1e9)[0] == pytest.approx(65.0)


def test_unknown_model_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match=r"unknown channel model 'uma': known are tr38901-uma, .*, exponent"):
        model_named("uma")
