"""The picture of docs/architecture.md, drawn from the code: `python docs/architecture/draw.py` writes packages.svg.

Boxes are the packages, with the first sentence of their docstrings; rows are the layers of the import contracts in
pyproject.toml; an arrow is an import that no chain of other arrows implies.
"""

import ast
import textwrap
import tomllib
from html import escape
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[2]
PICTURE = Path(__file__).with_name("packages.svg")
WIDTH, HEIGHT, GAP, ROW, LINE, MARGIN = 208, 84, 14, 108, 13, 16
CHARACTERS, LINES = 36, 4
STYLE = """
text { font: 11px sans-serif; fill: #333 } .name { font: bold 13px sans-serif; fill: #111 }
.title { font: bold 16px sans-serif } rect { fill: #fff; stroke: #456; rx: 5 } .room { fill: #f3f5f8; stroke: none }
path { fill: none; stroke: #8093a8; marker-end: url(#head) }
"""
Layers = list[list[str]]


def layers_of(package: str) -> Layers:
    """The contract's rows of modules directly below a package, topmost first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    contract = next(each for each in contracts if each.get("containers", ["dropover"]) == [package])
    rows = [[name.strip().removeprefix("dropover.") for name in row.split("|")] for row in contract["layers"]]
    return [row for row in rows if row not in (["cli"], ["lab"])]


def sentence(module: str) -> str:
    """The first sentence of a module's docstring."""
    path = ROOT / "src" / Path(*module.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split()).partition(". ")[0].rstrip(".").replace("`", "")


def arrows(graph: grimp.ImportGraph, package: str, names: list[str]) -> list[tuple[str, str]]:
    """Which of the modules below a package import which, without what follows from a chain of others."""
    imports = {
        (one, other)
        for one in names
        for other in names
        if one != other
        and graph.direct_import_exists(importer=f"{package}.{one}", imported=f"{package}.{other}", as_packages=True)
    }
    reached = set(imports)
    for between in names:
        reached |= {(a, d) for a, b in reached if b == between for c, d in reached if c == between}
    return sorted(
        edge for edge in imports if not any((edge[0], b) in imports and (b, edge[1]) in reached for b in names)
    )


def box(x: float, y: float, name: str, text: str) -> str:
    """A package: its name, and below it what it is."""
    wrapped = textwrap.wrap(text, CHARACTERS, max_lines=LINES, placeholder=" …")
    lines = [f'<text class="name" x="{x + 8}" y="{y + 17}">{escape(name)}</text>']
    lines += [
        f'<text x="{x + 8}" y="{y + 32 + LINE * number}">{escape(line)}</text>' for number, line in enumerate(wrapped)
    ]
    return f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}"/>' + "".join(lines)


def room(graph: grimp.ImportGraph, package: str, title: str, left: float, top: float) -> tuple[str, float, float]:
    """A column of rows of boxes with the arrows between them, and its width and height."""
    rows = layers_of(package)
    width = max(len(row) for row in rows) * (WIDTH + GAP) + 2 * MARGIN - GAP
    height = len(rows) * ROW + 2 * MARGIN + 6
    places = {}
    for number, row in enumerate(rows):
        start = left + (width - len(row) * (WIDTH + GAP) + GAP) / 2
        for column, name in enumerate(row):
            places[name] = (start + column * (WIDTH + GAP), top + MARGIN + 20 + number * ROW)
    drawn = [
        f'<rect class="room" x="{left}" y="{top}" width="{width}" height="{height}"/>',
        f'<text class="title" x="{left + MARGIN}" y="{top + 23}">{escape(title)}</text>',
    ]
    for one, other in arrows(graph, package, list(places)):
        (x, y), (to, below) = places[one], places[other]
        a, b = x + WIDTH / 2, to + WIDTH / 2
        drawn.append(f'<path d="M{a},{y + HEIGHT} C{a},{y + HEIGHT + 20} {b},{below - 20} {b},{below - 2}"/>')
    drawn += [box(*place, name, sentence(f"{package}.{name}")) for name, place in places.items()]
    return "\n".join(drawn), width, height


def rendered() -> str:
    """The picture."""
    graph = grimp.build_graph("dropover", cache_dir=None)
    top = 2 * MARGIN + HEIGHT
    lab, lab_width, lab_height = room(graph, "dropover.lab", "dropover.lab: imports the core", MARGIN, top)
    right = 2 * MARGIN + lab_width
    core, core_width, core_height = room(graph, "dropover", "dropover: the core", right + 40, top)
    width, height = right + 40 + core_width + MARGIN, top + max(lab_height, core_height) + MARGIN
    center, middle = MARGIN + lab_width / 2, top + 16
    size = f'width="{width:g}" height="{height:g}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width:g} {height:g}">',
        f"<style>{STYLE}</style><defs>",
        '<marker id="head" orient="auto" markerWidth="7" markerHeight="7" refX="6" refY="3">',
        '<path d="M0,0 L7,3 L0,6 z" style="fill:#8093a8;stroke:none;marker-end:none"/></marker></defs>',
        f'<rect {size} style="stroke:none;rx:0"/>',
        lab,
        core,
        box(center - WIDTH / 2, MARGIN, "cli", sentence("dropover.cli")),
        f'<path style="stroke-width:2" d="M{center},{MARGIN + HEIGHT} V{top - 2}"/>',
        f'<path style="stroke-width:2" d="M{right - MARGIN},{middle} H{right + 38}"/>',
        "</svg>\n",
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    PICTURE.write_text(rendered(), encoding="utf-8")
