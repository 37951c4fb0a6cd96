"""ViLT (Kim et al. 2021, arXiv:2102.03334) as the model that all clients share, of ``transformers``.

Clients' modules join the last blocks.  Their adapters are those of Houlsby et al. 2019 (arXiv:1902.00751):
two in each of these blocks, behind the attention and behind the perceptron, before the residual is added.
LoRA adds to the six linear layers of these blocks, prompts are tokens that these blocks attend to, and heads
read ViLT's pooled token.  Everything below is the same for all clients and for the whole run, and is
computed once per sample.

Tokens that fill up short questions are masked: they are zeros between the encoders and the last block, which
no other token ever is.  A device without images has no image tokens, as if ViLT's pixel mask were zero; a
device without text asks the empty question.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from fl_runtime.modules.adapters import initial_adapter, perceptron
from fl_runtime.modules.experts import initial_gate
from fl_runtime.modules.heads import initial_head
from fl_runtime.modules.inputs import InputFormat
from fl_runtime.modules.lora import Lora, initial_additions
from fl_runtime.modules.prompts import initial_prompt, with_prompts


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
        self._num_heads: int = vilt.config.num_attention_heads

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
        digest = hashlib.sha256(json.dumps([*sizes, self.vilt.config.to_dict()], sort_keys=True).encode())
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().numpy().data)
        return digest.hexdigest()

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
            case "lora":
                return np.concatenate([initial_additions(self._shapes, sizes.rank, rng) for _ in blocks])
            case "expert":
                return initial_adapter(width, sizes.expert_bottleneck, rng)
            case "gate":
                return initial_gate(width, num_experts, rng)
            case "prompt":
                return initial_prompt(width, sizes.prompt_tokens, rng)
            case "head":
                return initial_head(width, num_classes, rng)
            case _:
                of = "" if modality is None else f" of {modality}"
                raise ValueError(
                    f"clients have no {kind}{of} of their own in the {self.name} model: "
                    "set trainable to false"
                )

    def encode(self, modality: str, inputs: torch.Tensor, own: torch.Tensor | None = None) -> torch.Tensor:
        """Return tokens (clients * samples, tokens, width) of inputs (clients, samples, ...).

        Images are (..., size, size, 3) of bytes, texts (..., length) of token numbers; there are no
        encoders of clients' own, so that ``own`` is ``None``.
        """
        del own
        if modality == "text":
            return self._of_text(inputs.flatten(0, 1))
        return self._of_images(inputs.flatten(0, 1))

    def prefix_of_encoded(self, encoded: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return what enters the first of the last blocks, (n, tokens, width); text comes first."""
        kinds = self.vilt.embeddings.token_type_embeddings.weight  # (2, width): text and image
        samples = len(next(iter(encoded.values())))
        text = encoded.get("text")
        if text is None:
            text = self._of_text(self.empty_question[None]).expand(samples, -1, -1)
        real = self.real(text)
        tokens = text + kinds[0]
        if "image" in encoded:
            tokens = torch.cat([tokens, encoded["image"] + kinds[1]], dim=1)
            real = torch.cat([real, real.new_ones(encoded["image"].shape[:2])], dim=1)
        for layer in self.vilt.encoder.layer[: -self.sizes.num_blocks]:
            tokens = self._block(layer, tokens, real)
        prefix: torch.Tensor = tokens * real[..., None]
        return prefix

    def prefix(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the prefix of inputs (n, ...) by modality."""
        return self.prefix_of_encoded({name: self.encode(name, inputs[name][None]) for name in inputs})

    def real(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return which tokens (..., tokens, width) count, (..., tokens): those that are not all zeros."""
        return tokens.abs().amax(dim=-1) > 0

    def features(
        self,
        tokens: torch.Tensor,
        adapters: torch.Tensor | None = None,
        prompts: torch.Tensor | None = None,
        lora: torch.Tensor | None = None,
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
        """
        clients, samples = tokens.shape[:2]
        real = self.real(tokens)
        if prompts is not None:
            tokens = with_prompts(tokens, prompts)
            real = torch.cat([real, real.new_ones(clients, samples, self.sizes.prompt_tokens)], dim=2)
        blocks = self.sizes.num_blocks
        pairs = [None] * blocks if adapters is None else adapters.chunk(blocks, dim=1)
        additions = [None] * blocks if lora is None else [self._lora(part) for part in lora.chunk(blocks, 1)]
        rows, real = tokens.flatten(0, 1), real.flatten(0, 1)  # (clients * samples, tokens, ...)
        layers = self.vilt.encoder.layer[-blocks:]
        for place, (layer, pair, addition) in enumerate(zip(layers, pairs, additions, strict=True)):
            num_read = 1 if place == blocks - 1 else None  # the pooler reads the first token alone
            rows = self._block(layer, rows, real, num_read, pair, addition)
        pooled: torch.Tensor = self.vilt.pooler(self.vilt.layernorm(rows))
        return pooled.view(clients, samples, -1)

    def _block(
        self,
        layer: Any,
        tokens: torch.Tensor,
        real: torch.Tensor,
        num_read: int | None = None,
        adapters: torch.Tensor | None = None,
        lora: Lora | None = None,
    ) -> torch.Tensor:
        """Return the first ``num_read`` tokens (all: ``None``) of (n, tokens, width) after a block.

        Clients' modules are stacked; the samples then come client after client, equally many.
        """
        first, second = (None, None) if adapters is None else adapters.chunk(2, dim=1)
        attention = layer.attention.attention
        normed = layer.layernorm_before(tokens)
        query = self._by_head(_linear(attention.query, "query", normed[:, :num_read], lora))
        key = self._by_head(_linear(attention.key, "key", normed, lora))
        value = self._by_head(_linear(attention.value, "value", normed, lora))
        mask = real[:, None, None]  # (n, heads, read, tokens)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        mixed = mixed.transpose(1, 2).flatten(2)  # (n, read, width)
        joined = _linear(layer.attention.output.dense, "join", mixed, lora)
        tokens = tokens[:, :num_read] + self._adapted(joined, first)
        hidden = _linear(layer.intermediate.dense, "expand", layer.layernorm_after(tokens), lora)
        hidden = layer.intermediate.intermediate_act_fn(hidden)
        return tokens + self._adapted(_linear(layer.output.dense, "contract", hidden, lora), second)

    def _adapted(self, tokens: torch.Tensor, flat: torch.Tensor | None) -> torch.Tensor:
        """Return ``x + up(gelu(down(x)))`` by each client's adapter."""
        if flat is None:
            return tokens
        rows = tokens.reshape(len(flat), -1, tokens.shape[-1])
        return tokens + perceptron(rows, flat, self.sizes.bottleneck).view(tokens.shape)

    def _by_head(self, tokens: torch.Tensor) -> torch.Tensor:
        samples, length, width = tokens.shape
        return tokens.reshape(samples, length, self._num_heads, width // self._num_heads).transpose(1, 2)

    def _of_text(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return tokens (n, length, width), zeros where a question is filled up."""
        tokens: torch.Tensor = self.vilt.embeddings.text_embeddings(input_ids=numbers)
        return tokens * (numbers != 0)[..., None]

    def _of_images(self, images: torch.Tensor) -> torch.Tensor:
        """Return tokens (n, 1 + patches, width); the pixels become numbers in [-1, 1], as ViLT expects."""
        embeddings = self.vilt.embeddings
        pixels = images.movedim(-1, 1).float() / 127.5 - 1.0  # (n, 3, size, size)
        patches = embeddings.patch_embeddings(pixels)  # (n, width, rows, columns)
        tokens = patches.flatten(2).transpose(1, 2) + self._places(patches.shape[2:])
        begin = (embeddings.cls_token + embeddings.position_embeddings[:, :1]).expand(len(tokens), -1, -1)
        return torch.cat([begin, tokens], dim=1)

    def _places(self, grid: torch.Size) -> torch.Tensor:
        """Return position embeddings (1, patches, width), interpolated as ViLT does for other sizes."""
        config = self.vilt.config
        side = config.image_size // config.patch_size
        learned: torch.Tensor = self.vilt.embeddings.position_embeddings[:, 1:]  # (1, side * side, width)
        if grid == (side, side):
            return learned
        plane = learned.transpose(1, 2).view(1, -1, side, side)
        plane = functional.interpolate(plane, size=tuple(grid), mode="bilinear", align_corners=True)
        return plane.flatten(2).transpose(1, 2)

    @property
    def _shapes(self) -> dict[str, tuple[int, int]]:
        """Widths that enter and leave each linear layer of a block, in the order of LoRA's flat vector."""
        width, hidden = self.width, int(self.vilt.config.intermediate_size)
        square = dict.fromkeys(("query", "key", "value", "join"), (width, width))
        return {**square, "expand": (width, hidden), "contract": (hidden, width)}

    def _lora(self, flat: torch.Tensor) -> Lora:
        return Lora.of_layers(flat, self._shapes, self.sizes.rank)


def _linear(layer: Any, name: str, tokens: torch.Tensor, lora: Lora | None) -> torch.Tensor:
    result: torch.Tensor = layer(tokens)
    return result if lora is None else lora.added(name, tokens, result)
