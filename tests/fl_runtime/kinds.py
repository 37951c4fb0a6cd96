"""Schedules of the benchmark with other kinds of modules."""

from dataclasses import replace

from fl_runtime.schedule import Module, Replica


def with_prompts(schedule):
    """The same schedule with a trainable prompt for each task that a device runs."""
    tasks = sorted({route.task for route in schedule.routes})
    prompts = [Module(id=f"p-{t}", kind="prompt", update_bits=1.0, trainable=True, task=t) for t in tasks]
    return replace(
        schedule,
        modules=(*schedule.modules, *prompts),
        replicas=(
            *schedule.replicas,
            *(Replica(module=f"p-{r.task}", host=r.device) for r in schedule.routes),
        ),
        routes=tuple(replace(r, hosts={**r.hosts, f"p-{r.task}": r.device}) for r in schedule.routes),
    )


def with_lora(schedule, trainable=True):
    """The same schedule with a LoRA in place of the adapter, one for all tasks."""
    return in_place_of_adapter(
        schedule, [Module(id="lora", kind="lora", update_bits=1e5, trainable=trainable)]
    )


def with_backbone_alone(schedule):
    """The same schedule with a trainable backbone in place of the adapter."""
    backbone = Module(id="backbone", kind="backbone", update_bits=1e5, trainable=True)
    return in_place_of_adapter(schedule, [backbone])


def with_backbone(schedule):
    """The same schedule with a trainable backbone and an adapter."""
    sizes = {"update_bits": 1e5, "trainable": True}
    backbone = Module(id="backbone", kind="backbone", **sizes)
    return in_place_of_adapter(schedule, [Module(id="the-adapter", kind="adapter", **sizes), backbone])


def in_place_of_adapter(schedule, modules, on=None):
    """The same schedule with other modules hosted, sent and averaged where the adapter was.

    ``on`` says of a route which of them it uses; all by default.
    """
    names = [module.id for module in modules]

    def put(found):
        return tuple(new for name in found for new in (names if name == "adapter" else [name]))

    def changed(step):
        return replace(step, modules=put(step.modules)) if hasattr(step, "modules") else step

    def hosts(route):
        kept = {name: host for name, host in route.hosts.items() if name != "adapter"}
        return kept | {name: route.device for name in names if on is None or on(route, name)}

    return replace(
        schedule,
        modules=(*modules, *(m for m in schedule.modules if m.id != "adapter")),
        replicas=tuple(replace(r, module=name) for r in schedule.replicas for name in put([r.module])),
        routes=tuple(replace(route, hosts=hosts(route)) for route in schedule.routes),
        kinds=tuple(replace(k, steps=tuple(map(changed, k.steps))) for k in schedule.kinds),
    )


def with_frozen_heads(schedule):
    """The same schedule whose heads keep their first parameters and do not travel."""
    heads = {module.id for module in schedule.modules if module.kind == "head"}

    def changed(step):
        if not hasattr(step, "modules"):
            return step
        return replace(step, modules=tuple(name for name in step.modules if name not in heads))

    return replace(
        schedule,
        modules=tuple(replace(m, trainable=m.trainable and m.id not in heads) for m in schedule.modules),
        kinds=tuple(replace(k, steps=tuple(map(changed, k.steps))) for k in schedule.kinds),
    )


EXPERTS_OF_TASK = {"read": ("x0", "x1"), "spoken": ("x2", "x3"), "cmp": ("x1", "x2")}


def with_experts(schedule, trainable_gate=True):
    """The same schedule with four experts and a gate in place of the adapter."""
    return in_place_of_adapter(schedule, _experts_and_gate(trainable_gate))


def with_experts_of_task(schedule):
    """The same, but each task has two of the four experts."""
    return in_place_of_adapter(
        schedule,
        _experts_and_gate(True),
        on=lambda r, name: name == "gate" or name in EXPERTS_OF_TASK[r.task],
    )


def _experts_and_gate(trainable_gate):
    group = {"update_bits": 1e5, "expert_group": "mixture"}
    gate = Module(id="gate", kind="gate", trainable=trainable_gate, **group)
    return [*(Module(id=f"x{i}", kind="expert", trainable=True, **group) for i in range(4)), gate]


def with_encoders(schedule, modalities=("audio", "image", "text")):
    """The same schedule with trainable encoders in place of the adapter."""
    encoders = [
        Module(id=f"encoder-{name}", kind="encoder", update_bits=1e5, trainable=True, modality=name)
        for name in modalities
    ]
    return in_place_of_adapter(schedule, encoders)


def with_everything(schedule):
    """The same schedule with every kind of module, all trainable."""
    sizes = {"update_bits": 1e5, "trainable": True}
    one_each = [
        Module(id="the-adapter", kind="adapter", **sizes),
        *(Module(id=kind, kind=kind, **sizes) for kind in ("backbone", "lora")),
    ]
    encoders = [
        Module(id=f"encoder-{name}", kind="encoder", modality=name, **sizes)
        for name in ("audio", "image", "text")
    ]

    def on(route, name):
        return name not in {"x0", "x1", "x2", "x3"} or name in EXPERTS_OF_TASK[route.task]

    return in_place_of_adapter(with_prompts(schedule), [*one_each, *_experts_and_gate(True), *encoders], on)
