"""A net's pictures as files, and one page with all of them."""

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path

from dropover.lab.pictures.style import save
from dropover.lab.records.files import write_text
from dropover.lab.report.inspection.drawing import Drawing
from dropover.lab.report.templates import environment

PAGE = "index.html"


def write_inspection(folder: Path, title: str, facts: Mapping[str, str], drawings: Iterable[Drawing]) -> list[Path]:
    """Write each picture as SVG, PDF and PNG, and a page that holds them all and loads nothing.

    Args:
        folder: Where to; made if missing.
        title: The page's title.
        facts: What was inspected: a term and its description for each line at the top.
        drawings: The pictures, drawn one by one.

    Returns:
        The files, the page first.
    """
    written: list[Path] = []
    blocks = []
    for drawing in drawings:
        files = save(drawing.figure, folder / drawing.name)
        written += files
        # As an image and not as part of the page: parts of two pictures may have the same id.
        svg = base64.b64encode(files[0].read_bytes()).decode()
        blocks.append({"drawing": drawing, "svg": svg, "files": [file.name for file in files]})
    page = environment(Path(__file__).parent).get_template("page.html").render(title=title, facts=facts, blocks=blocks)
    write_text(folder / PAGE, page)
    return [folder / PAGE, *written]
