"""A study's answer on the terminal: at every width it is whole."""

import pytest
from tests.lab.own import own_answer
from tests.lab.studies import answer, around, turned

from dropover.lab.telling.table import show

LONG = "a name of an arm that is as long as a name can well be, with settings=0.5"
ARMS = ("none", LONG, "b")
PLACES = ("clean", "gaussian", "poisson", "pgd", "pgd-margin", "worst")
WIDTHS = (60, 80, 120, None)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("other", ["a", LONG])
def test_nothing_is_cut_at_any_width_nor_in_a_pipe(
    width: int | None, other: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    if width is not None:
        monkeypatch.setenv("COLUMNS", str(width))
    values = {"none": around(0.95), other: turned(around(0.97)), "b": turned(around(0.9), 3)}
    found = answer(dict.fromkeys(PLACES, values), ("none", other, "b"), command="dropover compare my.toml")
    show(found)
    text = capsys.readouterr().out
    command = f"Seeds where they are needed: {found.remedy}"
    assert all(len(line) <= (width or 80) for line in text.splitlines() if not (found.remedy and line == command))
    assert "…" not in text
    squeezed = "".join(text.split())
    for column in found.columns:
        assert column.measure in text
        for arm, figure in column.figures.items():
            marks = f"{column.sign(arm)}{column.marks(arm)}"
            cell = f"{100 * figure.mean:.1f} ± {100 * figure.spread:.1f} {marks}".rstrip()
            assert text.count(cell) >= len(PLACES)
    for line in [*found.conclusion.lines, found.legend]:
        assert "".join(line.split()) in squeezed
    assert text.index("The answer") < text.index("Accuracy in percent")
    # The table broke it into lines of its own.
    first = text[text.index("Accuracy in percent") : text.index("Against none")]
    assert other in first or other[:8] in first


@pytest.mark.parametrize("width", WIDTHS)
def test_a_function_of_the_users_own_has_its_measures_in_their_own_digits(
    width: int | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("COLUMNS", raising=False)
    if width is not None:
        monkeypatch.setenv("COLUMNS", str(width))
    values = {"none": around(0.95), LONG: turned(around(0.97)), "b": turned(around(0.9), 3)}
    show(own_answer({"accuracy": values, "log-loss": values}))
    text = capsys.readouterr().out
    assert all(len(line) <= (width or 80) for line in text.splitlines())
    assert "Mean ± spread over seeds; accuracy in percent" in text
    for cell in ("95.0 ± 0.2", "97.0 ± 0.2 ▲*†", "0.9500 ± 0.0017", "0.9700 ± 0.0017 ▼", "0.9000 ± 0.0017 ▲*†"):
        assert cell in text
    squeezed = "".join(text.split())
    for said in ("log-loss worse than none by 0.0200", "accuracy better than none by 2.0 points"):
        assert "".join(said.split()) in squeezed
