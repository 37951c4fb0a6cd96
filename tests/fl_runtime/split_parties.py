"""Split execution, party by party: each node holds its replicas, and only arrays of numbers pass between.

A device runs what it hosts and the frozen part.  Where another node hosts a module, the device sends the
numbers that enter it, as an array cut off from every graph; the host computes with its own parameters and
sends the result.  Later the device sends the gradient of the result, and gets that of what it sent, if
anything below learns.  Nothing here is stacked, and nothing is taken from the engine but the frozen model.
"""

import numpy as np
import torch
from torch.nn import functional


class Node:
    """A party: replicas, their gradients, and results whose gradients have not come yet."""

    def __init__(self, model, replicas, training):
        self._model = model
        self.parameters = {
            part.module: torch.tensor(values, requires_grad=part.trained) for part, values in replicas
        }
        for parameters in self.parameters.values():
            if parameters.requires_grad:
                parameters.grad = torch.zeros_like(parameters)
        groups = [
            {
                "params": [self.parameters[part.module]],
                "lr": training.learning_rate
                * {"encoder": training.encoder_rate, "backbone": training.backbone_rate}.get(part.kind, 1.0),
            }
            for part, _ in replicas
            if part.trained
        ]
        self._optimiser = torch.optim.AdamW(groups) if groups else None
        self._open = {}

    def work(self, part, place, numbers, **options):
        """Return the result with its graph: for what the node does for itself."""
        return WORKS[part.kind](self._model, self.parameters[part.module], part, place, numbers, **options)

    def serve(self, part, place, array):
        """Return the number of the request and the result as an array; keep the graph."""
        numbers = torch.tensor(array)
        if numbers.is_floating_point():
            numbers.requires_grad_()
        with torch.enable_grad():
            result = self.work(part, place, numbers)
        ticket = len(self._open)
        self._open[ticket] = numbers, result
        return ticket, result.detach().numpy().copy()

    def take_gradient(self, ticket, array, wanted):
        """Add to the gradients of the parameters; return that of what was sent, if it is wanted."""
        numbers, result = self._open[ticket]
        result.backward(torch.tensor(array))
        return numbers.grad.numpy().copy() if wanted else None

    def step(self):
        """Descend; return the gradients that were descended."""
        found = {name: p.grad.clone() for name, p in self.parameters.items() if p.grad is not None}
        if self._optimiser is not None:
            self._optimiser.step()
            self._optimiser.zero_grad(set_to_none=False)
        self._open.clear()
        return found


class _Cut(torch.autograd.Function):
    """Where a device's graph ends and goes on: all that crosses are the arrays of ``wire``."""

    @staticmethod
    def forward(ctx, trigger, numbers, ask):
        ctx.ask = ask
        ctx.ticket, result = ask("serve", numbers.detach().numpy().copy())
        return torch.tensor(result)

    @staticmethod
    def backward(ctx, gradient):
        back = ctx.ask("gradient", gradient.numpy().copy(), ctx.ticket, ctx.needs_input_grad[1])
        return torch.zeros(()), None if back is None else torch.tensor(back), None


class Parties:
    """All nodes of a schedule; ``sent`` counts numbers by (source, target, module)."""

    def __init__(self, model, schedule, cohorts, state, training):
        self.model, self.training, self.sent = model, training, {}
        self.cohorts, self.state = cohorts, state
        part_of = {part.module: part for cohort in cohorts for part in cohort.parts}
        self.hosts = {}
        for replica in schedule.replicas:
            self.hosts.setdefault(replica.module, []).append(replica.host)
        self.nodes = {
            node.id: Node(
                model,
                [
                    (part_of[name], state[name][hosts.index(node.id)].copy())
                    for name, hosts in self.hosts.items()
                    if name in part_of and node.id in hosts
                ],
                training,
            )
            for node in schedule.nodes
        }

    def train(self, batches, num_steps):
        """Return the states after ``num_steps`` steps of all devices together, and each step's gradients."""
        gradients = []
        for step in range(num_steps):
            for cohort, batch in zip(self.cohorts, batches, strict=True):
                clients = [client for client, held in enumerate(cohort.held) if len(held)]
                for place, client in enumerate(clients):
                    self._descend(cohort, client, batch[place][step])
            gradients.append({name: node.step() for name, node in self.nodes.items()})
        states = {
            name: np.stack([self.nodes[h].parameters[name].detach().numpy() for h in self.hosts[name]])
            for name in self.state
        }
        return states, gradients

    def _descend(self, cohort, client, chosen):
        device = Device(self, cohort, client)
        logits, imbalance = device.logits(chosen)
        labels = torch.tensor(cohort.task.train.labels[chosen])
        loss = functional.cross_entropy(logits, labels) + self.training.balance_weight * imbalance
        loss.backward()

    def count(self, source, target, module, array):
        key = source, target, module
        self.sent[key] = self.sent.get(key, 0) + array.size


class Device:
    """One device and task: the forward pass, with what is hosted elsewhere asked for."""

    def __init__(self, parties, cohort, client):
        self.parties, self.cohort, self.name = parties, cohort, cohort.devices[client]
        self.part = {part.slot: part for part in cohort.parts}
        self.host = {part.slot: parties.hosts[part.module][part.rows[client]] for part in cohort.parts}

    def call(self, slot, numbers, place="", **options):
        part, host = self.part[slot], self.host[slot]
        node = self.parties.nodes[host]
        if host == self.name:
            return node.work(part, place, numbers, **options)
        assert not options, "a host runs its module alone"

        def ask(what, array, ticket=None, wanted=True):
            if part.kind != "prompt" or what == "gradient":  # for a prompt nothing is sent but gradients
                self.parties.count(self.name, host, part.module, array)
            if what == "serve":
                ticket, result = node.serve(part, place, array)
                self.parties.count(host, self.name, part.module, result)
                return ticket, result
            back = node.take_gradient(ticket, array, wanted and part.kind != "prompt")
            if back is not None:
                self.parties.count(host, self.name, part.module, back)
            return back

        return _Cut.apply(torch.zeros((), requires_grad=part.trained), numbers, ask)

    def logits(self, chosen):
        model, cohort = self.parties.model, self.cohort
        encoded = {}
        for name in cohort.modalities:
            inputs = torch.tensor(cohort.task.train.inputs[name][chosen])
            slot = f"encoder-{name}"
            encoded[name] = self.call(slot, inputs) if slot in self.part else model.encoders[name](inputs)
        tokens = model.prefix_of_encoded(encoded)  # (batch, tokens, width)
        tokens, imbalance = self.through_experts(tokens)
        if "adapter" in self.part:
            tokens = self.call("adapter", tokens, "first")
        if "prompt" in self.part:
            prompt = self.call("prompt", torch.zeros(0)).view(1, -1, tokens.shape[2])
            tokens = torch.cat([tokens, prompt.expand(len(tokens), -1, -1)], dim=1)
        read = self.read_out(tokens, {"added": self.added} if "lora" in self.part else {})
        return self.call("head", read[:, 0]), imbalance

    def read_out(self, tokens, options):
        """Run the last block and the norm, with an adapter between them if the device has one."""
        model, adapted = self.parties.model, "adapter" in self.part
        if "backbone" not in self.part:
            block = model.blocks[-1]
            read = _read(block, dict(block.named_parameters()), tokens, **options)
            return model.norm(self.call("adapter", read, "second") if adapted else read)
        if not adapted:
            return self.call("backbone", tokens, "both", **options)
        read = self.call("adapter", self.call("backbone", tokens, "block", **options), "second")
        return self.call("backbone", read, "norm")

    def added(self, layer, tokens):
        """Return what the LoRA adds to a layer's result."""
        return self.call("lora", tokens, layer)

    def through_experts(self, tokens):
        experts = self.cohort.experts
        if not experts:
            return tokens, torch.zeros(())
        normed = functional.layer_norm(tokens, tokens.shape[-1:])
        scores = self.call("gate", normed)[..., [part.column for part in experts]]
        probabilities = torch.softmax(scores, dim=-1)
        chosen = probabilities.topk(min(self.cohort.experts_per_token, len(experts)), dim=-1).indices
        result, shares = tokens, []
        for index, part in enumerate(experts):
            goes = (chosen == index).any(dim=-1)  # (batch, tokens)
            shares.append((chosen == index).float().mean())
            if goes.any():
                made = self.call(part.slot, normed[goes])  # only the tokens that are routed to it
                result = result.index_put(
                    goes.nonzero(as_tuple=True), made * probabilities[goes][:, index, None], accumulate=True
                )
        mean = probabilities.flatten(0, 1).mean(dim=0)
        return result, len(experts) * (torch.stack(shares) * mean).sum()


def _encode(model, flat, part, place, inputs):
    encoder = model.encoders[part.modality]
    shapes = {name: weight.shape for name, weight in encoder.named_parameters()}
    pieces = flat.split([shape.numel() for shape in shapes.values()])
    weights = {name: piece.view(shapes[name]) for name, piece in zip(shapes, pieces, strict=True)}
    return torch.func.functional_call(encoder, weights, (inputs,))


def _adapt(model, flat, part, place, tokens):
    half = flat[: len(flat) // 2] if place == "first" else flat[len(flat) // 2 :]
    normed = functional.layer_norm(tokens, tokens.shape[-1:])
    return tokens + _perceptron(half, normed, model.size.bottleneck)


def _expert(model, flat, part, place, normed):
    return _perceptron(flat, normed, model.size.expert_bottleneck)


def _perceptron(flat, normed, hidden):
    width = normed.shape[-1]
    down, up = flat[: width * hidden].view(width, hidden), flat[width * hidden :][: width * hidden]
    bias = flat[2 * width * hidden :]
    inner = functional.gelu(normed @ down + bias[:hidden])
    return inner @ up.view(hidden, width) + bias[hidden:]


def _gate(model, flat, part, place, normed):
    return normed @ flat.view(normed.shape[-1], -1)


def _prompt(model, flat, part, place, nothing):
    return flat * 1.0


def _low_rank(model, flat, part, layer, tokens):
    start, rank = 0, model.size.rank
    for name in ("query", "key_value", "join", "expand", "contract"):
        weight = model.blocks[-1].get_submodule(name).weight
        outer, inner = weight.shape
        if name == layer:
            down = flat[start : start + inner * rank].view(inner, rank)
            return tokens @ down @ flat[start + inner * rank :][: rank * outer].view(rank, outer)
        start += rank * (inner + outer)
    raise KeyError(layer)


def _read(block, weights, tokens, added=None):
    """Return the first token after a block, layer by layer with plain products, (batch, 1, width)."""

    def layer(name, numbers):
        result = functional.linear(numbers, weights[f"{name}.weight"], weights[f"{name}.bias"])
        return result if added is None else result + added(name, numbers)

    def norm(name, numbers):
        width = numbers.shape[-1:]
        return functional.layer_norm(numbers, width, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def by_head(numbers):
        return numbers.unflatten(-1, (block.num_heads, -1)).transpose(1, 2)  # (batch, heads, tokens, part)

    normed = norm("norm_attention", tokens)
    query = by_head(layer("query", normed[:, :1]))
    key, value = (by_head(part) for part in layer("key_value", normed).chunk(2, dim=-1))
    scores = query @ key.mT / key.shape[-1] ** 0.5
    mixed = (scores.softmax(dim=-1) @ value).transpose(1, 2).flatten(2)
    read = tokens[:, :1] + layer("join", mixed)
    return read + layer("contract", functional.gelu(layer("expand", norm("norm_mlp", read))))


def _backbone(model, flat, part, place, tokens, added=None):
    """Run the last block, for one's own device with a LoRA, the final norm, or one after the other."""
    rest = flat
    for name, layer in {"block": model.blocks[-1], "norm": model.norm}.items():
        weights = {}
        for key, parameter in layer.named_parameters():
            weights[key] = rest[: parameter.numel()].view(parameter.shape)
            rest = rest[parameter.numel() :]
        if place in (name, "both"):
            tokens = (
                _read(layer, weights, tokens, added)
                if name == "block"
                else functional.layer_norm(tokens, tokens.shape[-1:], weights["weight"], weights["bias"])
            )
    return tokens


def _head(model, flat, part, place, features):
    width = features.shape[-1]
    classes = len(flat) // (width + 1)
    return features @ flat[: width * classes].view(width, classes) + flat[width * classes :]


WORKS = {
    "encoder": _encode,
    "adapter": _adapt,
    "expert": _expert,
    "gate": _gate,
    "prompt": _prompt,
    "lora": _low_rank,
    "backbone": _backbone,
    "head": _head,
}
