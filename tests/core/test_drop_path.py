"""DropPath: whole samples, and what a residual block then says."""

import torch

import dropover


def test_a_hit_sample_passes_by_its_shortcut():
    branch, drop = torch.nn.Linear(6, 6), dropover.DropPath(0.5)
    x = torch.rand(200, 6)
    y = x + drop(branch(x))
    passed = (y == x).all(1)
    assert 0 < passed.sum() < 200
    torch.testing.assert_close(y[~passed], (x + 2 * branch(x))[~passed])


def test_shapes_of_any_rank():
    for shape in ((8,), (8, 3), (8, 3, 4), (8, 3, 4, 5), (8, 2, 2, 2, 2)):
        y = dropover.DropPath(0.5, rescale="none")(torch.ones(shape))
        assert dropover.DropPath(0.3).rates(y).shape == (8,)
        assert torch.equal(
            y, y.flatten(1)[:, 0].view(-1, *[1] * (len(shape) - 1)).expand_as(y) if len(shape) > 1 else y
        )
