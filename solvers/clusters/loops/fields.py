"""Where the numbers of one phase of one cluster stand in a flat array.

A phase is a way up or a way back of a cluster of N nodes.  For each (node, parent), N * N numbers each:
noise over gain of the link (W/Hz, infinite without a link), price of its energy per noise (``spend``), limit
of power (W), and price of what the radios draw besides in a second (``idle``).  For each node: least and
longest seconds of computing, and K^3 so that a time price of K^3 / c^3 makes c seconds the best.  Then the
band (Hz) and the price of time (1/s).  At the end payloads in nats: of the union of the items of each set of
nodes, 2 ** N numbers, or, where trees are not listed, of each transfer and of the union of all.
"""

from solvers.common.compiled import compiled


@compiled
def offsets(num_nodes: int) -> tuple[int, int, int, int, int, int, int, int, int]:
    """Return where noise, spend, cap, idle, nats, c_min, c_max, K3 and (band, time weight) begin."""
    pairs = num_nodes * num_nodes
    least = 4 * pairs
    most, cube, band = least + num_nodes, least + 2 * num_nodes, least + 3 * num_nodes
    return 0, pairs, 2 * pairs, 3 * pairs, band + 2, least, most, cube, band
