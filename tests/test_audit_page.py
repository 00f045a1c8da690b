"""docs/audit.md has a row for every net of the panel, and every verdict in it is right for what is known of the net."""

from pathlib import Path
from types import ModuleType

import pytest
import torch

from .documents import module_of

ROOT = Path(__file__).parent.parent


panel = module_of("audit", "panel")


def test_every_net_has_its_seeds_and_no_verdict_is_wrong(panel: ModuleType):
    kept = panel.kept()
    assert list(kept) == list(panel.ENTRIES)
    assert {len(row) for row in kept.values()} == {len(panel.SEEDS)}
    assert not [(name, one) for name, row in kept.items() for one in row if panel.wrong(name, one)]


def test_the_page_says_what_was_seen(panel: ModuleType):
    text = panel.PAGE.read_text(encoding="utf-8")
    assert text == panel.filled(text, panel.kept())
    with pytest.raises(ValueError, match="has no table"):
        panel.filled("", panel.kept())


def test_a_wrong_verdict_shows_and_counts(panel: ModuleType):
    seen = {"true": 0.0, "fgsm": 0.9, "pgd": 0.9, "flags": (), "figure": 0.9, "failed": (), "seconds": 1.0}
    right, wrong = panel.Seen(verdict="broken", **seen), panel.Seen(verdict="supported", **seen)
    assert "**" not in panel.line("zero-backward", [right])
    assert "**supported**" in panel.line("zero-backward", [right, wrong])
    assert panel.counted({"zero-backward": [right, wrong]}).startswith("1 of 2 verdicts are right")


def test_what_is_planted_leaves_the_clean_answers(panel: ModuleType):
    """A mask hides a net's fall: it isn't one that makes another net of it."""
    import masks

    torch.manual_seed(0)
    net, x = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10)), torch.rand(20, 1, 28, 28)
    answers = net(x).argmax(1)
    for mask in (
        masks.Scaled(net, 1e3),
        masks.Probabilities(net),
        masks.Annealed(net),
        masks.Detached(net),
        masks.ZeroBackward(net),
        masks.Misled(net),
        masks.Voting(net),
    ):
        assert torch.equal(mask(x).argmax(1), answers), type(mask).__name__


@pytest.mark.parametrize(
    ("model", "flag"),
    [
        (lambda x: torch.randn(len(x), 10), "randomized"),
        (lambda x: x.flatten(1)[:, :10].softmax(1), "softmax output"),
        (lambda x: 0 * x.flatten(1)[:, :10] + torch.arange(10), "zero gradient"),
        (lambda x: x.detach().flatten(1)[:, :10], "crashes"),
    ],
)
def test_flags_are_raised_where_they_should_be(panel: ModuleType, model: object, flag: str):
    from autoattack_flags import flags

    class Net(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return model(x)

    torch.manual_seed(0)
    x = torch.rand(4, 1, 8, 8)
    assert flag in flags(Net(), x, torch.zeros(4, dtype=torch.long), 0.1)
