import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl_runtime import physics

SETTINGS = settings(deadline=None, derandomize=True, max_examples=60)
POSITIVE = st.floats(1e-6, 1e6)


def test_shannon_rate_is_the_bandwidth_at_a_signal_to_noise_ratio_of_one():
    assert physics.shannon_rate_bps(2e6, power_w=0.5, gain=4e-9, noise_w_per_hz=1e-15) == pytest.approx(2e6)


def test_shannon_rate_keeps_its_digits_at_a_tiny_signal():
    rate = physics.shannon_rate_bps(1e6, power_w=1e-12, gain=1e-12, noise_w_per_hz=1e-18)
    assert rate == pytest.approx(1e-24 / 1e-18 / math.log(2), rel=1e-9)


def test_no_bandwidth_carries_nothing():
    assert physics.shannon_rate_bps(0.0, 1.0, 1.0, 1e-9) == 0.0


def test_transfer_takes_delay_and_bits_over_rate():
    assert physics.transfer_seconds(3e6, 1e6, delay_s=0.25) == 3.25


def test_no_bits_take_only_the_delay_even_without_a_rate():
    assert physics.transfer_seconds(0.0, 0.0, delay_s=0.25) == 0.25


def test_bits_without_a_rate_never_arrive():
    assert physics.transfer_seconds(1.0, 0.0) == math.inf


def test_sender_pays_amplifier_and_circuit():
    assert physics.sender_joules(2.0, power_w=0.3, efficiency=0.5, circuit_power_w=0.1) == pytest.approx(1.4)


def test_receiver_and_wire_pay_power_times_seconds():
    assert physics.receiver_joules(2.0, 0.2) == 0.4
    assert physics.wired_joules(2.0, 5.0) == 10.0


def test_cpu_seconds_and_joules_by_hand():
    cycles = physics.cycles_of(8e9, flops_per_cycle=4.0)
    assert cycles == 2e9
    assert physics.compute_seconds(cycles, 1e9) == 2.0
    assert physics.compute_joules(cycles, 1e9, 1e-28) == pytest.approx(0.2)


def test_reserved_share_slows_the_work_and_keeps_its_energy():
    seconds = physics.reserved_compute_seconds(1e12, flops_per_s=1e12, share=0.25)
    assert seconds == 4.0
    assert physics.reserved_compute_joules(seconds, power_w=100.0, share=0.25) == 100.0


@SETTINGS
@given(band_hz=POSITIVE, power_w=POSITIVE, gain=POSITIVE, noise=POSITIVE, factor=st.floats(1.01, 100.0))
def test_rate_grows_with_band_and_with_power(band_hz, power_w, gain, noise, factor):
    rate = physics.shannon_rate_bps(band_hz, power_w, gain, noise)
    assert physics.shannon_rate_bps(band_hz * factor, power_w, gain, noise) >= rate * (1 - 1e-12)
    assert physics.shannon_rate_bps(band_hz, power_w * factor, gain, noise) > rate


@SETTINGS
@given(flops=POSITIVE, speed=POSITIVE, power_w=POSITIVE, share=st.floats(0.01, 1.0))
def test_energy_of_reserved_work_does_not_depend_on_the_share(flops, speed, power_w, share):
    whole = physics.reserved_compute_joules(physics.reserved_compute_seconds(flops, speed), power_w)
    part = physics.reserved_compute_joules(
        physics.reserved_compute_seconds(flops, speed, share), power_w, share
    )
    assert part == pytest.approx(whole, rel=1e-12)
