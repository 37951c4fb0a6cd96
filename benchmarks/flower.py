"""Plans on Flower beside the local engine and Flower's own FedAvg: ``python benchmarks/flower.py``.

All on one simulation of 40 SuperNodes, a device of the published network each.  First every plan is trained
by both engines and their models compared.  Then the schedule of ``star`` and Flower's FedAvg take turns, some
rounds each, on the same clients with the same data: both train, average and test.
"""

import argparse
import statistics
import threading
import time
from dataclasses import replace

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg

from fl_runtime import LearningSettings, run
from fl_runtime.cohorts import form_cohorts
from fl_runtime.device import part_of, train_devices, training_devices
from fl_runtime.flower import GridTraining, client, client_app
from fl_runtime.flower.messages import JOB
from fl_runtime.flower.simulation import run_server
from fl_runtime.learning_draws import initial_state
from fl_runtime.modules.weights import load_frozen
from fl_runtime.schedule_json import schedule_text
from fl_runtime.tasks import digits_workload
from fl_runtime.training import accuracy_of_devices, prefixes_of
from hfedfm_opt import plan, read_instance

PLANNERS = ("star", "hierarchical:2", "hierarchical:8", "hierarchical+d2d:2", "consensus:2")


def both_client(schedule):
    """Return a ClientApp that takes the messages of both: of the schedule, and of FedAvg."""
    app = ClientApp()
    parts = [schedule_text(part_of(schedule, [device])) for device in training_devices(schedule)]
    data, shared = client._Maker("digits", client._digits), client._Maker("compact", client._compact)

    @app.train()
    def train(message, context):
        if JOB in message.content.config_records:
            return client_app(message, context)
        text = parts[int(context.node_config["partition-id"])]
        own, part = client._own(text, 0, data, shared), client._part(text)
        num_examples = sum(route.samples for route in part.routes)
        arrays = message.content["arrays"].to_torch_state_dict()
        before = {name: values.numpy()[None] for name, values in arrays.items()}
        round_index = int(message.content["config"]["server-round"]) - 1
        after = train_devices(own, load_frozen(), part.training, 0, before, round_index)
        content = RecordDict(
            {
                "arrays": ArrayRecord({name: _array(rows[0]) for name, rows in after.items()}),
                "metrics": MetricRecord({"num-examples": num_examples}),
            }
        )
        return Message(content, reply_to=message)

    @app.query()
    def query(message, context):
        return client_app(message, context)

    return app


def _array(values):
    return Array(np.ascontiguousarray(values))


def compare_models(grid, schedules, stop):
    for name, schedule in schedules.items():
        training = GridTraining(grid, schedule, 0, num_nodes=40, stop=stop)
        there = run(schedule, learning=LearningSettings(local=training)).learning
        start = time.perf_counter()
        here = run(schedule).learning
        local = (time.perf_counter() - start) / schedule.rounds
        apart = max(float(np.abs(here.state[m] - there.state[m]).max()) for m in here.state)
        flower = statistics.median(round_.wall_s for round_ in training.rounds)
        to, back = training.rounds[-1].bytes_to_nodes, training.rounds[-1].bytes_from_nodes
        print(
            f"{name:18} {schedule.rounds} rounds: largest difference of a weight {apart:.1e}, of an accuracy "
            f"{np.abs(here.accuracy - there.accuracy).max():.1e}; {flower:.2f} s a round on Flower, "
            f"{local:.2f} s here; {to / 1e6:.2f} MB out, {back / 1e6:.2f} MB back a round",
            flush=True,
        )


def compare_overheads(grid, schedule, stop, turns, rounds):
    """Print the time of a round of the schedule of ``star`` and of FedAvg, taking turns."""
    model = load_frozen()
    cohorts = form_cohorts(schedule, digits_workload(), 0)
    prefixes, first = prefixes_of(model, cohorts), initial_state(schedule, cohorts, 0)
    turn = replace(schedule, rounds=rounds)

    def test(server_round, arrays):
        if server_round == 0:
            return None  # FedAvg tests the first model too
        values = {name: array.numpy() for name, array in arrays.items()}
        state = {name: np.tile(values[name], (len(rows), 1)) for name, rows in first.items()}
        return MetricRecord(accuracy_of_devices(model, cohorts, prefixes, state))

    seconds = {"schedule": [], "FedAvg": []}
    for number in range(turns + 1):
        start = time.perf_counter()
        training = GridTraining(grid, turn, 0, num_nodes=40, stop=stop)
        run(turn, learning=LearningSettings(local=training))
        seconds["schedule"].append((time.perf_counter() - start) / rounds)
        strategy = FedAvg(fraction_evaluate=0.0, min_train_nodes=40, min_available_nodes=40)
        arrays = ArrayRecord({name: _array(rows[0]) for name, rows in first.items()})
        start = time.perf_counter()
        strategy.start(grid, arrays, num_rounds=rounds, train_config=ConfigRecord(), evaluate_fn=test)
        seconds["FedAvg"].append((time.perf_counter() - start) / rounds)
        label = f"turn {number}" if number else "warm-up"
        print(f"{label}: {', '.join(f'{name} {values[-1]:.3f} s' for name, values in seconds.items())}")
    ratios = [ours / theirs for ours, theirs in zip(*seconds.values(), strict=True)][1:]
    print(
        f"a round of the schedule takes {statistics.median(ratios):.2f} times one of FedAvg (median of turns)"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--only", choices=("models", "overhead"))
    options = parser.parse_args()
    instance = read_instance("instances/paper-40.json")
    schedules = {name: plan(instance, planner=name).plan.compile(options.rounds) for name in PLANNERS}
    server, stop = ServerApp(), threading.Event()

    @server.main()
    def serve(grid, context):
        if options.only != "overhead":
            compare_models(grid, schedules, stop)
        if options.only != "models":
            compare_overheads(grid, schedules["star"], stop, options.turns, rounds=4)

    run_server(server, both_client(schedules["star"]), 40, stop=stop)


if __name__ == "__main__":
    main()
