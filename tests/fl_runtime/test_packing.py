import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl_runtime.packing import (
    HEAD_BYTES,
    PRECISIONS_BITS,
    Packet,
    PacketError,
    Packets,
    pack,
    packed_bits,
    unpack,
)

BELOW_32 = tuple(bits for bits in PRECISIONS_BITS if bits < 32)


@st.composite
def codes_of_some_bits(draw):
    bits = draw(st.sampled_from(BELOW_32))
    codes = draw(st.lists(st.integers(0, 2**bits - 1), max_size=50))
    return bits, np.array(codes, dtype=np.uint16)


@given(codes_of_some_bits())
def test_unpacking_inverts_packing(drawn):
    bits, codes = drawn
    content = pack(codes, bits)
    assert len(content) == -(-len(codes) * bits // 8)
    assert unpack(content, bits, len(codes)).tolist() == codes.tolist()


@given(
    codes_of_some_bits(),
    st.integers(0, 10**6),
    st.floats(0, 2.0**100, width=32),
    st.floats(0, 2.0**30, width=32),
)
def test_a_packet_comes_out_as_it_went_in_and_takes_the_bits_that_are_counted(
    drawn, reference, scale, weight
):
    bits, codes = drawn
    packet = Packet(bits, reference, scale, weight, codes)
    content = packet.to_bytes()
    back = Packet.from_bytes(content, len(codes))
    assert (back.bits, back.reference, back.scale, back.weight) == (bits, reference % 65536, scale, weight)
    assert back.codes.tolist() == codes.tolist()
    if len(codes):
        assert 8 * len(content) == packed_bits(32.0 * len(codes), bits)


def test_three_codes_of_three_bits_by_hand():
    # 5 = 101, 2 = 010, 7 = 111, lowest bits first: 101 010 111 -> 10101011 1 -> 0b11010101, 0b00000001
    assert pack(np.array([5, 2, 7]), 3) == bytes([0b11010101, 0b00000001])


@pytest.mark.parametrize(
    ("bits", "expected"), [(32, 3200), (16, 96 + 1600), (4, 96 + 400), (3, 96 + 304), (1, 96 + 104)]
)
def test_bits_of_a_hundred_parameters_by_hand(bits, expected):
    assert packed_bits(3200.0, bits) == expected


def test_a_module_that_takes_no_bits_takes_none_packed():
    assert [packed_bits(0.0, bits) for bits in PRECISIONS_BITS] == [0.0] * len(PRECISIONS_BITS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x04", f"a packet has 1 bytes, must have a head of {HEAD_BYTES}"),
        (
            Packet(4, 0, 1.0, 1.0, np.zeros(3)).to_bytes(),
            "5 codes of 4 bits came in 2 bytes, must be 3 bytes",
        ),
        (b"\x05" + bytes(HEAD_BYTES), "a packet says 5 bits a code, must be one of 1, 2, 3, 4, 8, 16"),
    ],
)
def test_bytes_that_are_no_packet_are_refused(content, message):
    with pytest.raises(PacketError, match=message):
        Packet.from_bytes(content, 5)


@given(codes_of_some_bits(), st.integers(1, 4), st.integers(0, 10**6))
def test_many_packets_are_the_bytes_of_each(drawn, count, reference):
    bits, codes = drawn
    rows = np.array([np.roll(codes, place) for place in range(count)]).reshape(count, -1)
    numbers = np.arange(reference, reference + count)
    scales, weights = np.linspace(0.0, 2.0, count), np.linspace(1.0, 9.0, count)
    content = Packets(bits, numbers, scales, weights, rows).to_bytes()
    for place, row in enumerate(rows):
        single = Packet(bits, int(numbers[place]), scales[place], weights[place], row).to_bytes()
        assert content[place].tobytes() == single
    back = Packets.from_bytes(content, len(codes))
    assert (back.codes == rows).all()
    assert (back.references == numbers % 65536).all()
    assert back.weights.tolist() == weights.astype(np.float32).tolist()


def test_packets_of_two_precisions_are_refused():
    rows = [Packet(bits, 0, 1.0, 1.0, np.zeros(8 // bits * 2)).to_bytes() for bits in (4, 8)]
    with pytest.raises(PacketError, match=r"packets say \[4, 8\] bits a code, must all have the same"):
        Packets.from_bytes(np.array([list(row) for row in rows], dtype=np.uint8), 4)
