"""The support table in docs/guarantees.md: which method does what, from the same checks that the tests run.

`python -m tests.guarantees.table` runs every check and writes the table; it refuses where an outcome isn't as stated
here. A test compares the file with `rendered()`.
"""

import re
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

from .checks import FEATURES, Feature, has_constant_rate, run
from .subjects import NAMES

DOCUMENT = Path(__file__).parents[2] / "docs" / "guarantees.md"
BEGIN, END = "<!-- table: python -m tests.guarantees.table -->", "<!-- end of table -->"


@dataclass(frozen=True)
class Gap:
    """Why a method doesn't do something, and the error that its check then ends in."""

    reason: str
    error: str


_NO_RATE = Gap(
    "Its rates follow from the activations, from a learned strength or from a draw of their own, or it has a standard "
    "deviation instead: no setting makes all of them 0 or 1.",
    "no constant rate",
)

GAPS = {
    ("sap", "derivatives"): Gap(
        "Its gradient is that of the output with the probabilities held fixed, as in its source; the true derivative "
        "would go through them.",
        "Jacobian mismatch",
    ),
    ("sap", "export"): Gap("It acts at inference, so its draw stays in the exported program.", "aten.rand"),
    ("sap", "ONNX"): Gap(
        "It acts at inference, and PyTorch's exporter can't translate it: the export ends in an error.", "ONNX"
    ),
    **{(name, "0 and 1"): _NO_RATE for name in NAMES if not has_constant_rate(name)},
}

_PRODUCT = "The product with its learned strengths stays, which is part of the model."
_HOST = "The layer whose weights it drops is wrapped in it: that layer stays, with whole weights."
_AUTOCAST = "Under autocast the output has the dtype that the wrapped layer's output has."
_OWN_RATE = "The expectation is compared with float64's own mean: there is no closed form."

NOTES = {
    ("guided", "export"): _PRODUCT,
    ("guided", "ONNX"): _PRODUCT,
    ("drop-connect", "export"): _HOST,
    ("drop-connect", "ONNX"): _HOST,
    ("drop-connect", "dtypes"): _AUTOCAST,
    ("jumpout", "dtypes"): _OWN_RATE,
    ("jumpout", "compile"): _OWN_RATE,
}


def outcome_differs(feature: Feature, name: str) -> str | None:
    """What is wrong with a cell of the table; None if the check passes, or fails as stated."""
    gap = GAPS.get((name, feature.title))
    try:
        run(feature, name)
    except Exception as error:
        if gap is None:
            return f"{name}, {feature.title}: {type(error).__name__}: {error}"
        return None if re.search(gap.error, str(error)) else f"{name}, {feature.title}: not the stated error: {error}"
    return None if gap is None else f"{name}, {feature.title}: works, against what is stated"


def rendered() -> str:
    """The table in Markdown, with what each column means and its footnotes."""
    reasons: list[str] = []

    def cell(name: str, feature: Feature) -> str:
        place = (name, feature.title)
        reason = GAPS[place].reason if place in GAPS else NOTES.get(place)
        if reason is None:
            return "✓"
        if reason not in reasons:
            reasons.append(reason)
        return f"{'–' if place in GAPS else '✓'} {reasons.index(reason) + 1}"

    lines = ["| method | " + " | ".join(feature.title for feature in FEATURES) + " |"]
    lines.append("|---" * (len(FEATURES) + 1) + "|")
    lines += [f"| {name} | " + " | ".join(cell(name, feature) for feature in FEATURES) + " |" for name in NAMES]
    meanings = [f"- **{feature.title}**: {feature.meaning()}" for feature in FEATURES]
    footnotes = [f"{number}. {reason}" for number, reason in enumerate(reasons, start=1)]
    return "\n".join([*lines, "", *footnotes, "", *meanings])


def written() -> str:
    """The table that the document holds."""
    return DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def main() -> None:
    """Run every check, and write the table if all is as stated."""
    # The compiler's and torch's own.
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", "overflow encountered in cast")
    problems = [problem for feature in FEATURES for name in NAMES if (problem := outcome_differs(feature, name))]
    if problems:
        sys.exit("\n".join(problems))
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{rendered()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
