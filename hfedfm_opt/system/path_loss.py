"""Path loss of the channel models, in dB.

d is the 3-D distance in m, f the carrier in GHz, lg the logarithm to base 10.  Outside a model's stated range
(mostly 10 m to 5 km) its formula is continued.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

SPEED_OF_LIGHT_M_PER_S = 3.0e8
"""As rounded by TR 38.901, Table 7.4.1-1, note 1."""
LOWEST_HEIGHT_M = 1.5
"""Lower antennas are taken to be this high: TR 38.901 states its models from 1.5 m up (Table 7.4.1-1)."""
_HALL_NLOS_DB: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"sl": (33.0, 25.5), "dl": (18.6, 35.7), "sh": (32.4, 23.0), "dh": (33.63, 21.9)}
)  # loss at 1 m and 1 GHz, and per decade of distance
_D2D_EFFECTIVE_HEIGHT_M = 0.8


@dataclass(frozen=True)
class Paths:
    """Where a signal goes: L links between a higher antenna (base) and a lower one (terminal).

    Parameters
    ----------
    distance_2d_m : array, shape (L,)
        Horizontal distance, m, >= 0.
    distance_3d_m : array, shape (L,)
        Distance of the antennas, m, > 0.
    base_height_m, terminal_height_m : array, shape (L,)
        Heights of the antennas, m.
    """

    distance_2d_m: FloatArray
    distance_3d_m: FloatArray
    base_height_m: FloatArray
    terminal_height_m: FloatArray


def uma_los_loss_db(paths: Paths, carrier_hz: float) -> FloatArray:
    """Return the loss of urban macro cells in line of sight: TR 38.901, Table 7.4.1-1, UMa LOS.

    ``28 + 22 lg d + 20 lg f``, beyond the breakpoint
    ``28 + 40 lg d + 20 lg f - 9 lg(d'^2 + (h_BS - h_UT)^2)``.
    The environment height is 1 m, which is exact for terminals up to 13 m.
    """
    return _two_slopes_db(paths, carrier_hz, 28.0, 22.0, 9.0)


def uma_nlos_loss_db(paths: Paths, carrier_hz: float) -> FloatArray:
    """Return the loss of urban macro cells without line of sight: TR 38.901, Table 7.4.1-1, UMa NLOS.

    ``max(LOS, 13.54 + 39.08 lg d + 20 lg f - 0.6 (h_UT - 1.5))``.
    """
    terminal = np.maximum(paths.terminal_height_m, LOWEST_HEIGHT_M)
    loss = 13.54 + 39.08 * np.log10(paths.distance_3d_m) + 20.0 * _lg_ghz(carrier_hz) - 0.6 * (terminal - 1.5)
    return _larger(uma_los_loss_db(paths, carrier_hz), loss)


def umi_los_loss_db(paths: Paths, carrier_hz: float) -> FloatArray:
    """Return the loss of street canyons in line of sight: TR 38.901, Table 7.4.1-1, UMi LOS.

    ``32.4 + 21 lg d + 20 lg f``, beyond the breakpoint
    ``32.4 + 40 lg d + 20 lg f - 9.5 lg(d'^2 + (h_BS - h_UT)^2)``.
    """
    return _two_slopes_db(paths, carrier_hz, 32.4, 21.0, 9.5)


def umi_nlos_loss_db(paths: Paths, carrier_hz: float) -> FloatArray:
    """Return the loss of street canyons without line of sight: TR 38.901, Table 7.4.1-1, UMi NLOS.

    ``max(LOS, 22.4 + 35.3 lg d + 21.3 lg f - 0.3 (h_UT - 1.5))``.
    """
    terminal = np.maximum(paths.terminal_height_m, LOWEST_HEIGHT_M)
    loss = 22.4 + 35.3 * np.log10(paths.distance_3d_m) + 21.3 * _lg_ghz(carrier_hz) - 0.3 * (terminal - 1.5)
    return _larger(umi_los_loss_db(paths, carrier_hz), loss)


def inf_los_loss_db(paths: Paths, carrier_hz: float) -> FloatArray:
    """Return the loss of factory halls in line of sight, ``31.84 + 21.5 lg d + 19 lg f``.

    TR 38.901, Table 7.4.1-1, InF LOS.
    """
    return 31.84 + 21.5 * np.log10(paths.distance_3d_m) + 19.0 * _lg_ghz(carrier_hz)


def inf_nlos_loss_db(paths: Paths, carrier_hz: float, kind: str) -> FloatArray:
    """Return the loss of factory halls without line of sight: TR 38.901, Table 7.4.1-1, InF NLOS.

    ``max(LOS, c + s lg d + 20 lg f)`` with c and s of the hall; DL is never below SL.

    Parameters
    ----------
    paths : Paths
        L links.
    carrier_hz : float
        Carrier frequency, Hz.
    kind : "sl", "dl", "sh" or "dh"
        Sparse or dense clutter, low or high base station.
    """
    kinds = ("dl", "sl") if kind == "dl" else (kind,)
    log_distance = np.log10(paths.distance_3d_m)
    losses = [
        _HALL_NLOS_DB[each][0] + _HALL_NLOS_DB[each][1] * log_distance + 20.0 * _lg_ghz(carrier_hz)
        for each in kinds
    ]
    return _larger(inf_los_loss_db(paths, carrier_hz), *losses)


def d2d_los_loss_db(paths: Paths, carrier_hz: float) -> FloatArray:
    """Return the loss between terminals outdoors in line of sight: TR 36.843, Table A.2.1.2-1.

    The larger of free space, ``46.4 + 20 lg d + 20 lg(f / 5)``, and WINNER+ B1 (D5.3, Table 4-1):
    ``27 + 22.7 lg d + 20 lg f``, beyond the breakpoint ``4 h'^2 f / c`` of effective heights h' = 0.8 m
    ``7.56 + 40 lg d - 34.6 lg 0.8 + 2.7 lg f``.
    """
    log_distance, log_carrier = np.log10(paths.distance_3d_m), _lg_ghz(carrier_hz)
    breakpoint_m = 4.0 * _D2D_EFFECTIVE_HEIGHT_M**2 * carrier_hz / SPEED_OF_LIGHT_M_PER_S
    near = 27.0 + 22.7 * log_distance + 20.0 * log_carrier
    far = 7.56 + 40.0 * log_distance - 34.6 * np.log10(_D2D_EFFECTIVE_HEIGHT_M) + 2.7 * log_carrier
    street = np.where(paths.distance_3d_m <= breakpoint_m, near, far)
    return _larger(_d2d_free_space_db(paths, carrier_hz), street)


def d2d_nlos_loss_db(paths: Paths, carrier_hz: float) -> FloatArray:
    """Return the loss between terminals outdoors without line of sight: TR 36.843, Table A.2.1.2-1.

    WINNER+ B1 (D5.3, Table 4-1) at 1.5 m, lowered by 5 dB as TR 36.843 has it (some copies raise it):
    ``(44.9 - 6.55 lg 1.5) lg d + 5.83 lg 1.5 + a - 5``, where a is ``16.33 + 26.16 lg f`` to 1.5 GHz (public
    safety), ``14.78 + 34.97 lg f`` to 2 GHz, and ``18.38 + 23 lg f`` above.  Never below line of sight.
    """
    log_carrier = _lg_ghz(carrier_hz)
    height_db = np.log10(1.5)
    if carrier_hz <= 1.5e9:
        carrier_db = 16.33 + 26.16 * log_carrier
    elif carrier_hz <= 2e9:
        carrier_db = 14.78 + 34.97 * log_carrier
    else:
        carrier_db = 18.38 + 23.0 * log_carrier
    slope = 44.9 - 6.55 * height_db
    loss = slope * np.log10(paths.distance_3d_m) + 5.83 * height_db + carrier_db - 5.0
    return _larger(d2d_los_loss_db(paths, carrier_hz), loss)


def highway_los_loss_db(paths: Paths, carrier_hz: float) -> FloatArray:
    """Return the loss between vehicles on a highway in sight, ``32.4 + 20 lg d + 20 lg f``.

    TR 37.885, Table 6.2.1-1.
    """
    return 32.4 + 20.0 * np.log10(paths.distance_3d_m) + 20.0 * _lg_ghz(carrier_hz)


def street_los_loss_db(paths: Paths, carrier_hz: float) -> FloatArray:
    """Return the loss between vehicles in a street in sight, ``38.77 + 16.7 lg d + 18.2 lg f``.

    TR 37.885, Table 6.2.1-1.
    """
    return 38.77 + 16.7 * np.log10(paths.distance_3d_m) + 18.2 * _lg_ghz(carrier_hz)


def vehicle_nlos_loss_db(
    paths: Paths, carrier_hz: float, los_loss_db: Callable[[Paths, float], FloatArray]
) -> FloatArray:
    """Return the loss between vehicles out of sight, ``max(LOS, 36.85 + 30 lg d + 18.9 lg f)``.

    TR 37.885, Table 6.2.1-1; the maximum is ours.
    """
    loss = 36.85 + 30.0 * np.log10(paths.distance_3d_m) + 18.9 * _lg_ghz(carrier_hz)
    return _larger(los_loss_db(paths, carrier_hz), loss)


def macro_loss_db(paths: Paths, carrier_hz: float) -> FloatArray:
    """Return the classic macro-cell loss at 2 GHz, ``128.1 + 37.6 lg(d / km)``.

    TR 36.814, Table A.2.1.1-2, case 1.
    """
    del carrier_hz
    return 128.1 + 37.6 * np.log10(paths.distance_3d_m / 1000.0)


def exponent_loss_db(
    paths: Paths, carrier_hz: float, *, reference_loss_db: float, exponent: float
) -> FloatArray:
    """Return the log-distance loss, ``reference_loss_db + 10 exponent lg d``."""
    del carrier_hz
    return reference_loss_db + 10.0 * exponent * np.log10(paths.distance_3d_m)


def rma_los_loss_db(paths: Paths, carrier_hz: float, building_height_m: float = 5.0) -> FloatArray:
    """Return the loss of rural macro cells in line of sight: TR 38.901, Table 7.4.1-1, RMa LOS.

    With h the height of the buildings (5 to 50 m),
    ``20 lg(40 pi d f / 3) + min(0.03 h^1.72, 10) lg d - min(0.044 h^1.72, 14.77) + 0.002 d lg h``;
    beyond the breakpoint ``2 pi h_BS h_UT f / c`` the loss there plus ``40 lg(d / breakpoint)``.
    """
    power = building_height_m**1.72

    def near(distance_m: FloatArray) -> FloatArray:
        free_space = 20.0 * np.log10(40.0 * np.pi * distance_m * carrier_hz / 1e9 / 3.0)
        clutter = min(0.03 * power, 10.0) * np.log10(distance_m) - min(0.044 * power, 14.77)
        loss: FloatArray = free_space + clutter + 0.002 * np.log10(building_height_m) * distance_m
        return loss

    heights = paths.base_height_m * paths.terminal_height_m
    breakpoint_m = 2.0 * np.pi * heights * carrier_hz / SPEED_OF_LIGHT_M_PER_S
    far = near(breakpoint_m) + 40.0 * np.log10(paths.distance_3d_m / breakpoint_m)
    loss: FloatArray = np.where(paths.distance_2d_m <= breakpoint_m, near(paths.distance_3d_m), far)
    return loss


def _two_slopes_db(
    paths: Paths, carrier_hz: float, intercept_db: float, slope_db: float, correction_db: float
) -> FloatArray:
    base = np.maximum(paths.base_height_m, LOWEST_HEIGHT_M)
    terminal = np.maximum(paths.terminal_height_m, LOWEST_HEIGHT_M)
    breakpoint_m = 4.0 * (base - 1.0) * (terminal - 1.0) * carrier_hz / SPEED_OF_LIGHT_M_PER_S
    log_distance, carrier_db = np.log10(paths.distance_3d_m), 20.0 * _lg_ghz(carrier_hz)
    near = intercept_db + slope_db * log_distance + carrier_db
    correction = correction_db * np.log10(breakpoint_m**2 + (base - terminal) ** 2)
    far = intercept_db + 40.0 * log_distance + carrier_db - correction
    loss: FloatArray = np.where(paths.distance_2d_m <= breakpoint_m, near, far)
    return loss


def _d2d_free_space_db(paths: Paths, carrier_hz: float) -> FloatArray:
    return 46.4 + 20.0 * np.log10(paths.distance_3d_m) + 20.0 * _lg_ghz(carrier_hz / 5.0)


def _lg_ghz(carrier_hz: float) -> float:
    return float(np.log10(carrier_hz / 1e9))


def _larger(*losses_db: FloatArray) -> FloatArray:
    loss: FloatArray = np.max(losses_db, axis=0)
    return loss
