"""The claims of the two papers, each with its verdict, and what `dropover reproduce` said of them.

    python docs/findings/papers.py results/reproduce/laptop    take over the results and pictures there

The results lie in docs/reproduced/NAME: the tables and claims that `dropover reproduce NAME` wrote as CSV. claims.toml
has the claims; a figure in its texts is written as {FILE | ROW | COLUMN} of those tables, and never copied by hand.
What audits say of the figures under attack that a claim rests on is attacked.py's.
"""

import re
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

import attacked
import pandas as pd

from dropover.lab.reproductions.parts.claims import FAILS, HOLDS

HERE = Path(__file__).parent
RESULTS = HERE.parent / "reproduced"
"""Pictures, and a folder of CSVs for each name."""
PAGE = HERE.parent / "findings.md"
PAPERS = {"fdd": "FDD", "flipover": "Flipover"}
VERDICTS = ("held", "did not hold", "can't be told here")


def claims() -> dict[str, list[dict[str, Any]]]:
    """Each paper's claims, as claims.toml has them."""
    return tomllib.loads((HERE / "claims.toml").read_text(encoding="utf-8"))


def verdict(claim: dict[str, Any]) -> str:
    """A claim's verdict: that of the tests over seeds where its command judges it, else as claims.toml has it."""
    if "tested" not in claim:
        return str(claim["verdict"])
    verdicts = [row["verdict"] for row in _tested(claim)]
    against = [each == FAILS or (each.startswith("not shown") and "the other way round" in each) for each in verdicts]
    return VERDICTS[0] if verdicts and {*verdicts} == {HOLDS} else VERDICTS[1] if any(against) else VERDICTS[2]


def shown(claim: dict[str, Any]) -> str:
    """What came out: in the words of claims.toml with their figures, else what the tests over seeds compared."""
    if "shown" in claim:
        return re.sub(r"\{(.*?)\}", lambda match: _figure(claim["command"], match[1]), claim["shown"])
    return "; ".join(f"{row['ours']}: {row['verdict']}" for row in _tested(claim)) or "not run to its end"


def _tested(claim: dict[str, Any]) -> list[dict[str, str]]:
    """The rows of its command's claims.csv that a claim rests on; none while the command has no results here."""
    file = RESULTS / claim["command"] / "claims.csv"
    if not file.exists():
        return []
    table = pd.read_csv(file, keep_default_na=False).set_index("text")
    return [
        {"verdict": str(table.loc[text, "verdict"]), "ours": str(table.loc[text, "ours"])} for text in claim["tested"]
    ]


def blocks() -> dict[str, list[str]]:
    """Every table of the page, by its name there."""
    tables = {f"claims of {PAPERS[paper]}": _claims(of_paper) for paper, of_paper in claims().items()}
    for file in sorted(RESULTS.glob("*/claims.csv")):
        table = pd.read_csv(file, keep_default_na=False)
        lines = [_line([row["text"], row["verdict"], row["ours"]]) for _, row in table.iterrows()]
        tables[file.parent.name] = [
            _line(["claim", "by the tests", "difference, with its 95 % interval"]),
            "|---" * 3 + "|",
            *lines,
        ]
    return tables


def _claims(of_paper: list[dict[str, Any]]) -> list[str]:
    rows = [
        [each["where"], each["claim"], f"**{verdict(each)}**", shown(each), attacked.said(each), f"`{each['command']}`"]
        for each in of_paper
    ]
    return [
        _line(["where", "the paper says", "verdict", "what came out", "audit", "by"]),
        "|---" * 6 + "|",
        *map(_line, rows),
    ]


def _figure(command: str, place: str) -> str:
    """One figure of a command's tables, such as "table | Proposed / FDD-1D | Fashion-MNIST"."""
    file, row, column = (part.strip() for part in place.split("|"))
    table = pd.read_csv(RESULTS / command / f"{file}.csv")
    cell = table[(table["row"] == row) & (table["column"] == column)].iloc[0]
    return str(cell["text"]) if pd.isna(cell["ours"]) else f"{cell['ours']:.1f}"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def take(folder: Path) -> None:
    """Copy every name's tables and claims, and the pictures that the page shows.

    A figure's own data stay there, and audits, which are made at the ε of the study and not at those of the claims.
    """
    pictures = re.findall(r"\(reproduced/(.*?)\.png\)", PAGE.read_text(encoding="utf-8"))
    for source in sorted(path.parent for path in folder.glob("*/page.html")):
        target = RESULTS / source.name
        shutil.rmtree(target, ignore_errors=True)
        for file in sorted(source.glob("*.csv")):
            if not file.name.startswith(("figure", "audit")):
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, target)
        main = "figure" if (source / "figure.png").exists() else "table"
        for name, stem in {source.name: main, f"{source.name}-margin": "figure-margin"}.items():
            if name in pictures:
                shutil.copy(source / f"{stem}.png", RESULTS / f"{name}.png")


if __name__ == "__main__":
    take(Path(sys.argv[1]))
