"""A network that lives: who drops out, who is slow, which transfers fail, and for whom a round waits."""

from dataclasses import dataclass
from typing import Literal

from fl_runtime.fading import Fading


@dataclass(frozen=True, kw_only=True)
class DropOut:
    """Nodes that leave and come back: for each a chain of two states, round by round (Gilbert 1960).

    A node is away in a share of the rounds, and stays away for so many rounds on average; it starts in
    either state with that share.  The probabilities of coming back and of leaving are ``1 /
    mean_rounds_away`` and ``share / (1 - share) / mean_rounds_away``.

    Parameters
    ----------
    share : float
        In [0, 1).
    mean_rounds_away : float or None
        >= 1 and >= ``share / (1 - share)``; ``None``: ``1 / (1 - share)``, where rounds are independent.
    nodes : tuple of str
        Who drops out; none: the devices, which are the nodes that routes name, or where there are no routes
        those that host replicas.
    """

    share: float
    mean_rounds_away: float | None = None
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Straggling:
    """Work that takes longer than planned: a factor on the time of each computation, at the same power.

    Parameters
    ----------
    law : {"shifted-exponential", "log-normal"}
        ``1 + spread E`` with E exponential of mean one (Lee et al. 2018, arXiv:1512.02673: a constant time
        and an exponential one), or ``exp(spread Z)`` with Z standard normal, whose median is one.
    spread : float
        >= 0.
    nodes : tuple of str
        Who straggles; none: the devices, as in :class:`DropOut`.
    """

    law: Literal["shifted-exponential", "log-normal"] = "shifted-exponential"
    spread: float = 0.5
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Losses:
    """Transfers that fail and are sent again, each attempt with its whole time and energy.

    Parameters
    ----------
    probability : float
        That an attempt fails, in [0, 1); attempts are independent.
    max_attempts : int or None
        After so many failures what was to travel is missing, >= 1; ``None``: no limit.
    wired : bool
        Whether wired transfers fail too.
    """

    probability: float
    max_attempts: int | None = 4
    wired: bool = False


@dataclass(frozen=True, kw_only=True)
class LinkGains:
    """Factors on the gain of a directed wireless link, > 0: one per round, from the first again at the end.

    They say how nodes move (or anything else that changes gains slowly).
    """

    source: str
    target: str
    band: str
    factors: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class LivingNetwork:
    """What changes from round to round; each part that is left out stays still.

    Every draw depends on the seed, the round and the names of nodes, steps and links, and on nothing else.

    Parameters
    ----------
    fading : Fading or None
        Block fading of all wireless links.
    drop_out : DropOut or None
        Nodes that leave and come back.
    straggling : Straggling or None
        Work that takes longer than planned.
    losses : Losses or None
        Transfers that fail and are sent again.
    gains : tuple of LinkGains
        Slow changes of gains; links that are not named keep theirs.
    """

    fading: Fading | None = None
    drop_out: DropOut | None = None
    straggling: Straggling | None = None
    losses: Losses | None = None
    gains: tuple[LinkGains, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Policy:
    """For whom the averages of a round wait; where nothing is set they wait for all.

    With a policy in some kind of round, a round begins when the one before has ended everywhere.  What an
    average still waits for when it is made without it, and nothing else needs, is called off: what is under
    way ends there and costs what it has cost, what has not begun costs nothing.

    Parameters
    ----------
    deadline_s : float or None
        Averages wait no longer than so many seconds after the round began, > 0.
    share : float or None
        Averages are made as soon as this share of their updates is there, in (0, 1]; of the updates whose
        senders and relays are present, rounded up.
    count : int or None
        Averages are made as soon as so many updates are there, >= 1.
    merge_deadline_s, merge_share : float or None
        The same for merges.
    """

    deadline_s: float | None = None
    share: float | None = None
    count: int | None = None
    merge_deadline_s: float | None = None
    merge_share: float | None = None

    @property
    def waits_for_all(self) -> bool:
        """Whether nothing is set."""
        return self == Policy()
