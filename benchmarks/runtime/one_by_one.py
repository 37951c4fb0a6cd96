"""The training of a round, client after client: the oracle of the stacked engine, and its peer."""

from itertools import product

import torch
from torch.nn import functional

from fl_runtime.crews import training_clients
from fl_runtime.modules.adapters import normalised


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
