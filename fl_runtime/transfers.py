"""The transfers of a schedule as a table: what goes from where to where in each kind of round."""

import csv
import io
import math
import os
from collections.abc import Iterator

from fl_runtime.physics import shannon_rate_bps, transfer_seconds
from fl_runtime.schedule import Schedule, Transfer, Wired, Wireless
from fl_runtime.whole_files import write_whole

COLUMNS = (
    *("kind", "transfer", "after", "source", "target", "content", "origin", "modules", "bits"),
    *("medium", "band", "band_hz", "power_w", "gain", "noise_w_per_hz", "rate_bps", "delay_s", "alone_s"),
)
"""``rate_bps`` is that of the link on a still channel, empty for no limit; ``alone_s`` is the time that the
transfer takes once it starts.  What a medium does not have is empty."""

SEPARATOR = "+"
"""Between names in one cell."""


def transfer_rows(schedule: Schedule) -> Iterator[dict[str, str | float | None]]:
    """Yield a row, with the keys of ``COLUMNS``, for each transfer of each kind of round, in order.

    Parameters
    ----------
    schedule : Schedule
        Checked.
    """
    for kind in schedule.kinds:
        for step in kind.steps:
            if isinstance(step, Transfer):
                yield {
                    "kind": kind.name,
                    "transfer": step.id,
                    "after": SEPARATOR.join(step.after),
                    "source": step.source,
                    "target": step.target,
                    "content": step.content,
                    "origin": step.origin or step.source,
                    "modules": SEPARATOR.join(step.modules),
                    "bits": step.bits,
                    **_medium(step.medium, step.bits),
                }


def write_transfers_csv(schedule: Schedule, path: str | os.PathLike[str]) -> None:
    """Write :func:`transfer_rows` with a head line, whole or not at all; numbers keep all digits."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(transfer_rows(schedule))
    write_whole(path, stream.getvalue().encode())


def _medium(medium: Wireless | Wired, bits: float) -> dict[str, str | float | None]:
    if isinstance(medium, Wired):
        rate_bps = math.inf if medium.rate_bps is None else medium.rate_bps
        return {
            "medium": medium.type,
            "power_w": medium.power_w,
            "rate_bps": medium.rate_bps,
            "delay_s": medium.delay_s,
            "alone_s": transfer_seconds(bits, rate_bps, medium.delay_s),
        }
    rate_bps = shannon_rate_bps(medium.band_hz, medium.power_w, medium.gain, medium.noise_w_per_hz)
    return {
        "medium": medium.type,
        "band": medium.band,
        "band_hz": medium.band_hz,
        "power_w": medium.power_w,
        "gain": medium.gain,
        "noise_w_per_hz": medium.noise_w_per_hz,
        "rate_bps": rate_bps,
        "alone_s": transfer_seconds(bits, rate_bps),
    }
