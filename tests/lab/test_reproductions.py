"""Every name at smoke scale through the real command, one after another, with one set of nets."""

import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from dropover.cli import app
from dropover.lab.data.parts.loading import load_data
from dropover.lab.judging.comparison import Figure
from dropover.lab.judging.soundness import MARKS
from dropover.lab.records.fingerprints import net_fingerprint
from dropover.lab.reproductions import REPRODUCTIONS
from dropover.lab.reproductions.parts import running
from dropover.lab.reproductions.parts.claims import Claims, above
from dropover.lab.reproductions.parts.fdd import ATTACKED, printed_table2, printed_table3
from dropover.lab.reproductions.parts.items import Printed, cells
from dropover.lab.reproductions.parts.studies import Evidence, Request, Run
from dropover.lab.reproductions.parts.writing import write_reproduction
from dropover.lab.training import trained as nets

from ..commands import POSIX, stopped

NAMES = [
    "fdd-table2", "fdd-table3", *(f"fdd-figure{n}" for n in range(2, 8)), "flipover-figure2", "flipover-table1",
    "flipover-figure3", "flipover-table2", "flipover-figure4", "flipover-table3", "flipover-table4",
]  # fmt: skip
TABLES = [name for name in NAMES if "table" in name]


@dataclass(frozen=True)
class Made:
    folder: Path
    printed: dict[str, str]
    nets: dict[str, int]


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["reproduce", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("smoke")
    printed, kept = {}, {}
    for name in NAMES:
        code, printed[name], err = run(name, "--scale", "smoke", "--out", folder, "--jobs", 1)
        assert (code, err) == (0, ""), name
        kept[name] = len(list((folder / "nets").glob("*.pt")))
    return Made(folder, printed, kept)


def test_the_fifteen_names_are_there_and_no_other():
    assert sorted(REPRODUCTIONS.names()) == sorted(NAMES)


@pytest.mark.parametrize("option", ["--help", "--list"])
def test_help_and_the_list_do_not_load_torch(option: str):
    code = f"import sys; sys.argv = ['dropover', 'reproduce', {option!r}]; from dropover.cli import main\n"
    code += "try: main()\nfinally: print([name for name in ('torch', 'matplotlib', 'pandas') if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert answer.stdout.endswith("[]\n"), answer.stderr
    assert option == "--help" or all(name in answer.stdout for name in NAMES)


def test_every_name_leaves_well_formed_files_that_state_their_scale(made: Made):
    for name in NAMES:
        folder = made.folder / name
        page = (folder / "page.html").read_text(encoding="utf-8")
        assert "Scale: smoke. Smaller than the paper&#39;s setting, so this is no reproduction of the paper." in page
        assert "MNIST-5k instead of" in page
        # Nothing to load: neither scripts nor anything from elsewhere.
        assert not re.search(r'<script|<link|src="(?!data:)', page)
        drawings = list(folder.glob("*.svg"))
        assert drawings, name
        for drawing in drawings:
            assert ET.parse(drawing).getroot().tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own
            assert drawing.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
            assert len(pd.read_csv(drawing.with_suffix(".csv"))) > 0
        assert "Scale: smoke." in made.printed[name]


def test_a_picture_of_images_alone_names_no_setting_of_training(made: Made):
    page = (made.folder / "flipover-figure3" / "page.html").read_text(encoding="utf-8")
    assert "flipover-resnet: images MNIST-5k instead of CIFAR-10, test images 100 instead of all.<" in page


def test_tables_have_the_papers_layout_and_columns(made: Made):
    for name in TABLES:
        table = pd.read_csv(made.folder / name / "table.csv")
        assert {"row", "column", "ours", "spread", "seeds", "paper", "p_student", "p_exact", "p_holm"} <= set(table)
        assert table["ours"].dropna().between(0, 100).all()
    table = pd.read_csv(made.folder / "fdd-table2" / "table.csv")
    assert len(table) == 8 * 5  # arms × the paper's four data sets, and the one that ran
    assert table["ours"].notna().sum() == 8
    assert set(table.loc[table["ours"].notna(), "column"]) == {"MNIST-5k"}


def test_printed_figures_stand_in_the_page_and_the_csv(made: Made):
    page = (made.folder / "fdd-table2" / "page.html").read_text(encoding="utf-8")
    assert "paper 94.37 ± 0.05†" in page
    table = pd.read_csv(made.folder / "fdd-table2" / "table.csv").set_index(["row", "column"])
    assert table.loc[("Proposed / FDD-1D", "CIFAR-100"), "paper"] == 76.81
    page = (made.folder / "fdd-table3" / "page.html").read_text(encoding="utf-8")
    assert all(f"paper {printed.mean:.2f}" in page for row in printed_table3().values() for printed in row.values())
    entropies = pd.read_csv(made.folder / "fdd-figure3" / "entropy.csv")
    assert entropies["paper"].dropna().tolist() == [2.045, 3.616]


def test_each_net_is_trained_once_over_all_names(made: Made):
    wanted = {
        net_fingerprint(study, arm, seed)
        for reproduction in REPRODUCTIONS
        for request in reproduction.requests("smoke")
        if not request.images_only
        for study in [request.study("smoke")]
        for arm in study.arms
        for seed in study.seeds
    }
    assert len(list((made.folder / "nets").glob("*.pt"))) == len(wanted)
    # What needs no more than table 2's nets trains none; figure 7 attacks table 3's anew.
    before = dict(zip(NAMES[1:], NAMES, strict=False))
    for name in ("fdd-table3", "fdd-figure3", "fdd-figure4", "fdd-figure6", "fdd-figure7", "flipover-figure3"):
        assert made.nets[name] == made.nets[before[name]], name


def test_a_rerun_takes_over_every_trial_and_draws_the_same(made: Made):
    folder = made.folder / "fdd-table2"
    before = {path.name: path.read_bytes() for path in folder.glob("table.*")}
    code, out, _ = run("fdd-table2", "--scale", "smoke", "--out", made.folder, "--jobs", 1)
    assert code == 0
    assert "16 of 16 trials were finished by an earlier run and are taken over." in out
    assert {path.name: path.read_bytes() for path in folder.glob("table.*")} == before


def test_a_kept_net_is_the_trained_one_and_a_damaged_file_is_trained_anew(
    made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    study = Request("fdd-toy").study("smoke")
    data = load_data(study.data)
    kept = nets.net_path(made.folder / "nets", study, study.arms[0], 0)
    copy = nets.net_path(tmp_path, study, study.arms[0], 0)
    copy.write_bytes(kept.read_bytes()[:-1000])
    again, record = nets.trained_net(study, study.arms[0], 0, data, tmp_path)
    monkeypatch.setattr(nets, "train", None)  # from here on only files can serve
    for folder in (tmp_path, made.folder / "nets"):
        known, known_record = nets.trained_net(study, study.arms[0], 0, data, folder)
        assert known_record.epochs == record.epochs
        assert not known.training
        for a, b in zip(again.state_dict().values(), known.state_dict().values(), strict=True):
            assert a.equal(b)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "which table or figure? `dropover reproduce --list` lists them"),
        (["fdd-tabel2"], "unknown table or figure 'fdd-tabel2': did you mean 'fdd-table2'"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments: list[str], line: str):
    code, out, err = run(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(line)


@POSIX
def test_a_stop_keeps_and_draws_what_is_finished_and_the_same_command_goes_on(tmp_path: Path):
    arguments = ["flipover-table1", "--scale", "smoke", "--seeds", "1", "--out", str(tmp_path), "--jobs", "1"]
    code, out, err = stopped("[2/10]", "SIGTERM", "reproduce", *arguments)
    assert code == 143
    page = tmp_path / "flipover-table1" / "page.html"
    assert re.fullmatch(
        r"Stopped: [2-9] of 10 trials of flipover-cnn are finished; none of .*flipover 0\.4, which are left out\. "
        rf"What is finished is kept, and the page is partial: {re.escape(str(page))}\. "
        # Python 3.13 may tell below of a buffer that the stop left in use.
        r"The same command goes on from there: dropover .*\n"
        r"(Exception ignored in: <_io\.BytesIO .*\nBufferError: .*\n)?",
        err,
    )
    assert "Partial: " in out
    assert "<strong>Partial: not every trial is finished." in page.read_text(encoding="utf-8")
    code, out, _ = run(*arguments)
    assert code == 0
    assert re.search(r"[2-9] of 10 trials were finished by an earlier run", out)
    assert "partial" not in page.read_text(encoding="utf-8").lower()


def test_a_stop_before_the_first_trial_is_finished_leaves_nothing_to_draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def stopped(*_: object, **_named: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(running, "run_study", stopped)
    code, _, err = run("fdd-table3", "--scale", "smoke", "--out", tmp_path)
    assert code == 143
    assert err.startswith(
        "Stopped: 0 of 12 trials of fdd are finished. What is finished is kept, and there is nothing to draw: no trial "
        "is finished. The same command goes on from there: dropover"
    )
    assert not (tmp_path / "fdd-table3" / "page.html").exists()


Kept = Callable[[int, Run], list[tuple[str, int]]]


def cut(outcome: Evidence, kept: Kept) -> Evidence:
    """What there would be if only those trials of each study, told by its place, were finished."""
    partial = Evidence(outcome.scale, missing=outcome.missing)
    for place, ran in enumerate(outcome.runs):
        trials = kept(place, ran)
        there = [(arm, seed) in trials for arm, seed in zip(ran.table["arm"], ran.table["seed"], strict=True)]
        partial.take(replace(ran, table=ran.table[there]))
    return partial


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(lambda _, ran: ran.trials[:1], id="the first trial of each study"),
        pytest.param(lambda place, ran: [] if place else ran.trials[-1:], id="the last trial of one study"),
    ],
)
@pytest.mark.parametrize("name", [name for name in NAMES if name != "flipover-figure3"])
def test_what_there_is_of_any_name_is_drawn_and_marked_as_partial(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kept: Kept
):
    monkeypatch.setattr(nets, "train", None)  # what isn't finished is not trained to be drawn
    reproduction = REPRODUCTIONS.get(name)
    whole = running.run(
        running.plan(reproduction, "smoke"), "smoke", made.folder, tmp_path, 1, lambda *_: nullcontext(lambda _: None)
    )
    assert whole.unfinished == []
    partial = cut(whole, kept)
    items = reproduction.draw(partial)
    page, *files = write_reproduction(tmp_path, reproduction, partial, items, "dropover reproduce")
    text = page.read_text(encoding="utf-8")
    if not partial.unfinished:
        assert len(whole.runs[0].trials) == len(whole.runs) == 1  # a single trial is the whole
        assert "artial" not in text
        return
    assert "<strong>Partial: not every trial is finished." in text
    assert all(f"{line}." in unescape(text) for line in partial.unfinished)
    titles = [item.title for item in items]
    assert all(f"{title} (partial)</h2>" in unescape(text) for title in titles)
    verdicts = [claim.verdict for item in items if isinstance(item, Claims) for claim in item.claims]
    assert all(verdict.startswith("can't be told") for verdict in verdicts)
    assert any(file.suffix == ".svg" for file in files)


def test_a_claim_is_not_judged_on_other_seeds_of_the_one_than_of_the_other():
    values = [0.1 * n for n in range(6)]
    ours = replace(figure("a", *(0.5 + value for value in values)), seeds=(0, 1, 2, 3, 4, 5))
    rival = replace(figure("b", *values), seeds=(1, 2, 3, 4, 5, 6))
    assert above("text", [ours], [rival]).verdict == "can't be told: some seeds have no figure to compare"
    assert above("text", [ours], [replace(rival, seeds=ours.seeds)]).verdict == "holds"


def figure(arm: str, *values: float) -> Figure:
    return Figure(arm, "clean", None, values, sum(values) / len(values), 0.0)


@pytest.mark.parametrize(
    ("better", "worse", "verdict"),
    [
        ([0.9] * 6, [0.8] * 6, "holds"),
        ([0.7] * 6, [0.8] * 6, "does not hold"),
        ([0.9] * 5, [0.1] * 5, "can't be told with 5 seeds (it takes 6 at the least)"),
        ([0.875, 0.625] * 3, [0.75] * 6, "not shown with 6 seeds"),
        ([0.9] * 30, [0.8, 0.81] * 15, "holds"),
        ([float("nan")] * 6, [0.8] * 6, "can't be told: some seeds have no figure to compare"),
        ([], [], "can't be told: some seeds have no figure to compare"),
    ],
)
def test_claims_are_judged_by_the_exact_test(better: list[float], worse: list[float], verdict: str):
    found: Callable[[str, list[float]], list[Figure]] = lambda arm, values: [figure(arm, *values)] if values else []  # noqa: E731
    assert above("text", found("a", better), found("b", worse)).verdict == verdict


def test_a_claim_of_several_needs_them_all_and_no_correction():
    low, high, other = figure("low", *[0.8] * 6), figure("high", *[0.9] * 6), figure("other", *[0.95] * 6)
    # Three pairs, each at 2/2⁶ = 0.031, which Holm would put at 0.094.
    assert above("text", [high, other, other], [low]).verdict == "holds"
    assert above("text", [high, low, other], [low]).verdict == "not shown with 6 seeds"
    assert above("text", [low, low, low], [high]).verdict == (
        "not shown with 6 seeds; every difference is the other way round"
    )


def test_a_claim_of_several_is_left_open_where_one_is_not_there():
    low, high = figure("low", *[0.8] * 6), figure("high", *[0.9] * 6)
    for better, worse in (([high, None], [low]), ([high], [low, None]), ([None], [low])):
        assert above("text", better, worse).verdict == "can't be told: some seeds have no figure to compare"


def test_the_best_are_bold_and_ties_too():
    ours = {"a": figure("a", 0.5), "b": figure("b", 0.7), "c": figure("c", 0.7), "d": figure("d", 0.1)}
    made = cells(["a", "b", "c", "d", "e"], ours, {"a": Printed(3.0), "e": Printed(4.0)})
    assert [cell.bold for cell in made] == [False, True, True, False, False]
    assert [cell.printed_bold for cell in made] == [False, False, False, False, True]
    assert [cell.bold for cell in cells(["a", "b", "c", "d"], ours, {}, top=3)] == [True, True, True, False]
    # Where two would be third, neither is.
    tied = ours | {"d": figure("d", 0.5), "a": figure("a", 0.5)}
    assert [cell.bold for cell in cells(["a", "b", "c", "d"], tied, {}, top=3)] == [False, True, True, False]


def test_the_printed_figures_are_the_papers():
    assert printed_table2()["svhn"]["fdd1d"] == Printed(96.85, 0.03)
    assert printed_table3()["cifar100", "pgd", 0.03]["fdd3d"] == Printed(39.44)
    assert len(printed_table3()) == 14


def test_what_was_attacked_has_the_verdict_of_its_audit_beside_it(made: Made):
    attacked = {name for name in NAMES if any(each.attacks for each in REPRODUCTIONS.get(name).requests("smoke"))}
    assert {name for name in NAMES if (made.folder / name / "audit.csv").exists()} == attacked
    table = pd.read_csv(made.folder / "fdd-table3" / "audit.csv", dtype={"text": str})
    rows = pd.read_csv(made.folder / "fdd-table3" / "fdd" / "results.csv")
    of_all = rows[(rows["measure"] == "fgsm") & rows["of"].isna()].groupby(["arm", "level"])["value"].mean()
    cells = table.set_index(["row", "column"])["text"]
    for arm in ATTACKED:
        share, mark = cells[f"fdd / {arm} / L∞", "FGSM"].split()
        assert mark in MARKS.values()
        assert float(share) == pytest.approx(100 * of_all[arm, float(cells[f"fdd / {arm} / L∞", "ε"])], abs=0.05)
