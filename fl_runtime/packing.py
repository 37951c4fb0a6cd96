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
CodeRows = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
ByteRows = npt.NDArray[np.uint8]

FULL_BITS = 32
"""Bits of a parameter that travels as it is: a float32."""

PRECISIONS_BITS = (32, 16, 8, 4, 3, 2, 1)
"""Bits a parameter that a module may travel with; below 32 as codes with a scale."""

_HEAD = struct.Struct("<BxHff")
HEAD_BYTES = _HEAD.size
"""Bits a code (1 byte, 1 free), number of the reference modulo 65536 (2), scale (4), weight (4)."""


_HEADS = np.dtype([("bits", "u1"), ("free", "u1"), ("reference", "<u2"), ("scale", "<f4"), ("weight", "<f4")])
"""The heads of many packets: the same bytes as ``_HEAD``."""


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


@dataclass(frozen=True)
class Packets:
    """Packets of one precision and one module, each a row; see :class:`Packet`.

    Parameters
    ----------
    bits : int
        Bits a code.
    references : array of int, shape (packets,)
    scales, weights : array of float, shape (packets,)
    codes : array of uint8 or uint16, shape (packets, parameters)
    """

    bits: int
    references: npt.NDArray[np.int64]
    scales: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    codes: CodeRows

    def to_bytes(self) -> ByteRows:
        """Return the bytes of each packet, (packets, bytes): those of :meth:`Packet.to_bytes`."""
        heads = np.zeros(len(self.codes), dtype=_HEADS)
        heads["bits"], heads["reference"] = self.bits, self.references % 65536
        heads["scale"], heads["weight"] = self.scales, self.weights
        return np.concatenate(
            [heads.view(np.uint8).reshape(-1, HEAD_BYTES), pack_rows(self.codes, self.bits)], 1
        )

    @classmethod
    def from_bytes(cls, content: ByteRows, parameters: int) -> "Packets":
        """Return the packets of a module; all must have the precision of the first.

        Raises
        ------
        PacketError
            If some are no such packets.
        """
        first = Packet.from_bytes(content[0].tobytes(), parameters)
        heads = np.ascontiguousarray(content[:, :HEAD_BYTES]).view(_HEADS)[:, 0]
        if (heads["bits"] != first.bits).any():
            found = sorted(set(heads["bits"].tolist()))
            raise PacketError(f"packets say {found} bits a code, must all have the same")
        return cls(
            bits=first.bits,
            references=heads["reference"].astype(np.int64),
            scales=heads["scale"].astype(np.float64),
            weights=heads["weight"].astype(np.float64),
            codes=unpack_rows(content[:, HEAD_BYTES:], first.bits, parameters),
        )


def pack(codes: npt.NDArray[np.generic], bits: int) -> bytes:
    """Return codes as ``ceil(len(codes) * bits / 8)`` bytes.

    Parameters
    ----------
    codes : array of int, shape (n,)
        Each at least 0 and below ``2 ** bits``.
    bits : int
        Bits a code, one of ``PRECISIONS_BITS`` below 32.
    """
    return pack_rows(codes.astype(np.uint16)[None], bits).tobytes()


def pack_rows(codes: CodeRows, bits: int) -> ByteRows:
    """Return each row of codes (rows, n) packed, (rows, bytes)."""
    if bits == 8:
        return codes.astype(np.uint8)
    if bits == 16:
        return np.ascontiguousarray(codes, dtype="<u2").view(np.uint8)
    if bits in (2, 4):
        each = 8 // bits  # codes of a byte
        whole = codes.astype(np.uint8)
        if whole.shape[1] % each:
            whole = np.pad(whole, ((0, 0), (0, -whole.shape[1] % each)))
        packed = whole[:, ::each].copy()
        for place in range(1, each):
            packed |= whole[:, place::each] << np.uint8(bits * place)
        return packed
    if bits == 1:
        return np.packbits(codes.astype(np.uint8), axis=1, bitorder="little")
    padded = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 8)))
    words = np.zeros((len(codes), padded.shape[1] // 8), dtype="<u4")  # of eight codes, which fill 3 bytes
    for place in range(8):
        words |= padded[:, place::8].astype("<u4") << np.uint32(bits * place)
    whole = words.view(np.uint8).reshape(*words.shape, 4)[:, :, :bits].reshape(len(codes), -1)
    return np.ascontiguousarray(whole[:, : -(-codes.shape[1] * bits // 8)])


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
    rows = unpack_rows(np.frombuffer(content, dtype=np.uint8)[None], bits, count)
    codes: CodeArray = rows[0].astype(np.uint16)
    return codes


def unpack_rows(content: ByteRows, bits: int, count: int) -> CodeRows:
    """Return the codes (rows, count) that :func:`pack_rows` packed."""
    if bits == 8:
        return content
    if bits == 16:
        words: npt.NDArray[np.uint16] = np.ascontiguousarray(content).view("<u2")
        return words
    if bits in (2, 4):
        each, mask = 8 // bits, np.uint8(2**bits - 1)
        codes = np.empty((len(content), each * content.shape[1]), dtype=np.uint8)
        for place in range(each):
            codes[:, place::each] = (content >> np.uint8(bits * place)) & mask
        return codes[:, :count]
    if bits == 1:
        return np.unpackbits(content, axis=1, count=count, bitorder="little")
    groups = -(-count // 8)
    whole = np.zeros((len(content), groups * bits), dtype=np.uint8)
    whole[:, : content.shape[1]] = content
    wide = np.zeros((len(content), groups, 4), dtype=np.uint8)
    wide[:, :, :bits] = whole.reshape(len(content), groups, bits)
    of_eight = wide.view("<u4")[:, :, 0]  # (rows, groups)
    result = np.empty((len(content), 8 * groups), dtype=np.uint8)
    for place in range(8):
        result[:, place::8] = (of_eight >> np.uint32(bits * place)) & np.uint32(2**bits - 1)
    return result[:, :count]


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
