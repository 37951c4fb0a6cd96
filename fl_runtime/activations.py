"""What split execution of the compact model sends: the bits of one sample, there and back, by module.

A module that runs elsewhere is cut out of the model at one or two places.  At each, the numbers that enter it
go to the host and its result comes back.  In training the gradient of the result follows them to the host if
the module is trained or anything below learns, and the gradient of what entered comes back if anything below
learns.  All numbers are of 32 bits.

The cuts, from below, with T tokens of width w (the read-out token included) and P tokens of a prompt:

==========  =======================================  ==============================
module      enters                                   leaves
==========  =======================================  ==============================
encoder     its inputs                               its tokens x w
gate        T w                                      T x experts of its group
expert      w for each token that is routed to it    as many
adapter     T w behind block 3, then w behind 4      as many
prompt      nothing                                  P w for each batch
lora        at each layer of block 4, what enters    what is added
backbone    (T + P) w before block 4, then w         w behind block 4, then w
head        w                                        classes
==========  =======================================  ==============================

Without an adapter between them, block 4 and the norm of a backbone are one cut.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fl_runtime.modules.size import ModelSize
from fl_runtime.schedule import Module, Route, Schedule

BITS_OF_A_NUMBER = 32

_ENCODED, _ROUTED, _ADAPTED, _PROMPTED, _ENTERED, _LAYERED, _ATTENDED, _READ, _NORMED, _CLASSIFIED = range(10)
"""Where in the model a cut is, from below; what has a lower number is below it."""

_STAGE_OF_KIND = {
    "encoder": _ENCODED,
    "gate": _ROUTED,
    "expert": _ROUTED,
    "adapter": _ADAPTED,
    "prompt": _PROMPTED,
    "lora": _LAYERED,
    "backbone": _ENTERED,
    "head": _CLASSIFIED,
}
"""Where the lowest parameters of a module are."""


@dataclass(frozen=True, kw_only=True)
class ActivationBits:
    """Bits of one sample in training: activations and gradients on the way to a host, and on the way back."""

    out_bits: float
    back_bits: float


@dataclass(frozen=True)
class _Cut:
    """Where a module is cut out, and how many numbers of a sample enter and leave it there."""

    stage: int
    entering: float
    leaving: float


def activation_bits(
    schedule: Schedule, route: Route, num_classes: int, size: ModelSize | None = None
) -> dict[str, ActivationBits]:
    """Return what one sample of a route sends for each of its modules, if that one runs elsewhere.

    An expert's tokens are counted as if its gate used all experts of the route alike; at most it gets all,
    which is ``1 / min(1, experts_per_token / experts)`` times as much.

    Parameters
    ----------
    schedule : Schedule
        Its modules, the experts of a token and the batch, over which a prompt is shared.
    route : Route
        Device and task; its modalities and modules count, not its hosts.
    num_classes : int
        Classes of the task.
    size : ModelSize or None
        Sizes of the model; ``None``: those of the shipped weights.
    """
    size = size or ModelSize()
    known = {module.id: module for module in schedule.modules}
    used = {name: known[name] for name in route.hosts if _serves(known[name], route)}
    counted = _Counted(schedule, route, used, num_classes, size)
    lowest = min((_STAGE_OF_KIND[m.kind] for m in used.values() if m.trainable), default=_CLASSIFIED + 1)
    return {
        name: _billed(counted.cuts(module), trained=module.trainable, lowest=lowest)
        for name, module in used.items()
        if module.trainable or module.kind in ("adapter", "gate", "head")
    }


def _serves(module: Module, route: Route) -> bool:
    return module.kind != "encoder" or module.modality in route.modalities


def _billed(cuts: list[_Cut], *, trained: bool, lowest: int) -> ActivationBits:
    out = back = 0.0
    for cut in cuts:
        below = lowest < cut.stage
        out += cut.entering + (cut.leaving if trained or below else 0.0)
        back += cut.leaving + (cut.entering if below else 0.0)
    return ActivationBits(out_bits=BITS_OF_A_NUMBER * out, back_bits=BITS_OF_A_NUMBER * back)


@dataclass(frozen=True)
class _Counted:
    """Counts the numbers that enter and leave the modules of a route."""

    schedule: Schedule
    route: Route
    used: Mapping[str, Module]
    num_classes: int
    size: ModelSize

    def cuts(self, module: Module) -> list[_Cut]:
        width, tokens, prompted = self.size.width, self._tokens(), self._tokens() + self._prompt_tokens()
        match module.kind:
            case "encoder":
                modality = str(module.modality)
                made = self.size.tokens_of(modality) * width
                return [_Cut(_ENCODED, self.size.num_inputs(modality), made)]
            case "gate":
                return [_Cut(_ROUTED, tokens * width, tokens * self._experts_of_group(module))]
            case "expert":
                routed = tokens * self._routed_part(module) * width
                return [_Cut(_ROUTED, routed, routed)]
            case "adapter":
                return [_Cut(_ADAPTED, tokens * width, tokens * width), _Cut(_READ, width, width)]
            case "prompt":
                batch = self.schedule.training.batch_size
                return [_Cut(_PROMPTED, 0.0, self.size.prompt_tokens * width / batch)]
            case "lora":
                return self._of_layers(prompted)
            case "backbone":
                if self._has("adapter"):
                    return [_Cut(_ENTERED, prompted * width, width), _Cut(_NORMED, width, width)]
                return [_Cut(_ENTERED, prompted * width, width)]
            case _:
                return [_Cut(_CLASSIFIED, width, self.num_classes)]

    def _of_layers(self, tokens: int) -> list[_Cut]:
        """Query, key and value, join, expand, contract: one token is read, all are attended to."""
        width = self.size.width
        return [
            _Cut(_LAYERED, width, width),
            _Cut(_LAYERED, tokens * width, tokens * 2 * width),
            _Cut(_ATTENDED, width, width),
            _Cut(_ATTENDED, width, 2 * width),
            _Cut(_ATTENDED, 2 * width, width),
        ]

    def _tokens(self) -> int:
        return 1 + sum(self.size.tokens_of(modality) for modality in self.route.modalities)

    def _prompt_tokens(self) -> int:
        return self.size.prompt_tokens if self._has("prompt") else 0

    def _has(self, kind: str) -> bool:
        """Return whether the engine gives the route a part of its own of a kind."""
        return any(m.kind == kind and (m.trainable or kind == "adapter") for m in self.used.values())

    def _experts_of_group(self, gate: Module) -> int:
        return sum(
            module.kind == "expert" and module.expert_group == gate.expert_group
            for module in self.schedule.modules
        )

    def _routed_part(self, expert: Module) -> float:
        same = [m for m in self.used.values() if m.kind == "expert" and m.expert_group == expert.expert_group]
        return min(1.0, self.schedule.training.experts_per_token / len(same))
