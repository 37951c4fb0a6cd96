"""The runtime's input language: who computes, sends, merges and averages what, and when.

A :class:`Schedule` is plain data.  It is written by a planner, by a baseline or by hand, is kept as JSON,
and needs neither torch nor this project's planners.

Meaning of the steps
--------------------
A round kind is a list of steps; ``after`` names the steps of the same round that must have ended before.
A step whose ``after`` is empty starts when its nodes have ended all their steps of earlier rounds.

- :class:`Compute`: a node works; for a device this is the local training of its trainable replicas.
- :class:`Transfer`: modules travel over one link.  ``content`` says what of them: the ``update`` on its way
  to an average, the averaged ``model`` on its way back, or ``activation`` traffic of split execution.
- :class:`Merge`: a relay adds the updates that arrived to its own, weights carried along.
- :class:`Aggregate`: the node divides the merged updates by their total weight: a new model.
- :class:`Mix`: nodes average with their neighbours by a doubly stochastic matrix, for a number of sweeps.
- :class:`Deliver`: at one common moment the nodes' replicas become the model that reached them.
- :class:`Evaluate`: the models that the devices would use now are tested; costs nothing.
"""

from fl_runtime.schedule.living import DropOut, LinkGains, LivingNetwork, Losses, Policy, Straggling
from fl_runtime.schedule.modules import Module, Replica, Route
from fl_runtime.schedule.nodes import Band, Cpu, FixedSpeed, Medium, Node, Processor, Wired, Wireless
from fl_runtime.schedule.steps import (
    Aggregate,
    Compute,
    Content,
    Deliver,
    Evaluate,
    Merge,
    Mix,
    Step,
    Transfer,
)
from fl_runtime.schedule.whole import RoundKind, Schedule, Training

__all__ = [
    "Aggregate",
    "Band",
    "Compute",
    "Content",
    "Cpu",
    "Deliver",
    "DropOut",
    "Evaluate",
    "FixedSpeed",
    "LinkGains",
    "LivingNetwork",
    "Losses",
    "Medium",
    "Merge",
    "Mix",
    "Module",
    "Node",
    "Policy",
    "Processor",
    "Replica",
    "RoundKind",
    "Route",
    "Schedule",
    "Step",
    "Straggling",
    "Training",
    "Transfer",
    "Wired",
    "Wireless",
]
