"""The laws of what chance decides, and what keys it."""

import numpy as np
import pytest
from scipy import stats

from fl_runtime.living.draws import attempts_of, rounds_away, slow_factors
from fl_runtime.schedule import DropOut, Losses, Straggling, Transfer, Wired

NUM = 20_000


def transfer(source="d1", target="edge", name="up"):
    return Transfer(
        id=name, source=source, target=target, content="update", modules=("m",), bits=1.0,
        medium=Wired(rate_bps=1.0),
    )  # fmt: skip


@pytest.mark.parametrize(("share", "mean"), [(0.3, None), (0.3, 4.0), (0.6, 1.5), (0.5, 1.0)])
def test_nodes_are_away_for_their_share_of_the_rounds_and_their_mean_time(share, mean):
    away = rounds_away(DropOut(share=share, mean_rounds_away=mean), 0, ["a"], NUM)[:, 0]
    stay = mean or 1 / (1 - share)
    back, leave = 1 / stay, share / (1 - share) / stay
    # variance of a mean over a two-state chain with correlation 1 - back - leave from round to round
    memory = (2 - back - leave) / (back + leave)
    assert abs(away.mean() - share) <= 3 * np.sqrt(share * (1 - share) * memory / NUM)
    starts = np.flatnonzero(np.diff(away.astype(int), prepend=0) == 1)
    ends = np.flatnonzero(np.diff(away.astype(int)) == -1) + 1
    lengths = ends - starts[: len(ends)]
    error = np.sqrt((1 - back) / back**2 / len(lengths))  # of a geometric law
    assert abs(lengths.mean() - stay) <= 3 * error


def test_nodes_start_in_either_state_with_their_share():
    first = rounds_away(DropOut(share=0.25, mean_rounds_away=9.0), 1, [f"n{i}" for i in range(4000)], 1)[0]
    assert abs(first.mean() - 0.25) < 3 * np.sqrt(0.25 * 0.75 / 4000)


def test_rounds_are_independent_without_a_mean_time():
    away = rounds_away(DropOut(share=0.3), 2, ["a"], NUM)[:, 0]
    assert abs(np.corrcoef(away[1:], away[:-1])[0, 1]) < 3 / np.sqrt(NUM)


def test_shifted_exponential_work_takes_at_least_its_time():
    excess = slow_factors(Straggling(spread=0.5), 3, "a", "train", NUM) - 1.0
    assert stats.kstest(excess / 0.5, "expon").pvalue > 1e-3


def test_log_normal_work_has_its_time_as_median():
    factors = slow_factors(Straggling(law="log-normal", spread=0.4), 3, "a", "train", NUM)
    assert stats.kstest(np.log(factors) / 0.4, "norm").pvalue > 1e-3


def test_attempts_are_geometric_and_end_with_the_last_one():
    attempts, arrives = attempts_of(Losses(probability=0.3, max_attempts=3), 4, transfer(), NUM)
    shares = [np.mean(attempts == k) for k in (1, 2, 3)]
    for found, expected in zip([*shares, arrives.mean()], [0.7, 0.21, 0.09, 1 - 0.027], strict=True):
        assert abs(found - expected) < 3 * np.sqrt(expected * (1 - expected) / NUM)
    assert arrives[attempts < 3].all()


def test_nothing_is_lost_with_probability_zero():
    attempts, arrives = attempts_of(Losses(probability=0.0), 4, transfer(), 100)
    assert (attempts == 1).all()
    assert arrives.all()


DRAWS = {
    "away": lambda seed, name, n: rounds_away(DropOut(share=0.5, mean_rounds_away=2.0), seed, [name], n)[
        :, 0
    ],
    "slow": lambda seed, name, n: slow_factors(Straggling(), seed, name, "train", n),
    "log-normal": lambda seed, name, n: slow_factors(Straggling(law="log-normal"), seed, name, "train", n),
    "lost": lambda seed, name, n: attempts_of(
        Losses(probability=0.5, max_attempts=None), seed, transfer(name), n
    )[0],
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_fewer_rounds_draw_a_prefix_and_seed_and_name_key_the_draws(draw):
    long = draw(7, "d1", 60)
    assert np.array_equal(long[:20], draw(7, "d1", 20))
    assert not np.array_equal(long, draw(8, "d1", 60))
    assert not np.array_equal(long, draw(7, "d2", 60))


def test_other_nodes_change_no_draw():
    drop_out = DropOut(share=0.5)
    alone = rounds_away(drop_out, 0, ["b"], 50)[:, 0]
    assert np.array_equal(alone, rounds_away(drop_out, 0, ["a", "b", "c"], 50)[:, 1])
