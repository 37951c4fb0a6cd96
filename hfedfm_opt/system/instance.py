"""The instance format, version 1: everything that is given before anything is planned.

An :class:`Instance` describes a network (tiers, nodes, bands, links), a multi-modal multi-task model
(modules, tasks), who holds which data, how training runs, and what is to be minimised under which limits.
All quantities are SI and linear unless a name ends in ``_db``.  ``docs/instance-format.md`` explains each
field with examples; :func:`hfedfm_opt.system.read.read_instance` reads a file and reports all its defects.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from fl_runtime.physics import BOLTZMANN_NOISE_W_PER_HZ

Name = Annotated[str, Field(min_length=1, max_length=200)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
BelowOne = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Fraction = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]

Modality = Literal["image", "audio", "text"]
ModuleKind = Literal["encoder", "prompt", "backbone", "expert", "gate", "adapter", "lora", "head"]


class Part(BaseModel):
    """Common behaviour of all parts of an instance: immutable, no unknown keys, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Cpu(Part):
    """A processor whose frequency can be scaled; joules = capacitance * cycles * frequency^2."""

    type: Literal["cpu"] = Field("cpu", description="A processor whose frequency can be scaled.")
    flops_per_cycle: Positive = Field(description="Operations per cycle.")
    max_frequency_hz: Positive = Field(description="Highest frequency, Hz.")
    effective_capacitance: NonNegative = Field(description="Effective switched capacitance, J s^2 / cycle^3.")


class FixedSpeed(Part):
    """A processor of fixed speed and power; joules = power * seconds."""

    type: Literal["fixed"] = Field("fixed", description="A processor of fixed speed and power.")
    flops_per_s: Positive = Field(description="Operations per second.")
    power_w: NonNegative = Field(description="Power while it computes, W.")


class Radio(Part):
    """What a node's radio can do."""

    max_power_w: Positive = Field(description="Highest radiated power, W.")
    amplifier_efficiency: Fraction = Field(1.0, description="Radiated over drawn power of the amplifier.")
    circuit_power_w: NonNegative = Field(
        0.0, description="Power of the rest of the sender while it sends, W."
    )
    receive_power_w: NonNegative = Field(0.0, description="Power while it receives, W.")
    noise_figure_db: NonNegative = Field(0.0, description="Noise figure of the receiver, dB.")
    duplex: Literal["full", "half"] = Field(
        "full", description="half: one thing at a time; full: it sends and receives in parallel."
    )


class Data(Part):
    """Training samples of one task on one device."""

    task: Name = Field(description="Id of the task.")
    samples: Annotated[int, Field(ge=1)] = Field(description="Number of training samples.")


class Node(Part):
    """A device, an edge server, a fog node or the cloud."""

    id: Name = Field(description="Unique name.")
    tier: Name = Field(description="One of `tiers`.")
    parent: Name | None = Field(
        None, description="Id of the node above; null for the one node of the top tier."
    )
    position_m: tuple[Finite, Finite, Finite] | None = Field(
        None, description="x, y and height, m; needed where a channel model makes links."
    )
    memory_bytes: NonNegative | None = Field(None, description="Memory for module replicas; null: unlimited.")
    max_energy_j: Positive | None = Field(
        None, description="Most energy that it may spend per round, J; devices only; null: see `limits`."
    )
    processor: Annotated[Cpu | FixedSpeed, Field(discriminator="type")] | None = Field(
        None, description="null: its computing takes no time and no energy."
    )
    radio: Radio | None = Field(None, description="null: the node has wired links only.")
    modalities: tuple[Modality, ...] = Field((), description="Modalities that the device senses.")
    data: tuple[Data, ...] = Field((), description="Training samples by task; devices only.")


class Band(Part):
    """A piece of spectrum; the links that name it share it (FDMA)."""

    id: Name = Field(description="Unique name.")
    band_hz: Positive = Field(description="Width of the band, Hz.")
    channel_hz: Positive | None = Field(
        None, description="Width of one link's channel where nothing else is planned, Hz; null: equal shares."
    )
    carrier_hz: Positive | None = Field(None, description="Carrier frequency, Hz; needed by channel models.")
    noise_w_per_hz: Positive = Field(BOLTZMANN_NOISE_W_PER_HZ, description="Noise density, W/Hz.")


class WirelessLink(Part):
    """A wireless link with an explicit gain."""

    source: Name = Field(description="Id of the sender.")
    target: Name = Field(description="Id of the receiver.")
    band: Name = Field(description="Id of the band.")
    gain: Positive = Field(description="Power gain, linear.")


class ChannelModel(Part):
    """How gains follow from positions."""

    model: Literal[
        "tr38901-uma",
        "tr38901-umi",
        "tr38901-inf-sl",
        "tr38901-inf-dl",
        "tr38901-inf-sh",
        "tr38901-inf-dh",
        "tr36843-d2d",
        "tr37885-highway",
        "tr37885-urban",
        "macro",
        "exponent",
    ] = Field(description="Name of the path-loss model.")
    line_of_sight: Literal["drawn", "always", "never"] = Field(
        "drawn", description="Whether the path is clear: drawn by the model's probability, or fixed."
    )
    shadowing: bool = Field(True, description="Whether log-normal shadowing is drawn.")
    seed: Annotated[int, Field(ge=0)] = Field(0, description="Seed of these draws.")
    reference_loss_db: Finite = Field(30.0, description="exponent: loss at 1 m, dB.")
    exponent: Positive = Field(3.0, description="exponent: path-loss exponent.")


class WirelessGroup(Part):
    """Wireless links made from positions: every source to every target within reach."""

    sources: tuple[Name, ...] = Field(min_length=1, description="Ids of the senders.")
    targets: tuple[Name, ...] = Field(min_length=1, description="Ids of the receivers.")
    band: Name = Field(description="Id of the band.")
    channel: ChannelModel = Field(description="How gains follow from positions.")
    both_ways: bool = Field(False, description="Whether the reverse links exist too, with the same gain.")
    max_distance_m: Positive | None = Field(None, description="Reach, m; null: unlimited.")


class WiredLink(Part):
    """A link of fixed rate: backhaul, or a leased path; joules = power * seconds, billed to the sender."""

    source: Name = Field(description="Id of the sender.")
    target: Name = Field(description="Id of the receiver.")
    rate_bps: Positive | None = Field(None, description="Rate, bit/s; null: the payload takes no time.")
    delay_s: NonNegative = Field(0.0, description="Constant delay, s.")
    power_w: NonNegative = Field(0.0, description="Power while it works, W.")


class Module(Part):
    """A module of the model."""

    id: Name = Field(description="Unique name.")
    kind: ModuleKind = Field(description="What it is.")
    parameters: Annotated[int, Field(ge=0)] = Field(description="Number of parameters.")
    trainable: bool = Field(description="Whether it is trained and averaged; otherwise frozen.")
    memory_bytes: NonNegative = Field(0.0, description="Memory of a replica with all it needs to run, byte.")
    modality: Modality | None = Field(None, description="encoder: its modality.")
    task: Name | None = Field(None, description="head, prompt or lora: its task.")
    expert_group: Name | None = Field(
        None, description="expert: the mixture that it belongs to; gate: the one whose experts it chooses."
    )
    update_bits: NonNegative | None = Field(
        None, description="Bits of an update; null: parameters * training.bits_per_parameter."
    )
    forward_flops_per_sample: NonNegative = Field(
        0.0, description="Work of the forward pass of a sample, flop."
    )
    backward_flops_per_sample: NonNegative = Field(
        0.0, description="Work of the backward pass of a sample, flop."
    )
    activation_bits_per_sample: NonNegative = Field(
        0.0,
        description="Bits that travel each way of a sample when it runs elsewhere; gradients as many again: "
        "to the host if it or a module before it is trained, back only if one before it is.",
    )
    may_run_on: tuple[Name, ...] = Field(
        (), description="Tiers that may host it, and train it if it is trainable; empty: the devices."
    )


class Task(Part):
    """A task: what a device that has its data runs."""

    id: Name = Field(description="Unique name.")
    modalities: tuple[Modality, ...] = Field(min_length=1, description="Modalities that the task can use.")
    modules: tuple[Name, ...] = Field(min_length=1, description="Ids of the modules it runs, in order.")


class Training(Part):
    """How training runs."""

    rounds: Annotated[int, Field(ge=1)] = Field(24, description="Rounds of a run.")
    period: Annotated[int, Field(ge=1)] | None = Field(
        1, description="Every how many rounds the cloud averages; null: never."
    )
    bits_per_parameter: Positive = Field(32.0, description="Transport precision, bit.")
    local_epochs: Positive = Field(1.0, description="Passes over a device's samples per round, for the work.")
    local_steps: Annotated[int, Field(ge=1)] = Field(4, description="Optimiser steps per round.")
    batch_size: Annotated[int, Field(ge=1)] = Field(8, description="Samples per step.")
    learning_rate: Positive = Field(3e-3, description="Learning rate of AdamW.")
    label_skew: Positive | None = Field(
        0.1, description="Concentration of the Dirichlet distribution of labels; null: even."
    )
    encoder_rate: Positive = Field(0.1, description="Learning rate of encoders, as a part of learning_rate.")
    experts_per_token: Annotated[int, Field(ge=1)] = Field(
        2, description="To how many experts a gate sends a token."
    )
    balance_weight: NonNegative = Field(
        0.01, description="Weight of the loss that keeps experts evenly used."
    )
    num_shards: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Shards of a device, each of one label, in place of label_skew; null: none."
    )
    quantity_skew: Positive | None = Field(
        None,
        description="Shape of the gamma law of numbers of samples about those given; null: as given.",
    )


class Objective(Part):
    """What is minimised per round: priced joules, seconds, and joules of the device that spends most."""

    energy_weight_per_j: NonNegative = Field(1.0, description="Price of a joule.")
    time_weight_per_s: NonNegative = Field(1.0, description="Price of a second.")
    fairness_weight_per_j: NonNegative = Field(
        0.0, description="Price of a joule of the device that spends most, besides the price of any joule."
    )


class Limits(Part):
    """Limits on a plan; null: none."""

    max_latency_s: Positive | None = Field(None, description="Longest round, s.")
    max_energy_j: Positive | None = Field(None, description="Largest energy of all nodes per round, J.")
    max_device_energy_j: Positive | None = Field(None, description="Largest energy of a device per round, J.")
    max_relay_hops: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Most D2D hops to an aggregator."
    )


class Fading(Part):
    """Block fading of all wireless links while a schedule runs; plans use the mean gains."""

    kind: Literal["rayleigh", "rician"] = Field(description="Distribution of the amplitude.")
    rician_k_db: Finite = Field(6.0, description="rician: power of the direct path over the scattered, dB.")


class DropOut(Part):
    """Devices that leave and come back while a schedule runs, round by round."""

    share: BelowOne = Field(description="Share of the rounds in which a device is away.")
    mean_rounds_away: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = Field(
        None, description="Rounds that it stays away, on average; null: rounds are independent."
    )


class Straggling(Part):
    """Training that takes longer than planned: a factor on the time of each computation of a device."""

    law: Literal["shifted-exponential", "log-normal"] = Field(
        "shifted-exponential", description="1 + spread * exponential, or exp(spread * normal)."
    )
    spread: NonNegative = Field(0.5, description="How far times spread.")


class Losses(Part):
    """Transfers that fail and are sent again."""

    probability: BelowOne = Field(description="Probability that an attempt fails.")
    max_attempts: Annotated[int, Field(ge=1)] | None = Field(
        4, description="Attempts after which what was to travel is missing; null: no limit."
    )
    wired: bool = Field(False, description="Whether wired transfers fail too.")


class Mobility(Part):
    """Devices that walk to random places, each at its own speeds: the random waypoint model."""

    min_speed_m_per_s: Positive = Field(0.5, description="Least speed, m/s.")
    max_speed_m_per_s: Positive = Field(1.5, description="Largest speed, m/s.")
    pause_s: NonNegative = Field(0.0, description="Pause at each place, s.")
    area_m: tuple[Finite, Finite, Finite, Finite] | None = Field(
        None, description="Least x and y, largest x and y of the places, m; null: where nodes stand."
    )
    round_s: Positive | None = Field(
        None, description="Time from one round's gains to the next's, s; null: the plan's latency."
    )


class RoundPolicy(Part):
    """For whom averages wait; where nothing is set they wait for all."""

    deadline_s: Positive | None = Field(None, description="Longest wait of averages from a round's begin, s.")
    share: Fraction | None = Field(None, description="Share of its updates at which an average is made.")
    count: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Number of updates at which an average is made."
    )
    merge_deadline_s: Positive | None = Field(None, description="The same wait for merges, s.")
    merge_share: Fraction | None = Field(None, description="The same share for merges.")


class Replanning(Part):
    """Plans that are made again while devices move, from the gains of that moment."""

    every_rounds: Annotated[int, Field(ge=1)] = Field(description="Rounds from one plan to the next.")
    moving_weight_per_byte: NonNegative = Field(
        0.0, description="Price of a byte of a replica that is sent to a new host."
    )


class Living(Part):
    """What changes while a schedule runs; plans are made for a still network."""

    drop_out: DropOut | None = Field(None, description="Devices that leave and come back.")
    straggling: Straggling | None = Field(None, description="Training that takes longer than planned.")
    losses: Losses | None = Field(None, description="Transfers that fail.")
    mobility: Mobility | None = Field(None, description="Devices that move.")
    policy: RoundPolicy | None = Field(None, description="For whom averages wait; null: for all.")
    replanning: Replanning | None = Field(
        None, description="Plans that are made again as devices move; null: one plan for all rounds."
    )


class Instance(Part):
    """Everything that is given before anything is planned."""

    format: Literal["hfedfm-instance"] = Field(description="Marks the file.")
    version: Literal[1] = Field(description="Version of the format.")
    name: Name = Field(description="Short name.")
    description: str = Field("", description="What it is and where it comes from.")
    tiers: tuple[Name, ...] = Field(
        min_length=2, description="Names of the tiers from the top; the last holds the devices."
    )
    nodes: tuple[Node, ...] = Field(min_length=2, description="All nodes.")
    bands: tuple[Band, ...] = Field((), description="All bands.")
    wireless_links: tuple[WirelessLink, ...] = Field((), description="Wireless links with explicit gains.")
    wireless_groups: tuple[WirelessGroup, ...] = Field((), description="Wireless links made from positions.")
    wired_links: tuple[WiredLink, ...] = Field((), description="Links of fixed rate.")
    modules: tuple[Module, ...] = Field(min_length=1, description="Modules of the model.")
    tasks: tuple[Task, ...] = Field(min_length=1, description="Tasks.")
    training: Training = Field(default_factory=Training, description="How training runs.")
    objective: Objective = Field(default_factory=Objective, description="What is minimised.")
    limits: Limits = Field(default_factory=Limits, description="Limits on a plan.")
    fading: Fading | None = Field(
        None, description="Block fading while a schedule runs; null: still channels."
    )
    living: Living | None = Field(None, description="What else changes while a schedule runs; null: nothing.")
