"""The instance ``paper-40``: the published network and its vision-language model, in SI."""

import numpy as np

from hfedfm_opt.system.generate.default_tasks import (
    NUM_CLASSES,
    TASK_NAMES,
    data_of,
    deal_two_of_three,
    modalities_for,
    task_with,
)
from hfedfm_opt.system.generate.published_network import (
    EFFECTIVE_NOISE_W_PER_HZ,
    NUM_SERVERS,
    SEED,
    PublishedNetwork,
    members_of,
    sample_published_network,
)
from hfedfm_opt.system.instance import (
    Band,
    Instance,
    Module,
    Node,
    Objective,
    Radio,
    Training,
    WiredLink,
    WirelessLink,
)

UPLINK_POWER_W, D2D_POWER_W = 1.0, 0.2
"""Powers at which the published rates are computed."""
BILLED_POWER_W = 0.6
"""Power at which the published energies of both are counted."""
UPLINK_CHANNEL_HZ, D2D_CHANNEL_HZ = 1e6, 8e6
CLUSTER_UPLINK_BAND_HZ = 4e6
CLUSTER_D2D_BAND_HZ = 3 * D2D_CHANNEL_HZ
CLOUD_RATE_BPS, CLOUD_DELAY_S, CLOUD_POWER_W = 4e6, 0.1, 0.8
UPDATE_BITS = 48e6
"""The published update of 48,000 kbit: adapters and heads together."""
ADAPTER_PARAMETERS = 9_460_000
WIDTH = 768
BACKBONE_PARAMETERS = 12 * 7_087_872 + 2 * WIDTH
"""Twelve blocks of ViT-B (attention 2,362,368, feed-forward 4,722,432, two norms 3,072) and the last norm."""
ENCODER_PARAMETERS = {
    "image": (32 * 32 * 3 + 1) * WIDTH + 146 * WIDTH,  # 32 x 32 patches, 145 positions, the class token
    "audio": (16 * 16 + 1) * WIDTH,  # 16 x 16 patches of a spectrogram
    "text": (30_522 + 40) * WIDTH,  # BERT's vocabulary and 40 positions
}
SAMPLES_PER_TASK = 60
FROZEN_BYTES_PER_PARAMETER = 4.0  # fp32 weights
TRAINED_BYTES_PER_PARAMETER = 16.0  # weights, gradients and AdamW's two moments, fp32

_DESCRIPTION = (
    "40 users in 10 clusters of 4, 10 edge servers and a cloud, after 'Hierarchical Federated Foundation "
    "Models over Wireless Networks', IEEE Communications Magazine 64(4), 66-72: sampled with seed 49 as "
    "described there. Rates are those at 1 W (uplinks, 1 MHz each) and 0.2 W (D2D links, 8 MHz each), "
    "energy is counted at 0.6 W: radios therefore send at 0.6 W, and gains are scaled by 1/0.6 and "
    "0.2/0.6, so that rate and energy both agree. The noise density is the one in effect there, 30 dB "
    "below -174 dBm/Hz. A cluster's D2D band is three channels wide, because at most three of its four "
    "members send at a time. The cloud leg takes 0.1 s and 4 Mbit/s at 0.8 W, from the servers or "
    "straight from the users; downlinks are free. An update of 48 Mbit stands for the adapters and heads "
    "together and is carried by the module 'adapter'; the heads add no bits. Computing is not counted. "
    "The backbone and encoders have the sizes of a ViLT-B/32. Tasks, modalities and samples are those of "
    "the default workload, dealt with the same seed."
)


def paper_instance() -> Instance:
    """Return the published scenario as an instance; it is always the same."""
    network = sample_published_network()
    return Instance(
        format="hfedfm-instance",
        version=1,
        name="paper-40",
        description=_DESCRIPTION,
        tiers=("cloud", "edge", "device"),
        nodes=(Node(id="cloud", tier="cloud"), *_servers(network), *_devices(network)),
        bands=_bands(),
        wireless_links=(*_uplinks(network), *_d2d_links(network)),
        wired_links=_wired_links(),
        modules=_modules(),
        tasks=tuple(task_with(name, ("backbone", "adapter")) for name in TASK_NAMES),
        training=Training(
            rounds=24, period=2, local_steps=4, batch_size=8, learning_rate=3e-3, label_skew=0.1
        ),
        objective=Objective(energy_weight_per_j=1.0, time_weight_per_s=100.0),
    )


def _servers(network: PublishedNetwork) -> list[Node]:
    radio = Radio(max_power_w=UPLINK_POWER_W)
    return [
        Node(id=f"s{index}", tier="edge", parent="cloud", position_m=(x, y, 0.0), radio=radio)
        for index, (x, y) in enumerate(network.servers_m.tolist())
    ]


def _devices(network: PublishedNetwork) -> list[Node]:
    radio = Radio(max_power_w=BILLED_POWER_W, duplex="full")
    tasks_of = deal_two_of_three(len(network.users_m), np.random.default_rng(SEED))
    positions = network.users_m.tolist()
    return [
        Node(
            id=f"d{user}",
            tier="device",
            parent=f"s{cluster}",
            position_m=(positions[user][0], positions[user][1], 0.0),
            radio=radio,
            modalities=modalities_for(tasks_of[user]),
            data=data_of(tasks_of[user], [SAMPLES_PER_TASK] * len(tasks_of[user])),
        )
        for cluster in range(NUM_SERVERS)
        for user in members_of(cluster)
    ]


def _bands() -> tuple[Band, ...]:
    widths = (
        ("uplink", CLUSTER_UPLINK_BAND_HZ, UPLINK_CHANNEL_HZ),
        ("d2d", CLUSTER_D2D_BAND_HZ, D2D_CHANNEL_HZ),
    )
    return tuple(
        Band(
            id=f"{name}-{cluster}",
            band_hz=band_hz,
            channel_hz=channel_hz,
            noise_w_per_hz=EFFECTIVE_NOISE_W_PER_HZ,
        )
        for name, band_hz, channel_hz in widths
        for cluster in range(NUM_SERVERS)
    )


def _uplinks(network: PublishedNetwork) -> list[WirelessLink]:
    gains = (network.uplink_gain * (UPLINK_POWER_W / BILLED_POWER_W)).tolist()
    return [
        WirelessLink(source=f"d{user}", target=f"s{cluster}", band=f"uplink-{cluster}", gain=gains[user])
        for cluster in range(NUM_SERVERS)
        for user in members_of(cluster)
    ]


def _d2d_links(network: PublishedNetwork) -> list[WirelessLink]:
    gains = (network.d2d_gain * (D2D_POWER_W / BILLED_POWER_W)).tolist()
    return [
        WirelessLink(
            source=f"d{sender}", target=f"d{receiver}", band=f"d2d-{cluster}", gain=gains[sender][column]
        )
        for cluster in range(NUM_SERVERS)
        for sender in members_of(cluster)
        for column, receiver in enumerate(members_of(cluster))
        if sender != receiver
    ]


def _wired_links() -> tuple[WiredLink, ...]:
    servers = [f"s{cluster}" for cluster in range(NUM_SERVERS)]
    device_of = [(server, f"d{user}") for c, server in enumerate(servers) for user in members_of(c)]
    up = [*servers, *(device for _, device in device_of)]
    down = [
        *(("cloud", server) for server in servers),
        *device_of,
        *(("cloud", device) for _, device in device_of),
    ]
    return (
        *(
            WiredLink(
                source=source,
                target="cloud",
                rate_bps=CLOUD_RATE_BPS,
                delay_s=CLOUD_DELAY_S,
                power_w=CLOUD_POWER_W,
            )
            for source in up
        ),
        *(WiredLink(source=source, target=target) for source, target in down),
    )


def _modules() -> tuple[Module, ...]:
    encoders = (
        Module(
            id=f"encoder-{modality}",
            kind="encoder",
            modality=modality,
            parameters=ENCODER_PARAMETERS[modality],
            trainable=False,
            memory_bytes=ENCODER_PARAMETERS[modality] * FROZEN_BYTES_PER_PARAMETER,
        )
        for modality in modalities_for(TASK_NAMES)
    )
    backbone = Module(
        id="backbone",
        kind="backbone",
        parameters=BACKBONE_PARAMETERS,
        trainable=False,
        memory_bytes=BACKBONE_PARAMETERS * FROZEN_BYTES_PER_PARAMETER,
    )
    adapter = Module(
        id="adapter",
        kind="adapter",
        parameters=ADAPTER_PARAMETERS,
        trainable=True,
        memory_bytes=ADAPTER_PARAMETERS * TRAINED_BYTES_PER_PARAMETER,
        update_bits=UPDATE_BITS,
    )
    return (*encoders, backbone, adapter, *(_head(task) for task in TASK_NAMES))


def _head(task: str) -> Module:
    parameters = (WIDTH + 1) * NUM_CLASSES[task]
    return Module(
        id=f"head-{task}",
        kind="head",
        task=task,
        parameters=parameters,
        trainable=True,
        memory_bytes=parameters * TRAINED_BYTES_PER_PARAMETER,
        update_bits=0.0,
    )
