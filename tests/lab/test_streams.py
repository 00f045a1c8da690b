"""Random streams: named, reproducible, and gone without a trace."""

import pytest
import torch

from dropover.lab.streams import generator, seeded, stream_seed


def test_seed_is_the_same_everywhere_and_fits_63_bits() -> None:
    # Written out: a change would silently change every published result.
    assert stream_seed(0, "weights") == 133441691874178746
    assert all(0 <= stream_seed(seed, name) < 2**63 for seed in range(50) for name in ("weights", "batches"))


def test_seeds_and_names_give_different_streams() -> None:
    seeds = {stream_seed(seed, name) for seed in range(20) for name in ("weights", "batches", "noise gaussian 0.5")}
    assert len(seeds) == 60


def test_generator_repeats_its_stream() -> None:
    first, again = (torch.rand(4, generator=generator(3, "batches")) for _ in range(2))
    assert torch.equal(first, again)


def test_seeded_draws_the_stream_and_restores_the_default_generator() -> None:
    before = torch.get_rng_state()
    with seeded(3, "batches"):
        drawn = torch.rand(4)
    assert torch.equal(drawn, torch.rand(4, generator=generator(3, "batches")))
    assert torch.equal(torch.get_rng_state(), before)


def test_seeded_restores_after_an_error() -> None:
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="shape"), seeded(3, "batches"):
        torch.rand(4).reshape(3)
    assert torch.equal(torch.get_rng_state(), before)
