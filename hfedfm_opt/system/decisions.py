"""What is decided: who hosts, trains, sends, merges and averages what, how often, and with which resources.

:class:`Decisions` is the content of a plan file; :class:`hfedfm_opt.planning.plan.Plan` joins it with its
instance.
"""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from hfedfm_opt.system.instance import Fraction, Name, NonNegative, Part, Positive
from hfedfm_opt.system.network import Content, Duplex

Momentum = Annotated[float, Field(ge=0, lt=1)]
PrecisionBits = Literal[32, 16, 8, 4, 3, 2, 1]


class Hop(Part):
    """One use of a link.

    On a wireless link it takes a share of the band at a radiated power; on a wired link both are null.
    """

    source: Name = Field(description="Id of the sender.")
    target: Name = Field(description="Id of the receiver.")
    band_hz: Positive | None = Field(None, description="Share of the link's band, Hz.")
    power_w: Positive | None = Field(None, description="Radiated power, W.")


class Serving(Part):
    """A module that a device does not run itself: where it runs, and the ways there and back."""

    device: Name = Field(description="Id of the device.")
    module: Name = Field(description="Id of the module.")
    host: Name = Field(description="Id of the node that runs it.")
    out: tuple[Hop, ...] = Field(description="Way of the activations to the host.")
    back: tuple[Hop, ...] = Field(description="Way back.")
    share: Fraction = Field(description="Part of the host's processor that is reserved for it.")


class Hosting(Part):
    """A replica: a module in the memory of a node."""

    module: Name = Field(description="Id of the module.")
    node: Name = Field(description="Id of the node.")


class Neighbours(Part):
    """Two members that approach each other in a sweep: each moves by a part of the difference."""

    first: Name = Field(description="Id of one member.")
    second: Name = Field(description="Id of the other.")
    weight: Positive = Field(description="The part; those of a member sum to at most 1.")


class Mixing(Part):
    """Members that average modules among themselves."""

    modules: tuple[Name, ...] = Field(min_length=1, description="Ids of the modules.")
    nodes: tuple[Name, ...] = Field(min_length=1, description="Ids of the members that mix them.")
    neighbours: tuple[Neighbours, ...] = Field((), description="Who mixes with whom, each pair once.")

    def matrix(self) -> tuple[tuple[float, ...], ...]:
        """Return what each node takes of each node's model in a sweep: symmetric, rows sum to one."""
        index_of = {node: index for index, node in enumerate(self.nodes)}
        rows = [[0.0] * len(self.nodes) for _ in self.nodes]
        for pair in self.neighbours:
            a, b = index_of[pair.first], index_of[pair.second]
            rows[a][b] = rows[b][a] = pair.weight
        for index, row in enumerate(rows):
            row[index] = max(1.0 - sum(row), 0.0)
        return tuple(map(tuple, rows))


class Consensus(Part):
    """How members average without an aggregator: in each sweep all exchange with neighbours, then mix."""

    sweeps: Annotated[int, Field(ge=1)] = Field(description="Sweeps of a round.")
    exchanges: tuple[Hop, ...] = Field(description="Hops of a sweep, each way its own.")
    mixings: tuple[Mixing, ...] = Field(
        min_length=1, description="Who mixes what; each member each module that it trains, once."
    )


class Cluster(Part):
    """How the members of a cluster average.

    In an edge round updates flow up ``gather`` to the aggregator and the average flows down ``deliver``, or
    members mix by ``consensus``.  In a cloud round the merged update goes on over ``uplink``, and the new
    model comes down ``downlink``.
    """

    id: Name = Field(
        description="Id of the node above the cluster, or of its one member. A server with links to and from "
        "its members may be another than their parent in the instance."
    )
    members: tuple[Name, ...] = Field(min_length=1, description="Ids of its devices.")
    aggregator: Name = Field(description="Id of the node that averages: a member, the server or the cloud.")
    relays: Literal["merge", "forward"] = Field(
        "merge", description="merge: a relay sends one merged update; forward: it passes each update on."
    )
    gather: tuple[Hop, ...] = Field(
        (), description="Tree up to the aggregator: each other member sends once."
    )
    gather_to_cloud: tuple[Hop, ...] | None = Field(
        None, description="Tree up to the aggregator in cloud rounds; null: the same."
    )
    deliver: tuple[Hop, ...] = Field(
        (), description="Tree down from the aggregator: each member receives once."
    )
    consensus: Consensus | None = Field(
        None, description="How members average what stays in the cluster; null: at the aggregator."
    )
    uplink: tuple[Hop, ...] = Field((), description="From the aggregator to the server.")
    downlink: tuple[Hop, ...] = Field((), description="Tree from the server down to the members.")

    def gather_hops(self, *, to_cloud: bool) -> tuple[Hop, ...]:
        """Return the tree up to the aggregator in a cloud round or in an edge round."""
        return self.gather_to_cloud if to_cloud and self.gather_to_cloud is not None else self.gather


class Frequency(Part):
    """The CPU frequency of a device while it trains."""

    device: Name = Field(description="Id of the device.")
    frequency_hz: Positive = Field(description="Frequency, Hz.")


class ModulePeriod(Part):
    """How often the cloud averages a module."""

    module: Name = Field(description="Id of the module.")
    period: int | None = Field(ge=1, description="Every how many rounds; null: never.")


class ModuleTransport(Part):
    """With how many bits a parameter a module travels, where it is not 32.

    Below 32 bits, differences from a state that both ends have travel as codes with a scale.
    """

    module: Name = Field(description="Id of the module.")
    up: PrecisionBits = Field(32, description="Bits a parameter of updates.")
    down: PrecisionBits = Field(32, description="Bits a parameter of models on their way back.")


class GapPart(Part):
    """A part of the gap between objective and bound: how much, and what left it open."""

    part: Name = Field(description="clusters, deadline, placement, association, prices or plan.")
    amount: float = Field(
        allow_inf_nan=False, description="Part of the objective; all parts sum to objective minus bound."
    )
    proof: str = Field(description="What proves the rest, in words.")


class Claim(Part):
    """What the planner says of its plan; a check recomputes it."""

    energy_weight_per_j: NonNegative = Field(description="Price of a joule.")
    time_weight_per_s: NonNegative = Field(description="Price of a second.")
    fairness_weight_per_j: NonNegative = Field(
        0.0, description="Price of a joule of the device that spends most."
    )
    latency_s: NonNegative = Field(description="Seconds per round, over a cycle.")
    energy_j: NonNegative = Field(description="Joules per round, over a cycle.")
    largest_device_energy_j: NonNegative | None = Field(
        None, description="Joules per round of the device that spends most; null: they have no price."
    )
    objective: NonNegative = Field(description="Weighted sum of these.")
    bound: NonNegative | None = Field(
        None, description="No plan of the stated scope is below; null: none proven."
    )
    proof: str = Field("", description="What proves the bound, and for which plans.")
    gap_parts: tuple[GapPart, ...] = Field((), description="What leaves which part of the gap open.")


class Decisions(Part):
    """Every decision of a plan."""

    format: Literal["hfedfm-plan"] = Field("hfedfm-plan", description="Marks the file.")
    version: Literal[1] = Field(1, description="Version of the format.")
    planner: Name = Field(description="Name of the planner.")
    instance: Name = Field(description="Name of the instance.")
    instance_file: str | None = Field(
        None,
        min_length=1,
        description="Path of the instance's file; in a plan file relative to its folder; null: not known.",
    )
    instance_sha256: str = Field(description="Digest of the instance that the plan is for.")
    duplex: Duplex = Field(
        "as given",
        description="Whether the devices' radios are taken as the instance says, or all of one kind.",
    )
    periods: tuple[ModulePeriod, ...] = Field(description="Period of each trainable module.")
    transport_bits: tuple[ModuleTransport, ...] = Field(
        (), description="Trainable modules that travel with less than 32 bits a parameter."
    )
    cloud_momentum: Momentum = Field(
        0.0, description="Momentum of the cloud's averages, in [0, 1); 0: the average is the new model."
    )
    hosted: tuple[Hosting, ...] = Field(description="All replicas.")
    servings: tuple[Serving, ...] = Field(
        (), description="Modules that run elsewhere, in order of execution."
    )
    frequencies: tuple[Frequency, ...] = Field((), description="CPU frequency of each device that has one.")
    clusters: tuple[Cluster, ...] = Field(min_length=1, description="All clusters; each device is in one.")
    backhaul_up: tuple[Hop, ...] = Field((), description="Tree from the servers up to the cloud.")
    backhaul_down: tuple[Hop, ...] = Field((), description="Tree from the cloud down to the servers.")
    claim: Claim | None = Field(None, description="Predicted cost, bound and proof.")


def precisions_of(transport_bits: Iterable[ModuleTransport]) -> dict[tuple[str, Content], int]:
    """Return the bits a parameter by module and content, as a network takes them."""
    found: dict[tuple[str, Content], int] = {}
    for entry in transport_bits:
        found[entry.module, "update"] = entry.up
        found[entry.module, "model"] = entry.down
    return found
