import re
import tomllib
from html.parser import HTMLParser

import pandas as pd
import pytest

from dropover.lab.judging.answer import Answer
from dropover.lab.records.store import Finished
from dropover.lab.records.trials import TrialKey
from dropover.lab.report import charts
from dropover.lab.report.files import study_text
from dropover.lab.report.page import render
from dropover.lab.running.events import Failed
from dropover.lab.running.runner import StudyRun
from dropover.lab.study import Arm, AttackSettings, EvaluationSettings, Study

EVIL = "<script>alert(1)</script>"
STUDY = Study(
    seeds=[0, 1, 2],
    arms=[Arm(method="none"), Arm(method="dropout", p=0.5), Arm(method="flipover", name=EVIL, at=["fc"])],
    evaluation=EvaluationSettings(
        noise={"gaussian": [0.2, 0.4]},
        attacks=[AttackSettings(name=name, eps=[0.1, 0.2]) for name in ("fgsm", "pgd", "pgd-margin")],
    ),
    # No study file can be called so; the page escapes the name all the same.
).model_copy(update={"name": f"study {EVIL}"})
COUNTS = {"training": 4000, "test": 1000, "attacked": 300}
COLUMNS = ["arm", "seed", "measure", "level", "value"]
VOID = {"meta", "br", "link", "img", "input", "hr"}


def results(study: Study = STUDY) -> pd.DataFrame:
    rows = []
    for place, arm in enumerate(study.arms):
        for seed in study.seeds:
            rows.append((arm.label, seed, "clean", None, 0.9 + 0.01 * place + 0.001 * seed))
            rows += [(arm.label, seed, "train_loss", epoch, 1.0 / epoch) for epoch in (1, 2, 3)]
            rows += [(arm.label, seed, "test_loss", epoch, 1.1 / epoch) for epoch in (1, 2, 3)]
            rows += [(arm.label, seed, "gaussian", level, 0.9 - level) for level in (0.2, 0.4)]
            for attack, kept in (("fgsm", 0.6), ("pgd", 0.5), ("pgd-margin", 0.1), ("worst", 0.1)):
                rows += [(arm.label, seed, attack, eps, kept - eps / 4) for eps in (0.1, 0.2)]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"level": "float64"})


class Structure(HTMLParser):
    """Collects tags and attributes, and checks that every tag is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[tuple[str, str]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [(tag, value or "") for name, value in attrs if name in ("src", "href", "xlink:href")]
        self.open += [] if tag in VOID else [tag]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parsed(page: str) -> Structure:
    structure = Structure()
    structure.feed(page)
    assert structure.open == []
    return structure


@pytest.fixture(scope="module")
def page() -> str:
    return render(
        Answer(STUDY, results(), 300, "dropover compare my.toml"),
        StudyRun(9, [], 0),
        COUNTS,
        {"cpu": f"A {EVIL} CPU", "jobs": 2},
    )


def test_the_page_is_one_file_without_scripts_and_loads_nothing(page: str):
    structure = parsed(page)
    assert not {"script", "link", "img", "iframe", "object"} & set(structure.tags)
    assert {tag for tag, _ in structure.links} == {"a"}
    assert re.findall(r"url\((?!#)|@import|<\?xml-stylesheet", page) == []


def test_names_are_escaped_everywhere_pictures_included(page: str):
    assert EVIL not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 10


def test_the_page_says_what_was_compared_and_how_far_to_believe_it(page: str):
    text = " ".join(" ".join(parsed(page).text).split())
    for said in (
        "4000 training, 1000 test images",
        "300 test images",
        "With 3 seeds the exact paired test can't go below p = 0.25: by this test alone",
        "95 % simultaneous interval",
        "gave the same in each of 3 seeds",
        "verdicts.csv",
        "a margin loss breaks 40.0 points more at ε = 0.1",
        "No regularizer is placed",
        "flipover at fc",
        "Known against it",
    ):
        assert said in text
    assert text.index("The answer") < text.index("The figures") < text.index("Accuracy against ε")


def test_best_and_dagger_are_marked_in_the_table(page: str):
    cells = re.findall(
        r'<td( class="best")?><span class="mean">(\d+\.\d)</span>.*?<span class="marks">(.*?)</span>', page
    )
    signs = re.findall(r'<span class="verdict (\w+)" title="\w+">(.) (.*?)</span>', page)
    columns = len(("clean", "gaussian", "fgsm", "pgd", "pgd-margin", "worst"))
    clean = cells[::columns]
    assert clean == [("", "90.1", ""), ("", "91.1", "†"), (' class="best"', "92.1", "*†")]
    assert signs[0] == ("better", "▲", "+1.0")
    assert signs[1] == ("level", "=", "0.0")
    assert len(signs) == 2 * columns


def test_there_is_a_picture_for_every_attack_noise_and_arm(page: str):
    # Clean; fgsm, pgd, pgd-margin, worst; gaussian; the losses of three arms.
    assert page.count("<figure") == page.count("<svg") == 1 + 4 + 1 + 3


def test_a_page_of_one_finished_trial(page: str):
    study = Study(arms=[Arm(method="none"), Arm(method="dropout")], seeds=[0])
    table = pd.DataFrame([("dropout", 0, "clean", None, 0.5)], columns=COLUMNS).astype({"level": "float64"})
    none, dropout = (TrialKey(arm, 0, {}) for arm in study.arms)
    run = StudyRun(2, [Finished(dropout, [], 1.0, {})], 0, [Failed(none, "ValueError: no")])
    text = " ".join(parsed(render(Answer(study, table, 1), run, COUNTS, {})).text)
    assert "1 of 2 trials are finished." in text
    assert "none, seed 0: ValueError: no" in text


def test_a_curve_draws_a_line_for_every_arm_in_its_color():
    svg = charts.curve(results(), STUDY, "fgsm", "ε")
    strokes = re.findall(r'mark-line.*?stroke="(#\w+)"', svg) + re.findall(r'<path[^>]*stroke="(#\w+)"', svg)
    assert set(charts.arm_colors(STUDY).values()) <= set(strokes)


def test_arms_keep_their_colors_and_the_reference_is_grey():
    colors = charts.arm_colors(STUDY)
    assert colors["none"] == charts.REFERENCE_COLOR
    assert len(set(colors.values())) == 3


def test_a_single_level_is_no_curve():
    table = results()
    assert charts.drawable(table[table["level"] != 0.2], ["fgsm", "gaussian"]) == []
    assert charts.drawable(table, ["fgsm", "nothing"]) == ["fgsm"]


def test_the_written_study_is_the_study_again():
    study = STUDY.model_copy(update={"name": "a study", "description": f'of "{EVIL}"\nand more'})
    text = study_text(study, {"cpu": "x", "wall_seconds": 1.5})
    again = Study.model_validate(tomllib.loads(text))
    assert again.circumstances == {"cpu": "x", "wall_seconds": 1.5}
    assert again.model_copy(update={"circumstances": {}}) == study
    assert study_text(again, {}) == study_text(study, {})
