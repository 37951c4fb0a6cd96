"""Codes of few bits, packed into bytes and back, and the bits that a packed module takes on a link.

A packet is a head of ``HEAD_BYTES`` and the codes of all parameters, one after another, the lowest bit first.
What is packed is what is counted: :func:`packed_bits` is eight times the length of the packet.
"""

import math
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CodeArray = npt.NDArray[np.uint16]

FULL_BITS = 32
"""Bits of a parameter that travels as it is: a float32."""

PRECISIONS_BITS = (32, 16, 8, 4, 3, 2, 1)
"""Bits a parameter that a module may travel with; below 32 as codes with a scale."""

_HEAD = struct.Struct("<BxHff")
HEAD_BYTES = _HEAD.size
"""Bits a code (1 byte, 1 free), number of the reference modulo 65536 (2), scale (4), weight (4)."""


class PacketError(ValueError):
    """Bytes that are no packet of the expected module."""


@dataclass(frozen=True)
class Packet:
    """A quantised difference on its way.

    Parameters
    ----------
    bits : int
        Bits a code, one of ``PRECISIONS_BITS`` below 32.
    reference : int
        Number of the state from which the difference is counted; modulo 65536 it travels.
    scale : float
        Step of the codes, a float32.
    weight : float
        Weight of an update in averages, a float32; 0 for a model.
    codes : array of uint16, shape (parameters,)
        The codes, each below ``2 ** bits``.
    """

    bits: int
    reference: int
    scale: float
    weight: float
    codes: CodeArray

    def to_bytes(self) -> bytes:
        """Return head and packed codes."""
        head = _HEAD.pack(self.bits, self.reference % 65536, self.scale, self.weight)
        return head + pack(self.codes, self.bits)

    @classmethod
    def from_bytes(cls, content: bytes, parameters: int) -> "Packet":
        """Return the packet of a module with so many parameters; ``reference`` is modulo 65536.

        Raises
        ------
        PacketError
            If the length is not that of such a packet, or the precision is none.
        """
        if len(content) < HEAD_BYTES:
            raise PacketError(f"a packet has {len(content)} bytes, must have a head of {HEAD_BYTES}")
        bits, reference, scale, weight = _HEAD.unpack_from(content)
        if bits not in PRECISIONS_BITS or bits == FULL_BITS:
            raise PacketError(f"a packet says {bits} bits a code, must be one of 1, 2, 3, 4, 8, 16")
        codes = unpack(content[HEAD_BYTES:], bits, parameters)
        return cls(bits, reference, scale, weight, codes)


def pack(codes: npt.NDArray[np.generic], bits: int) -> bytes:
    """Return codes as ``ceil(len(codes) * bits / 8)`` bytes.

    Parameters
    ----------
    codes : array of int, shape (n,)
        Each at least 0 and below ``2 ** bits``.
    bits : int
        Bits a code, in [1, 16].
    """
    if bits == 8:
        return codes.astype(np.uint8).tobytes()
    if bits == 16:
        return codes.astype("<u2").tobytes()
    if bits in (2, 4):
        padded = np.zeros((-(-len(codes) * bits // 8), 8 // bits), dtype=np.uint8)
        padded.ravel()[: len(codes)] = codes
        joined: npt.NDArray[np.uint8] = np.bitwise_or.reduce(padded << _shifts(bits), axis=1)
        return joined.tobytes()
    places = np.arange(bits, dtype=np.uint16)
    single = (codes.astype(np.uint16)[:, None] >> places) & 1  # (n, bits)
    return np.packbits(single.astype(np.uint8).ravel(), bitorder="little").tobytes()


def unpack(content: bytes, bits: int, count: int) -> CodeArray:
    """Return the ``count`` codes that :func:`pack` packed.

    Raises
    ------
    PacketError
        If the bytes are more or fewer than such codes take.
    """
    expected = math.ceil(count * bits / 8)
    if len(content) != expected:
        raise PacketError(
            f"{count} codes of {bits} bits came in {len(content)} bytes, must be {expected} bytes"
        )
    if bits == 8:
        return np.frombuffer(content, dtype=np.uint8).astype(np.uint16)
    if bits == 16:
        return np.frombuffer(content, dtype="<u2").astype(np.uint16)
    raw = np.frombuffer(content, dtype=np.uint8)
    if bits in (2, 4):
        apart = (raw[:, None] >> _shifts(bits)) & np.uint8(2**bits - 1)  # (bytes, codes of a byte)
        return apart.ravel()[:count].astype(np.uint16)
    single = np.unpackbits(raw, count=count * bits, bitorder="little").reshape(count, bits)
    weights = (1 << np.arange(bits)).astype(np.uint16)
    codes: CodeArray = (single.astype(np.uint16) * weights).sum(axis=1, dtype=np.uint16)
    return codes


def _shifts(bits: int) -> npt.NDArray[np.uint8]:
    """Return where the codes of a byte begin."""
    return np.arange(0, 8, bits, dtype=np.uint8)


def packed_bits(update_bits: float, bits: int) -> float:
    """Return the bits of a module on a link at a precision: head, scale and whole bytes included.

    Parameters
    ----------
    update_bits : float
        Bits of the module as it is: 32 for each parameter, >= 0; a module of none takes none.
    bits : int
        One of ``PRECISIONS_BITS``; 32 is the module as it is.
    """
    if bits == FULL_BITS or update_bits == 0:
        return update_bits
    parameters = math.ceil(update_bits / FULL_BITS)
    return 8.0 * (HEAD_BYTES + math.ceil(parameters * bits / 8))
