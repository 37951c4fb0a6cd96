"""Which site serves which device: the strongest, or so that no cell is crowded."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def strongest_site(device: IntArray, site: IntArray, rate_bps: FloatArray, num_devices: int) -> IntArray:
    """Return for each device the site with the highest rate, shape (D,).

    Parameters
    ----------
    device, site : array, shape (L,)
        The links: each device has at least one.
    rate_bps : array, shape (L,)
        Rate of each link over the whole band.
    num_devices : int
        D.
    """
    order = np.lexsort((site, -rate_bps, device))
    _, first = np.unique(device[order], return_index=True)
    assert len(first) == num_devices, "each device has a link"
    return site[order][first]


def balanced_site(
    device: IntArray, site: IntArray, rate_bps: FloatArray, num_devices: int, max_per_site: int
) -> IntArray:
    """Return for each device a site, shape (D,), so that uploads of one size end soonest on the average.

    Let the devices of a cell upload one after another over the whole band, the fastest first.  The k-th last
    delays itself and the k - 1 after it, so that the sum of the times at which uploads end is the sum of
    ``k / rate`` over the devices.  Choosing a site and a place k for each device is an assignment problem,
    which is solved exactly (Horn 1973, Operations Research 21(3), 846-847, https://doi.org/10.1287/opre.21.3.846).
    The places of a site are ``max_per_site``, or the fewest with which every device has one.

    Parameters
    ----------
    device, site : array, shape (L,)
        The links: each device has at least one.
    rate_bps : array, shape (L,)
        Rate of each link over the whole band, > 0.
    num_devices : int
        D.
    max_per_site : int
        Most devices of a site, >= 1.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching, min_weight_full_bipartite_matching

    places = max_per_site
    while True:
        place = np.arange(1, places + 1)
        column = (site[:, None] * places + place - 1).ravel()
        row = np.repeat(device, places)
        shape = (num_devices, (int(site.max()) + 1) * places)
        slots = csr_array((np.ones(len(row)), (row, column)), shape=shape)
        if (maximum_bipartite_matching(slots, perm_type="column") >= 0).all():
            break
        places += 1
    cost = (place / rate_bps[:, None]).ravel()
    slots = csr_array((cost / cost.min(), (row, column)), shape=shape)
    found_rows, found_columns = min_weight_full_bipartite_matching(slots)
    chosen = np.empty(num_devices, dtype=np.int64)
    chosen[found_rows] = found_columns // places
    return chosen
