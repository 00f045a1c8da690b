"""An audit in a folder: it goes on where it was cut off, is taken over when finished, and is told apart from others."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dropover import lab
from dropover.lab.auditing.keeping import FACTS, IMAGES, PAGE, TENSORS
from dropover.lab.auditing.outcome import Audit
from dropover.lab.auditing.state import STATE

COUNT, CLASSES = 40, 5


class Layered(nn.Module):
    """A little net, whose inference is random where it is asked to be."""

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.rate, self.inner, self.outer = rate, nn.Linear(16, 12), nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        inside = nn.functional.dropout(self.inner(x.flatten(1)).relu(), self.rate, training=self.rate > 0)
        logits: Tensor = self.outer(inside)
        return logits


def examples(model: nn.Module) -> tuple[Tensor, Tensor]:
    images = 0.3 + 0.4 * torch.rand((COUNT, 1, 4, 4), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return images, model(images).argmax(1)


def audited(model: nn.Module, out: Path | None = None, **settings: Any) -> Audit:
    return lab.audit(model, *examples(Layered()), **{"eps": 0.03, "out": out, **settings})


def content(audit: Audit) -> dict[str, Any]:
    """All that is equal where the same is done again: everything but the time."""
    attacks = [dataclasses.replace(each, seconds=0) for each in audit.attacks]
    plain = {field.name: getattr(audit, field.name) for field in dataclasses.fields(audit)}
    return {**plain, "attacks": attacks, **{name: plain[name].tolist() for name in TENSORS}}


def cut(model: nn.Module, out: Path, share: float, stop: type[BaseException], **settings: Any) -> None:
    def report(done: float, _what: str) -> None:
        if done >= share:
            raise stop

    with pytest.raises(stop):
        audited(model, out, report=report, **settings)


@pytest.mark.parametrize("rate", [0.0, 0.3])
@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_an_audit_that_was_cut_off_comes_to_what_an_undisturbed_one_comes_to(
    tmp_path: Path, rate: float, stop: type[BaseException]
) -> None:
    whole = audited(Layered(rate))
    for share in (0.2, 0.6, 0.95):
        cut(Layered(rate), tmp_path, share, stop)
        assert (tmp_path / STATE).is_file()
    assert content(audited(Layered(rate), tmp_path)) == content(whole)
    assert {path.name for path in tmp_path.iterdir()} == {FACTS, IMAGES, PAGE}


def test_what_was_done_is_not_done_again(tmp_path: Path) -> None:
    shares: list[float] = []
    cut(Layered(), tmp_path, 0.7, KeyboardInterrupt)
    audited(Layered(), tmp_path, report=lambda share, _what: shares.append(share))
    calls = len(shares)
    audited(Layered(), tmp_path / "other", report=lambda share, _what: shares.append(share))
    assert calls < 0.8 * (len(shares) - calls)


def test_the_share_rises_to_the_whole(tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    audited(Layered(), report=lambda *each: told.append(each))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < 0.1
    assert shares[-1] == pytest.approx(1)
    assert any(what.startswith("attack ") for _, what in told)
    assert any(what.startswith("check ") for _, what in told)


def test_a_finished_audit_is_taken_over_and_judged_on_another_claim(tmp_path: Path) -> None:
    asked: list[float] = []
    first = audited(Layered(), tmp_path)
    again = audited(Layered(), tmp_path, claim=1.0, report=lambda share, _what: asked.append(share))
    assert not asked
    assert [each.seconds for each in again.attacks] == [each.seconds for each in first.attacks]
    assert content(again) == content(audited(Layered(), claim=1.0))


def changed() -> nn.Module:
    model = Layered()
    with torch.no_grad():
        model.outer.bias += 1e-4
    return model


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        (changed(), {}),
        (nn.Sequential(Layered()), {}),
        (Layered(), {"seed": 1}),
        (Layered(), {"eps": 0.031}),
        (Layered(), {"norm": "l2"}),
    ],
)
def test_another_audit_is_not_taken_over(tmp_path: Path, model: nn.Module, settings: dict[str, Any]) -> None:
    cut(Layered(), tmp_path, 0.3, KeyboardInterrupt)
    own = content(audited(model, **settings))
    assert content(audited(model, tmp_path, **settings)) == own
    audited(Layered(), tmp_path)
    assert content(audited(model, tmp_path, **settings)) == own


def test_a_damaged_file_is_set_aside_with_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut(Layered(), tmp_path, 0.7, KeyboardInterrupt)
    state = tmp_path / STATE
    state.write_bytes(state.read_bytes()[:-100])
    whole = audited(Layered(), tmp_path)
    said = f"{state} was changed since it was written: set aside as {STATE}.damaged; the audit begins anew\n"
    assert capsys.readouterr().err == said
    assert content(whole) == content(audited(Layered()))
    facts = tmp_path / FACTS
    facts.write_text(facts.read_text(encoding="utf-8").replace("supported", "broken"), encoding="utf-8")
    assert content(audited(Layered(), tmp_path)) == content(whole)
    assert capsys.readouterr().err == f"{facts} was changed since it was written; the audit is made again\n"


def test_what_is_kept_says_what_was_found_and_the_circumstances(tmp_path: Path) -> None:
    audit = audited(Layered(), tmp_path, asked={"model": "a net"})
    facts = json.loads((tmp_path / FACTS).read_text(encoding="utf-8"))
    assert facts["verdict"] == audit.verdict
    assert [each["name"] for each in facts["checks"]] == [each.name for each in audit.checks]
    assert facts["asked"] == {"model": "a net"}
    assert {"date", "torch", "python", "cpu"} <= {*facts["circumstances"]}


def test_a_model_whose_classes_the_page_has_no_names_for(tmp_path: Path) -> None:
    audited(Layered(), tmp_path, classes=["<b>one</b>"], title="<i>net</i>")
    page = (tmp_path / PAGE).read_text(encoding="utf-8")
    assert "<i>" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
