"""The documentation is a site: it builds strictly, shows all that the code has, and needs nothing from elsewhere."""

import inspect
import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

import dropover
from dropover import functional, lab
from dropover.lab.attacks import ATTACKS
from dropover.lab.data import DATA
from dropover.lab.models import NETWORKS
from dropover.lab.noise import NOISES
from dropover.methods import METHODS, Method

ROOT = Path(__file__).parents[1]
METHODS_ONCE = [pytest.param(method, id=method.name) for method in METHODS]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def words(page: Path) -> str:
    """What a page says, without its tags, each run of white space one space."""
    return " ".join(unescape(re.sub(r"<[^>]*>", "", page.read_text(encoding="utf-8"))).split())


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    loads = re.compile(
        r"<(?:script|link|img|iframe|source|video|audio|object|embed)\b[^>]*?=[\"']?(?:https?:)?//[^>]*>"
    )
    styles = re.compile(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//")
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(list(METHODS))
    assert [found for page in pages for found in loads.findall(page.read_text(encoding="utf-8"))] == []
    assert [sheet for sheet in site.rglob("*.css") if styles.search(sheet.read_text(encoding="utf-8"))] == []


def test_markdown_is_read_as_github_reads_it(site: Path) -> None:
    """No list, table or block of code that needs an empty line before it, and nothing that only tests read."""
    for page in site.rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        assert re.findall(r"<p>(?:(?!</p>).)*?\n(?:- |\||\d+\. |```)", html, re.DOTALL) == [], page.name
        assert "&lt;!--" not in html
        assert "<!-- test:" not in html


@pytest.mark.parametrize("method", METHODS_ONCE)
def test_a_method_has_a_page_with_its_card_and_a_picture(site: Path, method: Method) -> None:
    page = words(site / "methods" / f"{method.name}.html")
    card = method.card
    for said in (card.title, card.summary, card.formula, card.acts, card.settings_in_paper, *card.sources):
        assert " ".join(said.split()) in page
    for link in card.sources.values():
        assert link in page
    for name, default in method.settings().items():
        assert (name if default is inspect.Parameter.empty else f"{name} = {default!r}") in page
    assert (site / "methods" / f"{method.name}.svg").read_bytes().startswith(b"<?xml")


def test_every_public_name_is_in_the_api(site: Path) -> None:
    for module, page in ((dropover, "dropover"), (functional, "functional"), (lab, "lab")):
        text = words(site / "api" / f"{page}.html")
        names = [name for name in module.__all__ if hasattr(getattr(module, name), "__qualname__")]
        assert [name for name in names if f"{module.__name__}.{name}" not in text] == []


def test_examples_in_docstrings_are_code(site: Path) -> None:
    assert [
        page.name for page in (site / "api").glob("*.html") if "<blockquote>" in page.read_text(encoding="utf-8")
    ] == []


def test_all_that_a_study_may_name_is_on_one_page(site: Path) -> None:
    text = words(site / "images.html")
    assert [
        each.name for registry in (DATA, NETWORKS, NOISES, ATTACKS) for each in registry if each.name not in text
    ] == []


def test_a_picture_is_the_same_each_time(site: Path) -> None:
    code = "import sys; sys.path.insert(0, 'docs/site'); import pictures; from dropover.methods import METHODS; "
    code += "sys.stdout.buffer.write(pictures.picture(METHODS.get('flipover')))"
    drawn = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True).stdout  # noqa: S603
    assert drawn == (site / "methods" / "flipover.svg").read_bytes()
