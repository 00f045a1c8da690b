"""docs/findings.md says what its results say, of every table, figure and claim of the papers."""

import itertools
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import dropover
from dropover.lab.reproductions import REPRODUCTIONS
from dropover.lab.study import Study

from .documents import DOCS, module_of

NAMES = [each.name for each in REPRODUCTIONS]


tables = module_of("findings", "tables")


@pytest.fixture(scope="module")
def papers(tables: ModuleType) -> ModuleType:
    found: ModuleType = tables.papers
    return found


def page() -> str:
    return (DOCS / "findings.md").read_text(encoding="utf-8")


def test_the_pages_have_the_tables_that_the_results_make(tables: ModuleType):
    for path, blocks in tables.PAGES.items():
        text = path.read_text(encoding="utf-8")
        assert tables.filled(text, blocks()) == text, "run python docs/findings/tables.py --write"


@pytest.mark.parametrize(
    ("text", "blocks"), [("<!-- a -->\n<!-- end -->", {}), ("", {"a": ["x"]}), ("<!-- a --><!-- a -->", {"a": ["x"]})]
)
def test_a_table_that_is_not_made_or_has_no_single_place_is_named(
    tables: ModuleType, text: str, blocks: dict[str, list[str]]
):
    with pytest.raises(ValueError, match=r"tables on the page .*\['a'\]"):
        tables.filled(text, blocks)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_has_an_entry_that_says_what_came_out(name: str):
    entries = re.findall(
        rf"^### .*`dropover reproduce {name}`[^\n]*\n(.*?)(?=^##|\Z)", page(), re.DOTALL | re.MULTILINE
    )
    assert len(entries) == 1
    assert len(entries[0].strip()) > 80


def test_every_claim_has_one_of_three_verdicts_and_a_command_that_shows_it(papers: ModuleType):
    for claim in itertools.chain(*papers.claims().values()):
        assert {"where", "claim", "command"} < set(claim), claim
        assert ("verdict" in claim) != ("tested" in claim), claim
        assert papers.verdict(claim) in papers.VERDICTS, claim
        assert papers.shown(claim), claim
        assert claim["command"].split()[0] in (*NAMES, "make", "python", "pytest", "dropover"), claim
    told = re.findall(r"^\|.*\| \*\*(.*?)\*\* \|.*\|$", page(), re.MULTILINE)
    assert len(told) == sum(map(len, papers.claims().values()))
    assert set(told) <= set(papers.VERDICTS)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (["holds", "holds"], "held"),
        (["holds", "does not hold"], "did not hold"),
        (["not shown with 6 seeds; every difference is the other way round"], "did not hold"),
        (["holds", "not shown with 6 seeds"], "can't be told here"),
        (["can't be told with 3 seeds (it takes 6); every difference is the other way round"], "can't be told here"),
        (None, "can't be told here"),
    ],
)
def test_verdicts_follow_the_tests_over_seeds(
    papers: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str] | None, verdict: str
):
    monkeypatch.setattr(papers, "RESULTS", tmp_path)
    if said is not None:
        (tmp_path / "name").mkdir()
        rows = [f'claim {index},"{each}",a - b: +1.0' for index, each in enumerate(said)]
        (tmp_path / "name" / "claims.csv").write_text("\n".join(["text,verdict,ours", *rows]))
    claim = {"command": "name", "tested": [f"claim {index}" for index in range(len(said or []))]}
    assert papers.verdict(claim) == verdict
    assert ("+1.0" in papers.shown(claim)) == (said is not None)


@pytest.fixture
def attacked(tables: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """With an empty table of its own."""
    found: ModuleType = tables.papers.attacked
    monkeypatch.setattr(found, "FILE", tmp_path / "audits.csv")
    return found


def figure(
    attacked: ModuleType, place: Any, seed: int, claimed: float, left: float, verdict: str, *unsound: str
) -> Any:
    return attacked.Figure(place, seed, "linf", 200, claimed, left, 0.0, left + 0.1, verdict, unsound)


def test_the_table_of_audits_is_read_as_it_was_written(attacked: ModuleType):
    assert attacked.read() == []
    figures = [
        figure(attacked, attacked.Place("s", "a", None, "fgsm l2", 2.5), 0, 0.53, 0.12, "broken"),
        figure(attacked, attacked.Place("s", "b 0.1", 0.0, "fgsm", 0.25), 1, 0.07, 0.07, "upper bound only", "x", "y"),
    ]
    attacked.write(figures)
    assert attacked.read() == figures


def test_a_claim_has_the_verdicts_of_the_audit_on_the_figures_that_it_rests_on(attacked: ModuleType):
    claim = {"audited": [{"study": "s", "arms": ["a", "b"], "under": ["fgsm 0.12"]}]}
    claim["audited"].append({"study": "s", "arms": ["b"], "rate": 0.5, "under": ["pgd 0.02"]})
    assert attacked.said({}) == "–"
    assert attacked.said(claim) == "not audited yet"
    a, b, b_on = attacked.places(claim)
    figures = [
        figure(attacked, a, 0, 0.40, 0.10, "broken"),
        figure(attacked, a, 1, 0.10, 0.10, "supported"),
        figure(attacked, b, 0, 0.07, 0.065, "upper bound only", "order"),
    ]
    attacked.write(figures)
    assert attacked.said(claim) == (
        "**broken**. FGSM 0.12: a 25.0 ✗, left 10.0; b 7.0 ≤, left 6.5 (order). PGD 0.02: b at 0.5 not audited yet"
    )
    attacked.write(figures[1:])
    assert attacked.said(claim).startswith("**upper bound only**. ")
    attacked.write([figures[1], figure(attacked, b_on, 0, 0.3, 0.3, "supported")])
    assert attacked.said(claim).startswith("**supported**. ")


def test_what_the_audit_is_asked_of_a_claim_is_something_that_its_command_runs(papers: ModuleType):
    for claim in itertools.chain(*papers.claims().values()):
        if "audited" not in claim:
            continue
        requests = {each.name: each for each in REPRODUCTIONS.get(claim["command"]).requests("laptop")}
        for place in papers.attacked.places(claim):
            study = Study.model_validate(requests[place.study].raw("laptop"))
            assert place.arm in [each.label for each in study.arms], place
            assert place.rate is None or place.rate in study.evaluation.inference_rates, place
            assert place.eps in {each.label: each.eps for each in study.evaluation.attacks}[place.attack], place


def test_every_claim_under_attack_was_audited_and_with_the_same_seeds(papers: ModuleType):
    claims = [claim for claim in itertools.chain(*papers.claims().values()) if "audited" in claim]
    wanted = {place for claim in claims for place in papers.attacked.places(claim)}
    seeds: dict[Any, set[int]] = {}
    for each in papers.attacked.read():
        seeds.setdefault(each.place, set()).add(each.seed)
    assert set(seeds) <= wanted, "a row that no claim rests on"
    assert len({frozenset(each) for each in seeds.values()}) == 1
    assert [claim["claim"] for claim in claims if papers.attacked.said(claim) == papers.attacked.UNKNOWN] == []


def test_the_pictures_of_the_page_exist_and_no_other():
    shown = re.findall(r"!\[[^\]]+\]\((reproduced/.*?)\)", page())
    assert sorted(shown) == sorted(path.relative_to(DOCS).as_posix() for path in (DOCS / "reproduced").glob("*.png"))


def test_results_are_taken_over_without_the_data_of_pictures_and_audits(
    papers: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ran, kept = tmp_path / "laptop", tmp_path / "reproduced"
    for path in (
        "a/page.html",
        "a/claims.csv",
        "a/audit.csv",
        "a/figure.csv",
        "a/figure.png",
        "a/figure-margin.png",
        "a/table.png",
    ):
        (ran / path).parent.mkdir(parents=True, exist_ok=True)
        (ran / path).write_text(path)
    (kept / "a").mkdir(parents=True)
    (kept / "a" / "old.csv").touch()
    (tmp_path / "page.md").write_text("![x](reproduced/a.png) ![y](reproduced/a-margin.png)")
    monkeypatch.setattr(papers, "RESULTS", kept)
    monkeypatch.setattr(papers, "PAGE", tmp_path / "page.md")
    papers.take(ran)
    found = {path.relative_to(kept).as_posix(): path.read_text() for path in kept.rglob("*.*")}
    assert found == {"a/claims.csv": "a/claims.csv", "a.png": "a/figure.png", "a-margin.png": "a/figure-margin.png"}


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5])
@pytest.mark.parametrize(("factor", "strength"), [(0.0, 1), (-1.0, 4)], ids=["dropout", "flipover"])
def test_the_expected_gradient_has_the_penalty_that_the_page_states(p: float, factor: float, strength: int):
    # The article's linear net with squared loss, against the same net with its weights scaled by the mean mask.
    draws = torch.Generator().manual_seed(0)
    inputs, weights = torch.randn(2, 4, generator=draws, dtype=torch.float64)
    target, weights = 0.7, weights.requires_grad_()

    def gradient(mask: torch.Tensor) -> torch.Tensor:
        loss = (target - (mask * weights * inputs).sum()) ** 2 / 2
        return torch.autograd.grad(loss, weights)[0]

    hits = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)), dtype=torch.float64)
    chances = (p**hits * (1 - p) ** (1 - hits)).prod(1)
    expected = sum(chance * gradient(1 + (factor - 1) * hit) for chance, hit in zip(chances, hits, strict=True))
    mean = torch.full((4,), 1 + (factor - 1) * p, dtype=torch.float64)
    penalty = strength * p * (1 - p) * weights.detach() * inputs**2
    torch.testing.assert_close(expected, gradient(mean) + penalty)


def test_flipover_of_amplitude_0_is_dropout_without_rescaling():
    x = torch.randn(64, 50, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    flipped = dropover.Flipover(0.3, 0.0)(x)
    torch.manual_seed(0)
    assert torch.equal(flipped, dropover.Dropout(0.3, rescale="none")(x))
