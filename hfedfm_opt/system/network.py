"""The network of an instance, resolved: nodes, members of clusters and all links with their gains."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from fl_runtime.packing import FULL_BITS, packed_bits
from hfedfm_opt.system.collector import collector_paused
from hfedfm_opt.system.edges import Edge, Edges, WiredEdge, WirelessEdge, edges_of
from hfedfm_opt.system.instance import Band, Instance, Module, Node, Task

__all__ = [
    "Content",
    "Duplex",
    "Edge",
    "Network",
    "Precisions",
    "WiredEdge",
    "WirelessEdge",
    "resolve_network",
]

Duplex = Literal["as given", "full", "half"]
Content = Literal["update", "model"]
"""What travels: updates on their way up, models on their way down."""

Precisions = Mapping[tuple[str, Content], int]
"""Bits a parameter by module and content; 32 where none are given."""


@dataclass(frozen=True)
class Network:
    """Look-ups over an instance; build it with :func:`resolve_network`.

    Parameters
    ----------
    instance : Instance
        What it was made from.
    nodes, bands, modules, tasks : mapping of str
        Parts of the instance by id.
    edges : mapping of (str, str) to WirelessEdge or WiredEdge
        The link of each ordered pair of nodes that has one; a wireless one goes before a wired one.
    duplex : "as given", "full" or "half"
        Whether the devices' radios are taken as the instance says, or all of one kind.
    precisions : mapping of (str, str) to int
        With how many bits a parameter modules travel as updates and as models; 32 where none are given.
    trained_by : mapping of (str, str) to str
        For (device, trainable module): the node that trains it for the device, where that is another; empty
        where it is not known which.
    clusters_of_band : mapping of str to int
        How many clusters may send over a band between devices, where an association other than the file's has
        made them several.
    """

    instance: Instance
    nodes: Mapping[str, Node]
    bands: Mapping[str, Band]
    modules: Mapping[str, Module]
    tasks: Mapping[str, Task]
    edges: Mapping[tuple[str, str], Edge]
    duplex: Duplex = "as given"
    precisions: Precisions = field(default_factory=dict)
    trained_by: Mapping[tuple[str, str], str] = field(default_factory=dict)
    clusters_of_band: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def root(self) -> str:
        """Id of the node of the top tier."""
        return next(node.id for node in self.instance.nodes if node.tier == self.instance.tiers[0])

    @cached_property
    def devices(self) -> tuple[str, ...]:
        """Ids of the devices, in the order of the file."""
        return tuple(node.id for node in self.instance.nodes if node.tier == self.instance.tiers[-1])

    @cached_property
    def device_set(self) -> frozenset[str]:
        """Ids of the devices."""
        return frozenset(self.devices)

    @cached_property
    def memo(self) -> dict[Hashable, Any]:
        """What functions of this network have found before, by their name and arguments."""
        return {}

    @cached_property
    def members(self) -> Mapping[str, tuple[str, ...]]:
        """Ids of the devices under each parent, in the order of the file; it names their cluster."""
        found: dict[str, list[str]] = {}
        for device in self.devices:
            found.setdefault(self.parent(device), []).append(device)
        return {parent: tuple(devices) for parent, devices in found.items()}

    @cached_property
    def trained_on(self) -> Mapping[str, Mapping[str, int]]:
        """For each device: the trainable modules that it trains itself, with the samples that train them."""
        if not self.trained_by:
            return {device: self._used(device) for device in self.devices}
        return {
            device: {
                module: samples
                for module, samples in self._used(device).items()
                if (device, module) not in self.trained_by
            }
            for device in self.devices
        }

    @cached_property
    def trainers_of(self) -> Mapping[str, tuple[str, ...]]:
        """For each device that does not train all by itself: who trains for it, each once."""
        found: dict[str, dict[str, None]] = {}
        for (device, _), host in self.trained_by.items():
            found.setdefault(device, {})[host] = None
        return {device: tuple(hosts) for device, hosts in found.items()}

    @cached_property
    def trained_at(self) -> Mapping[str, Mapping[str, int]]:
        """For each node that trains for others: the modules, with all the samples that train them."""
        found: dict[str, dict[str, int]] = {}
        for device in self.trainers_of:
            for module, samples in self._used(device).items():
                host = self.trained_by.get((device, module))
                if host:
                    own = found.setdefault(host, {})
                    own[module] = own.get(module, 0) + samples
        return found

    def links_among(self, nodes: Sequence[str]) -> list[tuple[str, str]]:
        """Return the links that lead from one of some nodes to another of them."""
        if not isinstance(self.edges, Edges):
            return [(a, b) for a in nodes for b in nodes if a != b and (a, b) in self.edges]
        among = set(nodes)
        return [(a, b) for a in nodes for b in sorted(self.edges.receivers_of(a) & among)]

    def parent(self, node: str) -> str:
        """Return the id of the node above; the root is its own parent."""
        return self.nodes[node].parent or node

    def is_half_duplex(self, node: str) -> bool:
        """Return whether the node's radio does one thing at a time."""
        radio = self.nodes[node].radio
        if radio is None:
            return False
        if self.duplex != "as given" and self.nodes[node].tier == self.instance.tiers[-1]:
            return self.duplex == "half"
        return radio.duplex == "half"

    def path_up(self, node: str) -> tuple[str, ...]:
        """Return the nodes from ``node`` up to the root, both included."""
        path = [node]
        while path[-1] != self.root:
            path.append(self.parent(path[-1]))
        return tuple(path)

    def modules_of(self, device: str, task: str) -> tuple[Module, ...]:
        """Return the modules that a device runs for a task: encoders only of modalities that it senses."""
        senses = self.nodes[device].modalities
        modules = (self.modules[name] for name in self.tasks[task].modules)
        return tuple(module for module in modules if module.kind != "encoder" or module.modality in senses)

    def precision_bits(self, module: str, content: Content = "update") -> int:
        """Return with how many bits a parameter a module travels."""
        return self.precisions.get((module, content), FULL_BITS)

    def update_bits(self, module: str, content: Content = "update") -> float:
        """Return the bits of one update (or model) of a module on a link, as the plan sends it."""
        return packed_bits(self.state_bits(module), self.precision_bits(module, content))

    def bits_of(self, modules: Iterable[str], content: Content) -> float:
        """Return the bits of updates (or models) of several modules on a link."""
        names = frozenset(modules)
        key = ("bits_of", names, content)
        if key not in self.memo:
            self.memo[key] = sum(self.update_bits(name, content) for name in sorted(names))
        return float(self.memo[key])

    @cached_property
    def profile_of(self) -> Mapping[str, Hashable]:
        """For each device what decides its work, modalities and data; many devices have the same."""
        known: dict[Hashable, Hashable] = {}
        found: dict[str, Hashable] = {}
        for device in self.devices:
            node = self.nodes[device]
            profile = (node.modalities, tuple((data.task, data.samples) for data in node.data))
            found[device] = known.setdefault(profile, profile)
        return found

    def state_bits(self, module: str) -> float:
        """Return the bits of a module that travels as it is."""
        spec = self.modules[module]
        if spec.update_bits is not None:
            return spec.update_bits
        return spec.parameters * self.instance.training.bits_per_parameter

    def _used(self, device: str) -> Mapping[str, int]:
        """Return the trainable modules that a device uses, with its samples of them."""
        key = ("used", self.profile_of[device])
        if key not in self.memo:
            self.memo[key] = self._samples_by_module(device)
        found: Mapping[str, int] = self.memo[key]
        return found

    def _samples_by_module(self, device: str) -> dict[str, int]:
        samples: dict[str, int] = {}
        for data in self.nodes[device].data:
            for module in self.modules_of(device, data.task):
                if module.trainable:
                    samples[module.id] = samples.get(module.id, 0) + data.samples
        return samples


def resolve_network(
    instance: Instance, duplex: Duplex = "as given", precisions: Precisions | None = None
) -> Network:
    """Return the network of a valid instance with the gains of all its links.

    Parameters
    ----------
    instance : Instance
        As read by :func:`hfedfm_opt.system.read.read_instance` or made by a generator.
    duplex : "as given", "full" or "half"
        Whether the devices' radios are taken as the instance says, or all of one kind.
    precisions : mapping of (str, str) to int or None
        With how many bits a parameter modules travel; ``None``: all with 32.
    """
    with collector_paused():
        edges = edges_of(instance)
    return Network(
        instance=instance,
        nodes={node.id: node for node in instance.nodes},
        bands={band.id: band for band in instance.bands},
        modules={module.id: module for module in instance.modules},
        tasks={task.id: task for task in instance.tasks},
        edges=edges,
        duplex=duplex,
        precisions=precisions or {},
    )
