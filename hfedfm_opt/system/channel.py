"""The channel models of instance files: path loss, probability of line of sight and shadowing, in dB.

Each model is a :class:`LargeScaleModel`; :func:`model_named` returns it by its name in instance files.
``docs/mathematics/channel.md`` writes all formulas out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from hfedfm_opt.system.line_of_sight import (
    always_in_sight,
    highway_los_probability,
    inf_los_probability,
    street_los_probability,
    uma_los_probability,
    umi_los_probability,
)
from hfedfm_opt.system.path_loss import (
    LOWEST_HEIGHT_M,
    FloatArray,
    Paths,
    d2d_los_loss_db,
    d2d_nlos_loss_db,
    exponent_loss_db,
    highway_los_loss_db,
    inf_los_loss_db,
    inf_nlos_loss_db,
    macro_loss_db,
    street_los_loss_db,
    uma_los_loss_db,
    uma_nlos_loss_db,
    umi_los_loss_db,
    umi_nlos_loss_db,
    vehicle_nlos_loss_db,
)

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class LargeScaleModel:
    """A channel model without small-scale fading.

    Parameters
    ----------
    los_loss_db, nlos_loss_db : callable
        ``(paths, carrier_hz) -> loss`` with and without line of sight, dB, shape (L,).
    los_probability : callable
        ``(paths) -> probability`` of line of sight, shape (L,), in [0, 1].
    los_shadowing_db, nlos_shadowing_db : float
        Standard deviation of log-normal shadowing, dB, >= 0.
    base_height_m, terminal_height_m : float
        Height of a base station and of a terminal that state none, m.
    """

    los_loss_db: Callable[[Paths, float], FloatArray]
    nlos_loss_db: Callable[[Paths, float], FloatArray]
    los_probability: Callable[[Paths], FloatArray]
    los_shadowing_db: float
    nlos_shadowing_db: float
    base_height_m: float
    terminal_height_m: float = 1.5

    def loss_db(self, paths: Paths, carrier_hz: float, line_of_sight: BoolArray) -> FloatArray:
        """Return the loss of each link with the state given, dB, shape (L,)."""
        clear, blocked = self.los_loss_db(paths, carrier_hz), self.nlos_loss_db(paths, carrier_hz)
        return np.where(line_of_sight, clear, blocked)

    def shadowing_db(self, line_of_sight: BoolArray) -> FloatArray:
        """Return the standard deviation of each link's shadowing with the state given, dB, shape (L,)."""
        return np.where(line_of_sight, self.los_shadowing_db, self.nlos_shadowing_db)


def model_named(name: str, reference_loss_db: float = 30.0, exponent: float = 3.0) -> LargeScaleModel:
    """Return a model by its name in instance files.

    Parameters
    ----------
    name : str
        One of the names that ``ChannelModel.model`` allows.
    reference_loss_db, exponent : float
        For ``exponent``: loss at 1 m, dB, and path-loss exponent, > 0.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if name == "exponent":
        loss = partial(exponent_loss_db, reference_loss_db=reference_loss_db, exponent=exponent)
        return LargeScaleModel(loss, loss, always_in_sight, 0.0, 0.0, base_height_m=LOWEST_HEIGHT_M)
    if name not in _MODELS:
        raise ValueError(f"unknown channel model {name!r}: known are {', '.join([*_MODELS, 'exponent'])}")
    return _MODELS[name]


def _hall_model(kind: str) -> LargeScaleModel:
    return LargeScaleModel(
        inf_los_loss_db,
        partial(inf_nlos_loss_db, kind=kind),
        partial(inf_los_probability, kind=kind),
        _HALL_LOS_SHADOWING_DB,
        _HALLS[kind][0],
        base_height_m=_HALLS[kind][1],
    )


def _vehicle_model(
    los_loss_db: Callable[[Paths, float], FloatArray], los_probability: Callable[[Paths], FloatArray]
) -> LargeScaleModel:
    nlos_loss_db = partial(vehicle_nlos_loss_db, los_loss_db=los_loss_db)
    return LargeScaleModel(los_loss_db, nlos_loss_db, los_probability, 3.0, 4.0, base_height_m=1.5)


_HALL_LOS_SHADOWING_DB = 4.3
_HALLS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"sl": (5.7, 1.5), "dl": (7.2, 1.5), "sh": (5.9, 8.0), "dh": (4.0, 8.0)}
)  # shadowing out of sight, dB (TR 38.901, Table 7.4.1-1), and height of the base station, m (Table 7.8-7)
_MODELS: Mapping[str, LargeScaleModel] = MappingProxyType(
    {
        "tr38901-uma": LargeScaleModel(
            uma_los_loss_db, uma_nlos_loss_db, uma_los_probability, 4.0, 6.0, base_height_m=25.0
        ),
        "tr38901-umi": LargeScaleModel(
            umi_los_loss_db, umi_nlos_loss_db, umi_los_probability, 4.0, 7.82, base_height_m=10.0
        ),
        **{f"tr38901-inf-{kind}": _hall_model(kind) for kind in _HALLS},
        "tr36843-d2d": LargeScaleModel(
            d2d_los_loss_db, d2d_nlos_loss_db, umi_los_probability, 7.0, 7.0, base_height_m=1.5
        ),
        "tr37885-highway": _vehicle_model(highway_los_loss_db, highway_los_probability),
        "tr37885-urban": _vehicle_model(street_los_loss_db, street_los_probability),
        "macro": LargeScaleModel(macro_loss_db, macro_loss_db, always_in_sight, 8.0, 8.0, base_height_m=25.0),
    }
)
