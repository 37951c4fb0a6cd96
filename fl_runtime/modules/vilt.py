"""ViLT (Kim et al. 2021, arXiv:2102.03334) as the model that all clients share, of ``transformers``.

Clients' modules join the last blocks.  Their adapters are those of Houlsby et al. 2019 (arXiv:1902.00751):
two in each of these blocks, behind the attention and behind the perceptron, before the residual is added.
LoRA adds to the six linear layers of these blocks, prompts are tokens that these blocks attend to, and heads
read ViLT's pooled token.  A backbone that clients train is these blocks, the final norm and the pooler.
Everything below is the same for all clients and for the whole run, and is
computed once per sample.

Tokens that fill up short questions are masked: they are zeros between the encoders and the last block, which
no other token ever is.  A device without images has no image tokens, as if ViLT's pixel mask were zero; a
device without text asks the empty question.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from fl_runtime.modules.adapters import initial_adapter
from fl_runtime.modules.first_values import initial_on_tokens, no_such_module
from fl_runtime.modules.inputs import InputFormat
from fl_runtime.modules.lora import Lora, initial_additions
from fl_runtime.modules.moving import moved
from fl_runtime.modules.prompts import with_prompts
from fl_runtime.modules.trained_backbone import OwnWeights
from fl_runtime.modules.vilt_block import Added, after_block, linear, norm
from fl_runtime.modules.vilt_tokens import image_tokens, text_tokens
from fl_runtime.modules.weights_digest import weights_digest

_NUMBERS_AT_ONCE = 2**24
"""Numbers of a layer that are computed at once where nothing is trained: 64 MiB."""


@dataclass(frozen=True, kw_only=True)
class ViltModules:
    """What clients add to ViLT.

    Parameters
    ----------
    num_blocks : int
        Last blocks that adapters, LoRA and prompts work in, >= 1; as many as ViLT has: all of them.
    bottleneck, rank, prompt_tokens, expert_bottleneck : int
        Width of adapters, rank of LoRA, tokens of a prompt, and hidden width of experts, >= 1.
    """

    num_blocks: int = 1
    bottleneck: int = 64
    rank: int = 4
    prompt_tokens: int = 4
    expert_bottleneck: int = 64


class Vilt(nn.Module):
    """ViLT with places for clients' modules: a :class:`fl_runtime.modules.shared.SharedModel`.

    Parameters
    ----------
    vilt : transformers.ViltModel
        With pooler; its parameters are frozen here.
    modules : ViltModules
        Sizes of what clients add.
    inputs : InputFormat
        Images in colour, and token numbers.
    empty_question : tensor of int, shape (tokens,)
        What stands for the text where there is none.
    """

    name = "vilt"
    modalities = ("image", "text")
    empty_question: torch.Tensor

    def __init__(
        self, vilt: Any, modules: ViltModules, inputs: InputFormat, empty_question: torch.Tensor
    ) -> None:
        super().__init__()
        self.vilt = vilt.eval().requires_grad_(False)
        self.sizes, self.inputs = modules, inputs
        self.register_buffer("empty_question", empty_question)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.empty_question.device

    def on(self, device: torch.device) -> "Vilt":
        """Return the same model on a device; always the same one for a device."""
        return moved(self, self.device, device)

    @property
    def width(self) -> int:
        """Numbers of a token, and of what a head reads."""
        return int(self.vilt.config.hidden_size)

    @property
    def expert_bottleneck(self) -> int:
        """Width of the hidden layer of an expert."""
        return self.sizes.expert_bottleneck

    def digest(self) -> str:
        """Return a hash of its configuration and weights."""
        sizes = [asdict(self.sizes), self.inputs.image_size, self.inputs.text_length]
        return weights_digest(self, json.dumps([*sizes, self.vilt.config.to_dict()], sort_keys=True))

    def initial(
        self, kind: str, rng: np.random.Generator, *, num_classes: int, num_experts: int, modality: str | None
    ) -> npt.NDArray[np.float32]:
        """Return a module's first parameters."""
        sizes, width, blocks = self.sizes, self.width, range(self.sizes.num_blocks)
        match kind:
            case "adapter":
                return np.concatenate(
                    [initial_adapter(width, sizes.bottleneck, rng) for _ in (*blocks, *blocks)]
                )
            case "backbone" if self.vilt.config.qkv_bias:
                weights = [weight for layer in self._last for weight in layer.parameters()]
                return torch.cat([weight.flatten() for weight in weights]).cpu().numpy().copy()
            case "lora":
                return np.concatenate([initial_additions(self._shapes, sizes.rank, rng) for _ in blocks])
        found = initial_on_tokens(kind, width, sizes, rng, num_classes=num_classes, num_experts=num_experts)
        if found is None:
            raise no_such_module(kind, modality, self.name)
        return found

    def encode(self, modality: str, inputs: torch.Tensor, own: torch.Tensor | None = None) -> torch.Tensor:
        """Return tokens (clients * samples, tokens, width) of inputs (clients, samples, ...).

        Images are (..., size, size, 3) of bytes, texts (..., length) of token numbers; there are no
        encoders of clients' own, so that ``own`` is ``None``.
        """
        del own
        if modality == "text":
            return text_tokens(self.vilt, inputs.flatten(0, 1))
        return image_tokens(self.vilt, inputs.flatten(0, 1))

    def prefix_of_encoded(self, encoded: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return what enters the first of the last blocks, (n, tokens, width); text comes first."""
        kinds = self.vilt.embeddings.token_type_embeddings.weight  # (2, width): text and image
        samples = len(next(iter(encoded.values())))
        text = encoded.get("text")
        if text is None:
            text = text_tokens(self.vilt, self.empty_question[None]).expand(samples, -1, -1)
        real = self.real(text)
        tokens = text + kinds[0]
        if "image" in encoded:
            tokens = torch.cat([tokens, encoded["image"] + kinds[1]], dim=1)
            real = torch.cat([real, real.new_ones(encoded["image"].shape[:2])], dim=1)
        for layer in self.vilt.encoder.layer[: -self.sizes.num_blocks]:
            tokens = after_block(layer, tokens, real, Added())
        prefix: torch.Tensor = tokens * real[..., None]
        return prefix

    def prefix(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the prefix of inputs (n, ...) by modality."""
        size = self._samples_at_once
        pieces = zip(*(torch.split(inputs[name], size) for name in inputs), strict=True)
        parts = []
        for piece in pieces:
            given = dict(zip(inputs, piece, strict=True))
            encoded = {name: self.encode(name, values[None]) for name, values in given.items()}
            parts.append(self.prefix_of_encoded(encoded))
        return torch.cat(parts)

    def real(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return which tokens (..., tokens, width) count, (..., tokens): those that are not all zeros."""
        return tokens.abs().amax(dim=-1) > 0

    def features(
        self,
        tokens: torch.Tensor,
        adapters: torch.Tensor | None = None,
        prompts: torch.Tensor | None = None,
        lora: torch.Tensor | None = None,
        backbone: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return ViLT's pooled token, (clients, samples, width).

        Parameters
        ----------
        tokens : tensor, shape (clients, samples, tokens, width)
            Prefixes of each client's samples.
        adapters : tensor, shape (clients, 2 * blocks * adapter_size), or None
            Each client's adapters: of each block that behind the attention, then that behind the perceptron.
        prompts : tensor, shape (clients, prompt tokens * width), or None
            Each client's prompt.
        lora : tensor, shape (clients, blocks * size), or None
            Each client's low-rank additions, block after block.
        backbone : tensor, shape (clients, backbone size), or None
            Each client's last blocks, final norm and pooler, in place of the shared ones.
        """
        size = max(1, self._samples_at_once // len(tokens))
        if torch.is_grad_enabled() or tokens.shape[1] <= size:
            return self._features(tokens, adapters, prompts, lora, backbone)
        parts = [
            self._features(part, adapters, prompts, lora, backbone) for part in torch.split(tokens, size, 1)
        ]
        return torch.cat(parts, dim=1)

    def _features(
        self,
        tokens: torch.Tensor,
        adapters: torch.Tensor | None,
        prompts: torch.Tensor | None,
        lora: torch.Tensor | None,
        backbone: torch.Tensor | None,
    ) -> torch.Tensor:
        clients, samples = tokens.shape[:2]
        tokens, real = with_prompts(tokens, self.real(tokens), prompts)
        assert real is not None  # some tokens fill up short questions
        blocks = self.sizes.num_blocks
        pairs = [None] * blocks if adapters is None else adapters.chunk(blocks, dim=1)
        additions = [None] * blocks if lora is None else [self._lora(part) for part in lora.chunk(blocks, 1)]
        own = [None] * (blocks + 2) if backbone is None else self._own(backbone)
        rows, real = tokens.flatten(0, 1), real.flatten(0, 1)  # (clients * samples, tokens, ...)
        for place, layer in enumerate(self.vilt.encoder.layer[-blocks:]):
            added = Added(pairs[place], self.sizes.bottleneck, additions[place], own[place])
            num_read = 1 if place == blocks - 1 else None  # the pooler reads the first token alone
            rows = after_block(layer, rows, real, added, num_read)
        rows = norm(self.vilt.layernorm, "", rows, own[-2])
        pooled: torch.Tensor = self.vilt.pooler.activation(
            linear(self.vilt.pooler, "dense", rows, Added(own=own[-1]))
        )
        return pooled.view(clients, samples, -1)

    @property
    def _samples_at_once(self) -> int:
        """Samples whose largest layer fits into ``_NUMBERS_AT_ONCE``, at least one."""
        config = self.vilt.config
        patches = (self.inputs.image_size // config.patch_size) ** 2
        numbers = (1 + patches + self.inputs.text_length) * config.intermediate_size
        return max(1, _NUMBERS_AT_ONCE // int(numbers))

    @property
    def _shapes(self) -> dict[str, tuple[int, int]]:
        """Widths that enter and leave each linear layer of a block, in the order of LoRA's flat vector."""
        width, hidden = self.width, int(self.vilt.config.intermediate_size)
        square = dict.fromkeys(("query", "key", "value", "join"), (width, width))
        return {**square, "expand": (width, hidden), "contract": (hidden, width)}

    @property
    def _last(self) -> list[Any]:
        """What clients may train of ViLT itself, in the order of the flat vector."""
        return [*self.vilt.encoder.layer[-self.sizes.num_blocks :], self.vilt.layernorm, self.vilt.pooler]

    def _own(self, flat: torch.Tensor) -> list[OwnWeights]:
        """Return each client's weights of these layers."""
        sizes = [sum(weight.numel() for weight in layer.parameters()) for layer in self._last]
        parts = torch.split(flat, sizes, dim=1)
        return [OwnWeights.of(layer, part) for layer, part in zip(self._last, parts, strict=True)]

    def _lora(self, flat: torch.Tensor) -> Lora:
        return Lora.of_layers(flat, self._shapes, self.sizes.rank)
