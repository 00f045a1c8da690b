"""What matters is what predicts: a factor that does nothing gets nothing."""

from random import Random

import pytest

from dropover.lab.searching.importance import FEW, importance

FACTORS = ("method", "place", "settings")


def tried(
    factor: str, noise: float = 0.0, arms: int = 150, seed: int = 0
) -> tuple[dict[str, dict[str, object]], dict[str, float]]:
    """Arms whose figure hangs on one factor alone, and on chance."""
    random = Random(seed)
    chosen: dict[str, dict[str, object]] = {}
    values: dict[str, float] = {}
    for number in range(arms):
        method, place, p = random.choice("abc"), random.choice("xy"), random.random()
        truths = {"method": ord(method) - 97.0, "place": float(place == "x"), "settings": (p - 0.5) ** 2, "": 0.0}
        chosen[str(number)] = {"method": method, f"{method}.at": place, f"{method}.p": p}
        values[str(number)] = truths[factor] + random.gauss(0, noise)
    return chosen, values


@pytest.mark.parametrize("factor", FACTORS)
def test_a_factor_that_decides_has_nearly_all_of_it(factor: str) -> None:
    shares = importance(*tried(factor))
    assert shares is not None
    for each in FACTORS:
        share = getattr(shares, each)
        assert share > 0.7 if each == factor else share < 0.1


@pytest.mark.parametrize("seed", range(5))
def test_chance_explains_nothing(seed: int) -> None:
    shares = importance(*tried("", noise=1.0, seed=seed))
    assert shares is not None
    assert shares.rest > 0.85
    assert sum(vars(shares).values()) == pytest.approx(1)


def test_of_few_arms_or_of_equal_ones_nothing_is_said() -> None:
    assert importance(*tried("method", arms=FEW - 1)) is None
    assert importance(*tried("")) is None
