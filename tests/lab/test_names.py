"""Names of studies and variants become folders; labels stand in tables: both are checked at the door."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dropover.lab.running.checks import problems_of
from dropover.lab.running.study_file import StudyError, read_study
from dropover.lab.study import Study
from dropover.lab.study.names import folder_name, label


@pytest.mark.parametrize("name", ["main", "fdd-figure5", "My study 2.1", "Größe_α+β", "a", "7", "consul", "x" * 100])
def test_names_that_a_folder_can_have(name: str):
    assert folder_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../../x", "a/b", "a\\b", "/abs", ".hidden", "-rf", "_x", " x", "x ", "x.", "a\nb", "a\0b",
        "a:b", "~", "a*", "con", "NUL", "nul.txt", "Com1", "reproduce", "Inspect", "x" * 101, "ü" * 51,
    ],
)  # fmt: skip
def test_names_that_no_folder_should_have(name: str):
    with pytest.raises(ValueError, match=r"^must be a folder's name"):
        folder_name(name)


@given(st.text(max_size=12) | st.text("./\\ a-", max_size=6))
def test_a_name_that_passes_is_one_folder_below_the_one_it_is_put_in(name: str):
    try:
        folder_name(name)
    except ValueError:
        return
    below = Path("results") / f"{name}-{name}"
    assert below.parent == Path("results")
    assert below.resolve().parent == Path("results").resolve()
    assert not Path(name).is_absolute()


@pytest.mark.parametrize("text", ["<b>&[bold]", "../a", "p=0.5 (×3)", "日本語", "a\u00a0b", "x" * 120])
def test_labels_may_hold_any_letters_and_signs(text: str):
    assert label(text) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must not be blank"),
        (" \u00a0", "must not be blank"),
        ("a\nb", "must be printable on one line"),
        ("a\x1b[31m", "must be printable on one line"),
        ("a\u2028b", "must be printable on one line"),
        ("a\u202eb", "must be printable on one line"),
        ("a\ud800", "must be printable on one line"),
        ("x" * 121, "must be at most 120 letters long, not 121"),
    ],
)
def test_labels_that_tear_a_table_apart(text: str, said: str):
    with pytest.raises(ValueError, match=said):
        label(text)


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"name": "../../x"}, ("name",), "must be a folder's name"),
        ({"arms": [{"method": "none", "name": "a\tb"}]}, ("arms", 0, "name"), "printable on one line"),
        ({"arms": [{"method": "none", "name": "  "}]}, ("arms", 0, "name"), "must not be blank"),
        ({"arms": [{"method": "none", "long": "x" * 200}]}, ("arms", 0), "needs a name of its own, as the one made of"),
        (
            {"evaluation": {"attacks": [{"name": "fgsm", "label": "a\rb", "eps": [0.1]}]}},
            ("evaluation", "attacks", 0, "label"),
            "printable on one line",
        ),
    ],
)
def test_a_study_is_refused_under_the_key_of_the_name(changes: dict[str, Any], key: tuple[object, ...], said: str):
    with pytest.raises(ValidationError) as caught:
        Study.model_validate({"arms": [{"method": "none"}], **changes})
    (error,) = caught.value.errors()
    assert error["loc"] == key
    assert said in error["msg"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('[variants."../up"]\n', "variants: must be a folder's name"),
        ("[variants]\nx = 3\n", "variants.x: must be a table, got 3"),
        ("variants = 3\n", "variants: must be tables"),
    ],
)
def test_variants_are_part_of_the_folders_name(tmp_path: Path, lines: str, said: str):
    (tmp_path / "study.toml").write_text(lines, encoding="utf-8")
    with pytest.raises(StudyError, match=said) as caught:
        read_study(tmp_path / "study.toml", variant="x")
    assert len(caught.value.lines) == 1


@pytest.mark.parametrize("taken", ["clean", "worst", "worst l2", "seconds", "gaussian", "fgsm (of correct)"])
def test_an_attack_is_not_called_like_another_row_of_the_results(taken: str):
    attack = {"name": "fgsm", "label": taken, "eps": [0.1]}
    (problem,) = problems_of(Study.model_validate({"arms": [{"method": "none"}], "evaluation": {"attacks": [attack]}}))
    assert problem == f"evaluation.attacks[0].label: {taken!r} is what another figure of the results is called"
