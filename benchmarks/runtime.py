"""Measures the runtime's learning: what it reaches, and what it takes.

Run it with ``python -m benchmarks.runtime [speed|overhead|memory|accuracy]``; each prints one table.
"""

import argparse
import time
from itertools import product

import numpy as np
import torch
from torch.nn import functional

from fl_runtime.crews import training_clients
from fl_runtime.learn import learn
from fl_runtime.modules.adapters import normalised
from fl_runtime.schedule import (
    Aggregate,
    Compute,
    Deliver,
    Module,
    Node,
    Replica,
    RoundKind,
    Route,
    Schedule,
    Step,
    Training,
    Transfer,
    Wired,
)
from fl_runtime.variants import with_precision

LINK = Wired(rate_bps=1e7)
PAIRS = (("read", "spoken"), ("spoken", "cmp"), ("cmp", "read"))
MODALITIES = {"read": ("image", "text"), "spoken": ("audio", "text"), "cmp": ("image", "audio", "text")}
CYCLES = {
    "star": ("cloud",),
    "hierarchical:2": ("edge", "cloud"),
    "hierarchical:8": ("edge",) * 7 + ("cloud",),
    "edge-only": ("edge",),
}


KINDS = ("adapter", "lora", "prompt", "experts", "encoder")
"""Kinds of modules that a device may have for all of its tasks, besides a head for each."""


def federation(
    cycle, *, clusters=10, size=4, rounds=24, samples=96, training=None, kinds=("adapter",), transport_bits=32
):
    """Return a schedule: devices under edge servers under a cloud, two of three tasks on each device.

    ``cycle`` names round kinds: ``edge`` (servers average), ``cloud`` (the cloud does), ``local`` (nobody);
    ``kinds`` says which modules of ``KINDS`` each device has.
    """
    cells = {f"e{c}": [f"d{c * size + i}" for i in range(size)] for c in range(clusters)}
    devices = [device for cell in cells.values() for device in cell]
    tasks = {device: PAIRS[index % 3] for index, device in enumerate(devices)}
    modules = [module for kind in kinds for module in _modules_of(kind)]
    shared = [module.id for module in modules]
    held = {d: (*shared, *(f"head-{t}" for t in tasks[d])) for d in devices}
    modules += [
        Module(id=f"head-{task}", kind="head", update_bits=1e4, trainable=True, task=task)
        for task in MODALITIES
    ]
    weight = dict.fromkeys(shared, 2.0 * samples)
    replicas = [
        Replica(module=m, host=d, weight=weight.get(m, float(samples))) for d in devices for m in held[d]
    ]
    routes = [
        Route(
            device=d,
            task=t,
            samples=samples,
            modalities=MODALITIES[t],
            hosts={**dict.fromkeys(shared, d), f"head-{t}": d},
        )
        for d in devices
        for t in tasks[d]
    ]
    works = [Compute(id=f"work-{d}", node=d, flops=1.0) for d in devices]
    kinds_of_round = {
        "local": RoundKind(name="local", steps=tuple(works)),
        "edge": RoundKind(name="edge", steps=(*works, *_averaging(cells, held, to_cloud=False))),
        "cloud": RoundKind(
            name="cloud", steps=(*works, *_averaging(cells, held, to_cloud=True)), reaches_cloud=True
        ),
    }
    schedule = Schedule(
        name="-".join(cycle),
        nodes=tuple(Node(id=n, tier="any") for n in (*devices, *cells, "cloud")),
        bands=(),
        modules=tuple(modules),
        replicas=tuple(replicas),
        routes=tuple(routes),
        kinds=tuple(kinds_of_round[name] for name in sorted(set(cycle))),
        cycle=tuple(cycle),
        rounds=rounds,
        training=training or Training(),
    )
    return schedule if transport_bits == 32 else with_precision(schedule, transport_bits)


def _modules_of(kind):
    sizes = {"update_bits": 1e5, "trainable": True}
    if kind == "experts":
        group = {**sizes, "expert_group": "mixture"}
        experts = [Module(id=f"expert-{number}", kind="expert", **group) for number in range(4)]
        return [*experts, Module(id="gate", kind="gate", **group)]
    if kind == "encoder":
        return [
            Module(id=f"encoder-{name}", kind="encoder", modality=name, **sizes)
            for name in ("audio", "image", "text")
        ]
    return [Module(id=kind, kind=kind, **sizes)]


def _averaging(cells, held, to_cloud):
    steps: list[Step] = []
    everything = tuple(sorted({module for modules in held.values() for module in modules}))
    for server, cell in cells.items():
        of_cell = tuple(sorted({module for device in cell for module in held[device]}))
        steps.extend(_send(f"up-{d}", f"work-{d}", (d, server), held[d], "update") for d in cell)
        arrived = tuple(f"up-{d}" for d in cell)
        steps.append(Aggregate(id=f"average-{server}", after=arrived, node=server, modules=of_cell))
        ready = f"average-{server}"
        if to_cloud:
            steps.append(_send(f"up-{server}", ready, (server, "cloud"), of_cell, "update"))
            ready = f"down-{server}"
            steps.append(_send(ready, "average-cloud", ("cloud", server), of_cell, "model"))
        steps.extend(_send(f"down-{d}", ready, (server, d), held[d], "model") for d in cell)
    if to_cloud:
        arrived = tuple(f"up-{server}" for server in cells)
        steps.append(Aggregate(id="average-cloud", after=arrived, node="cloud", modules=everything))
    downs = tuple(f"down-{d}" for d in held)
    steps.append(Deliver(id="deliver", after=downs, nodes=tuple(held), modules=everything))
    return tuple(steps)


def _send(name, after, ends, modules, content):
    source, target = ends
    return Transfer(
        id=name,
        after=(after,),
        source=source,
        target=target,
        content=content,
        modules=modules,
        bits=1e5,
        medium=LINK,
    )


def train_one_by_one(model, cohorts, state, batches, training, prefixes=None, devices=None):
    """Train the clients one after another, each with its own optimiser; the oracle of the stacked engine.

    Clients that use a common replica take each step together, and it descends the sum of their losses.
    Without ``prefixes`` the frozen part of the model is run for each batch, as a loop over devices would.
    Nothing is copied between clients but what they train.
    """
    result = {name: rows.copy() for name, rows in state.items()}
    for group in _that_share_replicas(cohorts, devices):
        jobs, own = [], {}
        for device, (place, cohort) in product(group, enumerate(cohorts)):
            clients = training_clients(cohort).tolist()
            if device not in cohort.devices or cohort.devices.index(device) not in clients:
                continue
            client = cohort.devices.index(device)
            keys = {part.slot: (part.module, part.rows[client]) for part in cohort.parts}
            for name, row in keys.values():
                own.setdefault((name, row), _leaf(state[name][row], model.device))
            pool = None if prefixes is None else prefixes[place].train
            jobs.append((cohort, keys, batches[place][clients.index(client)], pool))
        if not own:
            continue
        part_of_rate = {"encoder": training.encoder_rate, "backbone": training.backbone_rate}
        rates = {
            part.module: training.learning_rate * part_of_rate.get(part.kind, 1.0)
            for cohort, *_ in jobs
            for part in cohort.parts
        }
        optimiser = torch.optim.AdamW(
            [{"params": [tensor], "lr": rates[name]} for (name, _), tensor in own.items()], fused=True
        )
        for step in range(training.local_steps):
            losses = []
            for cohort, keys, batch, pool in jobs:
                parts = {slot: own[key] for slot, key in keys.items()}
                logits, imbalance = _one_client(model, cohort, parts, batch[step], pool)
                labels = torch.tensor(cohort.task.train.labels[batch[step]], device=model.device)
                losses += [functional.cross_entropy(logits, labels), training.balance_weight * imbalance]
            optimiser.zero_grad()
            torch.autograd.backward(sum(losses))
            optimiser.step()
        for (name, row), parameters in own.items():
            result[name][row] = parameters.detach().cpu().numpy()
    return result


def _that_share_replicas(cohorts, only=None):
    """Return the devices (``only`` some, if given) in groups that use no common replica."""
    groups = []
    for cohort in cohorts:
        for client, device in enumerate(cohort.devices):
            if only is not None and device not in only:
                continue
            used = {(part.module, int(part.rows[client])) for part in cohort.parts} | {device}
            touched = [group for group in groups if group[1] & used]
            groups = [group for group in groups if not group[1] & used]
            together = {device}.union(*(group[0] for group in touched))
            groups.append((together, used.union(*(group[1] for group in touched))))
    return sorted(sorted(devices) for devices, _ in groups)


def _leaf(values, device):
    return torch.tensor(values, device=device, requires_grad=True)


def _one_client(model, cohort, parts, chosen, pool):
    """Return one client's logits (batch, classes) and imbalance of experts, with plain linear layers."""
    head = parts["head"]
    if pool is None:
        inputs = {
            name: torch.tensor(cohort.task.train.inputs[name][chosen], device=model.device)
            for name in cohort.modalities
        }
        tokens = _prefix(model, inputs, parts)
    else:
        tokens = pool[torch.from_numpy(chosen).to(model.device)]
    width = tokens.shape[2]
    tokens, imbalance = _through_experts(tokens, cohort, parts, model.size)
    first, second = parts["adapter"].chunk(2) if "adapter" in parts else (None, None)
    tokens = _adapted(tokens, first, model.size)
    if "prompt" in parts:
        prompt = parts["prompt"].view(1, -1, width)
        tokens = torch.cat([tokens, prompt.expand(len(tokens), -1, -1)], dim=1)
    block, norm = _block_and_norm(model, parts)
    features = norm(_adapted(block(tokens, num_read=1)[:, 0], second, model.size))
    weight = head[: -cohort.task.num_classes].view(width, -1)
    return functional.linear(features, weight.T, head[-cohort.task.num_classes :]), imbalance


def _prefix(model, inputs, parts):
    """Run encoders with the client's own weights in place of the shipped ones."""
    encoded = {}
    for name, values in inputs.items():
        encoder, flat = model.encoders[name], parts.get(f"encoder-{name}")
        if flat is None:
            encoded[name] = encoder(values)
            continue
        shapes = {key: weight.shape for key, weight in encoder.named_parameters()}
        split = flat.split([shape.numel() for shape in shapes.values()])
        weights = {key: part.view(shapes[key]) for key, part in zip(shapes, split, strict=True)}
        encoded[name] = torch.func.functional_call(encoder, weights, (values,))
    return model.prefix_of_encoded(encoded)


def _through_experts(tokens, cohort, parts, size):
    """Run every expert on every token, and drop what was not chosen."""
    if not cohort.experts:
        return tokens, tokens.new_zeros(())
    normed = functional.layer_norm(tokens, (size.width,))
    gate = parts["gate"].view(size.width, -1)[:, [part.column for part in cohort.experts]]
    probabilities = torch.softmax(normed @ gate, dim=-1)
    ranks = probabilities.argsort(dim=-1, descending=True).argsort(dim=-1)
    is_chosen = (ranks < cohort.experts_per_token).float()  # (batch, tokens, experts)
    for index, part in enumerate(cohort.experts):
        weight = (probabilities * is_chosen)[..., index, None]
        tokens = tokens + weight * _perceptron(normed, parts[part.slot], size.width, size.expert_bottleneck)
    shares = is_chosen.flatten(0, 1).mean(dim=0) / is_chosen[0, 0].sum()
    return tokens, len(cohort.experts) * (shares * probabilities.flatten(0, 1).mean(dim=0)).sum()


def _block_and_norm(model, parts):
    """Return the last block and the norm as functions, with the client's own weights where it has some."""
    if "backbone" not in parts and "lora" not in parts:
        return model.blocks[-1], model.norm  # as they are: replacing weights would take time
    weights, norm = _last_block_and_norm(model, parts.get("backbone"))
    weights = _with_low_rank(weights, parts.get("lora"), model.size)
    call = torch.func.functional_call
    return (
        lambda *inputs, **options: call(model.blocks[-1], weights, inputs, options),
        lambda *inputs: call(model.norm, norm, inputs),
    )


def _last_block_and_norm(model, flat):
    """Return the last block's and the norm's weights by name, the client's own in place of the shared."""
    shared = [dict(layer.named_parameters()) for layer in (model.blocks[-1], model.norm)]
    if flat is None:
        return shared
    start = 0
    for weights in shared:
        for name, weight in weights.items():
            weights[name] = flat[start : start + weight.numel()].view(weight.shape)
            start += weight.numel()
    return shared


def _with_low_rank(weights, flat, size):
    """Return the weights of a block with W + (down up)^T in place of W."""
    result, start = dict(weights), 0
    for name in ("query", "key_value", "join", "expand", "contract") if flat is not None else ():
        outer, inner = weights[f"{name}.weight"].shape
        middle, end = start + inner * size.rank, start + (inner + outer) * size.rank
        product = flat[start:middle].view(inner, -1) @ flat[middle:end].view(-1, outer)
        result[f"{name}.weight"] = weights[f"{name}.weight"] + product.T
        start = end
    return result


def _adapted(tokens, flat, size):
    if flat is None:
        return tokens
    return tokens + _perceptron(normalised(tokens), flat, size.width, size.bottleneck)


def _perceptron(normed, flat, width, bottleneck):
    product = width * bottleneck
    down, up, bias_down, bias_up = torch.split(flat, [product, product, bottleneck, width])
    hidden = functional.gelu(functional.linear(normed, down.view(width, -1).T, bias_down))
    return functional.linear(hidden, up.view(-1, width).T, bias_up)


def measure_accuracy(seeds, samples, rounds, training):
    total = time.perf_counter()
    for name, cycle in CYCLES.items():
        schedule = federation(cycle, samples=samples, rounds=rounds, training=training)
        start = time.perf_counter()
        curves = [learn(schedule, seed=seed) for seed in range(seeds)]
        seconds = (time.perf_counter() - start) / seeds
        sync = [100 * np.mean(list(curve.at_last_sync.values())) for curve in curves]
        late = [100 * np.mean(list(curve.late_average.values())) for curve in curves]
        print(
            f"{name:15} last sync {np.mean(sync):5.1f} +- {np.std(sync):3.1f} %   "
            f"last third {np.mean(late):5.1f} +- {np.std(late):3.1f} %   {seconds:5.1f} s a run",
            flush=True,
        )
    print(f"all {len(CYCLES) * seeds} runs: {time.perf_counter() - total:.0f} s")


def main():
    from benchmarks import runtime_costs

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "what", choices=("speed", "overhead", "memory", "accuracy"), nargs="?", default="speed"
    )
    parser.add_argument("--clients", type=_counts, default=(40,), help="devices, such as 40,1000")
    parser.add_argument("--modules", type=_kinds, default=("adapter",), help="some of " + ",".join(KINDS))
    parser.add_argument("--batch-size", type=int, default=Training().batch_size)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--precision", default="float32", help="float32 or bfloat16")
    parser.add_argument("--transport-bits", type=_counts, default=(32, 4), help="of overhead and memory")
    parser.add_argument("--seeds", type=int, default=3, help="of accuracy")
    parser.add_argument("--samples", type=int, default=96, help="per device and task")
    parser.add_argument("--rounds", type=int, help="24 for accuracy, 12 for overhead, 2 for memory")
    parser.add_argument("--local-steps", type=int, default=Training().local_steps)
    parser.add_argument("--learning-rate", type=float, default=Training().learning_rate)
    options = parser.parse_args()
    if options.what != "accuracy":
        getattr(runtime_costs, f"measure_{options.what}")(options)
        return
    training = Training(local_steps=options.local_steps, learning_rate=options.learning_rate)
    measure_accuracy(options.seeds, options.samples, options.rounds or 24, training)


def _counts(text):
    return tuple(int(part) for part in text.split(","))


def _kinds(text):
    kinds = tuple(part for part in text.split(",") if part != "head")  # each device has heads anyway
    unknown = set(kinds) - set(KINDS)
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown {', '.join(sorted(unknown))}: take {', '.join(KINDS)}")
    return kinds


if __name__ == "__main__":
    main()
