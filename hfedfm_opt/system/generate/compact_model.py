"""A compact vision-language-audio model of width 384, as modules with their sizes, work and traffic.

A transformer block of width w has ``12 w^2 + 13 w`` parameters: attention ``4 w^2 + 4 w``, feed-forward
``8 w^2 + 5 w``, two norms ``4 w``.  It takes ``2 * 12 w^2`` flop per token, and ``4 w n`` more per token
for the attention over n tokens.  The gradient with respect to the input of a frozen module takes as much
work as its forward pass, that of a trainable one twice as much.

A sample passes the encoders of its modalities, its task's prompt, the adapter (a trainable connector), the
backbone, one of the task's two experts for each token, and the task's head, which reads one token.
Gradients reach down to the adapter, so that the backbone and the experts have a backward pass, and the
encoders have none.

A module that runs elsewhere gets its input and gives its output back, and the other way round for
gradients: each way carries the mean of both, twice where gradients pass.
"""

from hfedfm_opt.system.generate.default_tasks import NUM_CLASSES, TASK_NAMES, modalities_for, task_with
from hfedfm_opt.system.instance import Modality, Module, Task

WIDTH = 384
BACKBONE_BLOCKS = 12
PROMPT_TOKENS = 16
ADAPTER_WIDTH = 1152
HEAD_WIDTH = 128
NUM_EXPERTS = 4
EXPERTS_OF_TASK = {"read": (0, 1), "spoken": (2, 3), "cmp": (1, 2)}
TOKENS: dict[Modality, int] = {"image": 49, "audio": 32, "text": 24}
"""A 224 x 224 image in 32 x 32 patches; one second of sound in 31 ms pieces; a short question."""
INPUT_BITS: dict[Modality, float] = {
    "image": 224 * 224 * 3 * 8.0,
    "audio": 16_000 * 16.0,
    "text": 24 * 16.0,
}
ENCODER_BLOCKS: dict[Modality, int] = {"image": 4, "audio": 4, "text": 2}
EMBEDDING_PARAMETERS: dict[Modality, int] = {
    "image": (32 * 32 * 3 + 1 + TOKENS["image"]) * WIDTH,
    "audio": (500 + 1 + TOKENS["audio"]) * WIDTH,
    "text": (30_522 + TOKENS["text"]) * WIDTH,  # BERT's vocabulary
}
ALL_TOKENS = 1 + PROMPT_TOKENS + sum(TOKENS.values())
"""Tokens of a sample that has every modality, the read-out token included."""
ACTIVATION_BITS = 16.0  # bits of a number of an activation or of its gradient on a link
FROZEN_BYTES = 4.0  # per parameter: fp32 weights
TRAINED_BYTES = 16.0  # per parameter: weights, gradients and AdamW's two moments, fp32
BATCH = 8
ANYWHERE = ("device", "edge", "cloud")


def compact_modules(trained_on: tuple[str, ...] = ()) -> tuple[Module, ...]:
    """Return all modules; only the adapter and the heads are trained.

    Parameters
    ----------
    trained_on : tuple of str
        Tiers that may train them; none: the devices themselves, and no bits of their activations are given.
    """
    return (
        *(_encoder(modality) for modality in modalities_for(TASK_NAMES)),
        *(_prompt(task) for task in TASK_NAMES),
        _trained_on(trained_on, _adapter(), token_bits(ALL_TOKENS)),
        _backbone(),
        *(_expert(index) for index in range(NUM_EXPERTS)),
        *(_trained_on(trained_on, _head(task), _head_bits(task)) for task in TASK_NAMES),
    )


def compact_tasks() -> tuple[Task, ...]:
    """Return the default workload's tasks with the modules that each runs, in order."""
    return tuple(
        task_with(
            name,
            (
                f"prompt-{name}",
                "adapter",
                "backbone",
                *(f"expert-{index}" for index in EXPERTS_OF_TASK[name]),
            ),
        )
        for name in TASK_NAMES
    )


def _trained_on(tiers: tuple[str, ...], module: Module, activation_bits: float) -> Module:
    if not tiers:
        return module
    return module.model_copy(update={"may_run_on": tiers, "activation_bits_per_sample": activation_bits})


def _encoder(modality: Modality) -> Module:
    blocks, tokens = ENCODER_BLOCKS[modality], TOKENS[modality]
    parameters = blocks * block_parameters() + EMBEDDING_PARAMETERS[modality]
    return Module(
        id=f"encoder-{modality}",
        kind="encoder",
        modality=modality,
        parameters=parameters,
        trainable=False,
        memory_bytes=FROZEN_BYTES * parameters + _working_bytes(tokens),
        forward_flops_per_sample=_block_flops(tokens) * blocks,
        activation_bits_per_sample=(INPUT_BITS[modality] + token_bits(tokens)) / 2.0,
        may_run_on=ANYWHERE,
    )


def _prompt(task: str) -> Module:
    parameters = PROMPT_TOKENS * WIDTH
    return Module(
        id=f"prompt-{task}",
        kind="prompt",
        task=task,
        parameters=parameters,
        trainable=False,
        memory_bytes=FROZEN_BYTES * parameters,
    )


def _adapter() -> Module:
    parameters = 2 * WIDTH * ADAPTER_WIDTH + ADAPTER_WIDTH + WIDTH
    flops = 4.0 * WIDTH * ADAPTER_WIDTH * ALL_TOKENS
    return Module(
        id="adapter",
        kind="adapter",
        parameters=parameters,
        trainable=True,
        memory_bytes=TRAINED_BYTES * parameters + _working_bytes(ALL_TOKENS),
        forward_flops_per_sample=flops,
        backward_flops_per_sample=2.0 * flops,
    )


def _backbone() -> Module:
    parameters = BACKBONE_BLOCKS * block_parameters() + 2 * WIDTH
    flops = _block_flops(ALL_TOKENS) * BACKBONE_BLOCKS
    return Module(
        id="backbone",
        kind="backbone",
        parameters=parameters,
        trainable=False,
        memory_bytes=FROZEN_BYTES * parameters + BACKBONE_BLOCKS * _working_bytes(ALL_TOKENS),
        forward_flops_per_sample=flops,
        backward_flops_per_sample=flops,
        activation_bits_per_sample=token_bits(ALL_TOKENS),
        may_run_on=ANYWHERE,
    )


def _expert(index: int) -> Module:
    parameters = 8 * WIDTH**2 + 5 * WIDTH
    tokens = ALL_TOKENS / 2  # the other expert of the task takes the other half
    flops = 16.0 * WIDTH**2 * tokens
    return Module(
        id=f"expert-{index}",
        kind="expert",
        expert_group="experts",
        parameters=parameters,
        trainable=False,
        memory_bytes=FROZEN_BYTES * parameters + _working_bytes(ALL_TOKENS),
        forward_flops_per_sample=flops,
        backward_flops_per_sample=flops,
        activation_bits_per_sample=token_bits(tokens),
        may_run_on=ANYWHERE,
    )


def _head(task: str) -> Module:
    classes = NUM_CLASSES[task]
    parameters = (WIDTH + 1) * HEAD_WIDTH + (HEAD_WIDTH + 1) * classes
    flops = 2.0 * HEAD_WIDTH * (WIDTH + classes)
    return Module(
        id=f"head-{task}",
        kind="head",
        task=task,
        parameters=parameters,
        trainable=True,
        memory_bytes=TRAINED_BYTES * parameters,
        forward_flops_per_sample=flops,
        backward_flops_per_sample=2.0 * flops,
    )


def block_parameters() -> int:
    """Return the parameters of a block."""
    return 12 * WIDTH**2 + 13 * WIDTH


def _block_flops(tokens: int) -> float:
    return tokens * (24.0 * WIDTH**2 + 4.0 * WIDTH * tokens)


def token_bits(tokens: float) -> float:
    """Return the bits of so many tokens on a link."""
    return tokens * WIDTH * ACTIVATION_BITS


def _head_bits(task: str) -> float:
    """Return the mean of the token that enters a head and of the scores that leave it."""
    return (WIDTH + NUM_CLASSES[task]) / 2.0 * ACTIVATION_BITS


def _working_bytes(tokens: int) -> float:
    """Return the memory for what a block keeps of a batch for the backward pass: eight numbers a value."""
    return BATCH * tokens * WIDTH * 8 * 4.0
