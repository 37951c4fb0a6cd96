"""A federated loop in plain PyTorch, driven by a schedule.

``python examples/pytorch_loop.py`` (extra ``runtime``).  The model, the data and the training are yours.
The schedule says who trains which module, and what becomes of the replicas of each module at the end of
each round: one mixing matrix per module and kind of round.
"""

import numpy as np
import torch
from sklearn.datasets import load_digits

from fl_runtime import play
from fl_runtime.aggregation import mixings
from hfedfm_opt import plan, read_instance

torch.manual_seed(0)
schedule = plan(read_instance("instances/paper-40.json"), planner="hierarchical:2").plan.compile(rounds=8)
images, labels = (torch.tensor(array) for array in load_digits(return_X_y=True))
images = images.float() / 16


def new(module):
    """Return a part of the model: one hidden layer for all tasks, a head for each task."""
    return torch.nn.Linear(64, 32) if module.kind == "adapter" else torch.nn.Linear(32, 10)


def vector(part):
    """Return all parameters of a part as one array."""
    return torch.nn.utils.parameters_to_vector(part.parameters()).detach().numpy()


hosts = {}  # of each trained module the nodes with a replica, in the order of the schedule
for replica in schedule.replicas:
    hosts.setdefault(replica.module, []).append(replica.host)
parts = {module.id: new(module) for module in schedule.modules if module.trainable}
state = {name: np.tile(vector(part), (len(hosts[name]), 1)) for name, part in parts.items()}
mixing = {kind.name: mixings(schedule, kind) for kind in schedule.kinds}
timeline = play(schedule)  # the seconds and joules of every step

for index in range(schedule.rounds):
    kind = schedule.kind_of_round(index)
    for route in schedule.routes:  # a device and one of its tasks
        used = [name for name, host in route.hosts.items() if name in parts and host == route.device]
        for name in used:
            row = torch.tensor(state[name][hosts[name].index(route.device)])
            torch.nn.utils.vector_to_parameters(row, parts[name].parameters())
        hidden = next(parts[name] for name in used if name == "adapter")
        head = next(parts[name] for name in used if name != "adapter")
        optimiser = torch.optim.SGD([*hidden.parameters(), *head.parameters()], lr=0.5)
        draw = np.random.default_rng([index, sum(route.device.encode())])
        for _ in range(schedule.training.local_steps):
            batch = draw.choice(len(labels), schedule.training.batch_size)
            optimiser.zero_grad()
            output = head(torch.relu(hidden(images[batch])))
            torch.nn.functional.cross_entropy(output, labels[batch]).backward()
            optimiser.step()
        for name in used:
            state[name][hosts[name].index(route.device)] = vector(parts[name])
    state = {name: mixing[kind.name][name].apply(rows) for name, rows in state.items()}
    different = len(np.unique(state["adapter"], axis=0))
    print(
        f"round {index} ({kind.name}): {different} different adapters, "
        f"{timeline.round_end_s[index]:.2f} s, {timeline.energy_j[index]:.2f} J"
    )
