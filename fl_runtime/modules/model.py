"""The compact multi-modal model: a frozen part that all share, and parts stacked by client.

The adapters sit behind blocks 3 and 4, prompts join in before block 4, and LoRA adds to the layers of block
4; block 4 and the final norm are what a trainable backbone trains.  So everything up to the end of block 3 is
the same for all clients and for the whole run, unless they train encoders: :meth:`FrozenModel.prefix` is
computed once per sample and kept.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from fl_runtime.modules.adapters import adapt, adapter_size, initial_adapter
from fl_runtime.modules.backbone import Block
from fl_runtime.modules.encoders import AudioEncoder, ImageEncoder, TextEncoder
from fl_runtime.modules.first_values import initial_on_tokens, no_such_module
from fl_runtime.modules.inputs import InputFormat
from fl_runtime.modules.lora import Lora, initial_lora
from fl_runtime.modules.moving import moved
from fl_runtime.modules.prompts import with_prompts
from fl_runtime.modules.size import ModelSize
from fl_runtime.modules.trained_backbone import OwnWeights, backbone_parameters
from fl_runtime.modules.trained_encoders import encode, encoder_parameters
from fl_runtime.modules.weights_digest import weights_digest


class FrozenModel(nn.Module):
    """Encoders and backbone, shared by all clients: a :class:`fl_runtime.modules.shared.SharedModel`."""

    name = "compact"

    def __init__(self, size: ModelSize) -> None:
        super().__init__()
        self.size = size
        self.encoders = nn.ModuleDict(
            {
                "image": ImageEncoder(size.width, size.canvas),
                "audio": AudioEncoder(size.width, size.num_sound_samples),
                "text": TextEncoder(size.width, size.num_tokens, size.text_length),
            }
        )
        self.read_out = nn.Parameter(0.02 * torch.randn(size.width))
        self.blocks = nn.ModuleList(Block(size.width, size.num_heads) for _ in range(size.num_blocks))
        self.norm = nn.LayerNorm(size.width)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.read_out.device

    def on(self, device: torch.device) -> "FrozenModel":
        """Return the same model on a device; always the same one for a device."""
        return moved(self, self.device, device)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The kinds of input that it takes, sorted."""
        return tuple(sorted(self.encoders))

    @property
    def inputs(self) -> InputFormat:
        """The form in which it takes images and text."""
        size = self.size
        return InputFormat(image_size=size.canvas, num_tokens=size.num_tokens, text_length=size.text_length)

    @property
    def width(self) -> int:
        """Numbers of a token, and of what a head reads."""
        return self.size.width

    @property
    def expert_bottleneck(self) -> int:
        """Width of the hidden layer of an expert."""
        return self.size.expert_bottleneck

    def digest(self) -> str:
        """Return a hash of its sizes and weights."""
        return weights_digest(self, json.dumps(asdict(self.size)))

    def initial(
        self, kind: str, rng: np.random.Generator, *, num_classes: int, num_experts: int, modality: str | None
    ) -> npt.NDArray[np.float32]:
        """Return a module's first parameters; encoders and backbone start from the model's own weights."""
        size = self.size
        match kind:
            case "adapter":
                return initial_adapters(size, rng)
            case "backbone":
                return backbone_parameters(self.blocks[-1], self.norm)
            case "encoder":
                return encoder_parameters(self.encoders[str(modality)])
            case "lora":
                return initial_lora(size.width, size.rank, rng)
        found = initial_on_tokens(
            kind, size.width, size, rng, num_classes=num_classes, num_experts=num_experts
        )
        if found is None:
            raise no_such_module(kind, modality, self.name)
        return found

    def encode(self, modality: str, inputs: torch.Tensor, own: torch.Tensor | None = None) -> torch.Tensor:
        """Return tokens (clients * samples, tokens, width) of inputs (clients, samples, ...).

        ``own`` has the encoder's parameters of each client; ``None``: those of the model.
        """
        encoder = self.encoders[modality]
        if own is not None:
            return encode(encoder, inputs, own).flatten(0, 1)
        tokens: torch.Tensor = encoder(inputs.flatten(0, 1))
        return tokens

    def real(self, tokens: torch.Tensor) -> torch.Tensor | None:
        """Return ``None``: all tokens count."""
        del tokens
        return None

    def prefix(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return what enters the first adapter, (n, tokens, width); the read-out token comes first."""
        return self.prefix_of_encoded({name: self.encoders[name](inputs[name]) for name in inputs})

    def prefix_of_encoded(self, encoded: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the prefix of what encoders made of each modality, (n, tokens of the modality, width)."""
        parts = [encoded[name] for name in sorted(encoded)]
        read_out = self.read_out.expand(len(parts[0]), 1, -1)
        tokens = torch.cat([read_out, *parts], dim=1)  # (n, 1 + tokens of all modalities, width)
        for block in self.blocks[:-1]:
            tokens = block(tokens)
        return tokens

    def tokens_of(
        self, modality: str, tokens: torch.Tensor, inputs: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        """Return the tokens of one modality out of the prefix of ``inputs``, (n, tokens, width)."""
        lengths = {name: len(self.encoders[name].get_parameter("position")) for name in sorted(inputs)}
        start = 1 + sum(length for name, length in lengths.items() if name < modality)
        return tokens[:, start : start + lengths[modality]]

    def features(
        self,
        tokens: torch.Tensor,
        adapters: torch.Tensor | None = None,
        prompts: torch.Tensor | None = None,
        lora: torch.Tensor | None = None,
        backbone: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return what the heads read, (clients, samples, width).

        Parameters
        ----------
        tokens : tensor, shape (clients, samples, tokens, width)
            Prefixes of each client's samples.
        adapters : tensor, shape (clients, adapters_size), or None
            Each client's adapters behind the last two blocks.
        prompts : tensor, shape (clients, prompt tokens * width), or None
            Each client's prompt, which joins the tokens before the last block.
        lora : tensor, shape (clients, lora_size), or None
            Each client's low-rank additions to the layers of the last block.
        backbone : tensor, shape (clients, backbone size), or None
            Each client's last block and final norm, in place of the shared ones.
        """
        clients, samples, _, width = shape = tokens.shape
        if adapters is not None:
            first, second = adapters.chunk(2, dim=1)
            tokens = adapt(tokens.flatten(1, 2), first, self.size.bottleneck).view(shape)
        tokens, _ = with_prompts(tokens, None, prompts)
        low_rank = None if lora is None else Lora.of(lora, width, self.size.rank)
        block, norm = (
            (None, None) if backbone is None else OwnWeights.split(self.blocks[-1], self.norm, backbone)
        )
        read = self.blocks[-1](tokens.flatten(0, 1), 1, low_rank, block)  # (clients * samples, 1, width)
        read = read.view(clients, samples, width)
        if adapters is not None:
            read = adapt(read, second, self.size.bottleneck)
        result: torch.Tensor = self.norm(read) if norm is None else norm.norm("", read)
        return result


def adapters_size(size: ModelSize) -> int:
    """Return the number of parameters of a client's two adapters together."""
    return 2 * adapter_size(size.width, size.bottleneck)


def initial_adapters(size: ModelSize, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return both adapters' first values, one flat vector."""
    return np.concatenate([initial_adapter(size.width, size.bottleneck, rng) for _ in range(2)])
