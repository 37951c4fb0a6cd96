"""A Flower strategy that takes from a plan whom to ask when, and at what pace.

``python examples/flower_strategy.py`` (extra ``flower``).  The plan says which devices belong together and
allocates band, power and CPU frequency.  In each round the strategy asks the devices of one cluster and
tells each the seconds and resources that the plan gives it.  Model, training and average stay Flower's.
"""

import os
import time

os.environ |= {"FLWR_TELEMETRY_ENABLED": "0", "RAY_USAGE_STATS_ENABLED": "0"}
os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"  # Ray leaves the visible accelerators as they are

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation
from sklearn.datasets import load_digits

from fl_runtime import play
from hfedfm_opt import plan, read_instance

ROUNDS = 4


def paces(instance):
    """Return by cluster, and for each of its devices, what the plan gives it."""
    found = plan(instance, planner="hierarchical+d2d:2").plan
    timeline = play(found.compile(rounds=1))
    sent_s = {
        node: end
        for node, action, end in zip(timeline.node, timeline.action, timeline.end_s, strict=True)
        if action == "transfer"
    }
    hops = {hop.source: hop for cluster in found.decisions.clusters for hop in cluster.gather}
    frequency_hz = {entry.device: entry.frequency_hz for entry in found.decisions.frequencies}
    return {
        cluster.id: {
            device: {
                "device": device,
                "seconds": float(sent_s.get(device, 0.0)),
                "band-hz": float(hops[device].band_hz or 0.0) if device in hops else 0.0,
                "power-w": float(hops[device].power_w or 0.0) if device in hops else 0.0,
                "frequency-hz": float(frequency_hz.get(device, 0.0)),
            }
            for device in cluster.members
        }
        for cluster in found.decisions.clusters
    }


class PacedFedAvg(FedAvg):
    """FedAvg over one cluster of a plan in each round, its devices told their pace."""

    def __init__(self, clusters, **options):
        super().__init__(fraction_evaluate=0.0, **options)
        self.clusters = clusters

    def configure_train(self, server_round, arrays, config, grid):
        """Ask the devices of the round's cluster."""
        devices = [device for members in self.clusters.values() for device in members]
        while len(nodes := sorted(grid.get_node_ids())) < len(devices):
            time.sleep(0.1)  # they are still coming
        node_of = dict(zip(devices, nodes, strict=True))
        name, members = list(self.clusters.items())[(server_round - 1) % len(self.clusters)]
        slowest = max(pace["seconds"] for pace in members.values())
        print(f"round {server_round}: {len(members)} devices of {name}, planned {slowest:.3f} s", flush=True)
        for device, pace in members.items():
            told = ConfigRecord({"server-round": server_round, **pace})
            content = RecordDict({self.arrayrecord_key: arrays, self.configrecord_key: told})
            yield Message(content, node_of[device], "train")


client = ClientApp()


@client.train()
def train(message, context):
    """Take some steps of softmax regression on this device's digits; a real device would keep to its pace."""
    told, weights = message.content["config"], message.content["arrays"].to_numpy_ndarrays()[0]
    images, labels = load_digits(return_X_y=True)
    mine = np.random.default_rng(sum(told["device"].encode())).choice(len(labels), 64)
    inputs, wanted = images[mine] / 16, np.eye(10)[labels[mine]]
    for _ in range(20):
        scores = np.exp(inputs @ weights - (inputs @ weights).max(axis=1, keepdims=True))
        weights = weights - inputs.T @ (scores / scores.sum(axis=1, keepdims=True) - wanted) / len(mine)
    metrics = MetricRecord({"num-examples": len(mine), "planned-s": told["seconds"]})
    content = RecordDict({"arrays": ArrayRecord([weights]), "metrics": metrics})
    return Message(content, reply_to=message)


def main():
    """Train for some rounds, and test the model."""
    clusters = paces(read_instance("instances/paper-40.json"))
    server, images, labels = ServerApp(), *load_digits(return_X_y=True)

    @server.main()
    def serve(grid, context):
        result = PacedFedAvg(clusters).start(grid, ArrayRecord([np.zeros((64, 10))]), num_rounds=ROUNDS)
        weights = result.arrays.to_numpy_ndarrays()[0]
        print(f"accuracy {np.mean((images @ weights).argmax(axis=1) == labels):.2f}")

    resources = {"init_args": {"num_cpus": 2}, "client_resources": {"num_cpus": 1}}
    run_simulation(server, client, sum(map(len, clusters.values())), backend_config=resources)


if __name__ == "__main__":
    main()
