"""What mkdocs asks while it builds the site: pages that come out of the code and README.md, and links that work."""

import re

import api
import catalogue
import elsewhere
import methods
from links import SOURCES, outside_files, relinked, source_page
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_FOR_TESTS = re.compile(r"<!-- (test:.*?|run )-->\n", re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the methods' pages where the navigation says "Methods"."""
    listed = ["methods/index.md", *({title: f"methods/{name}.md"} for name, title in methods.titles().items())]
    config.nav = [{"Methods": listed} if entry == "Methods" else entry for entry in config.nav or []]
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that aren't files of docs/, and one for each other file of the repository that pages link to."""
    brought = {place: source.text() for place, source in elsewhere.PAGES.items()}
    for place, content in {**brought, **methods.pages(), **api.pages()}.items():
        files.append(File.generated(config, place, content=content))
    linked = set()
    for file in files.documentation_pages():
        linked |= outside_files(file.content_string, _origin(file.src_uri))
    for place in sorted(linked):
        files.append(File.generated(config, f"{SOURCES}/{place}.md", content=source_page(place)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make the page's links work, leave out what only tests read, and add what there is to the page on images."""
    if page.file.src_uri.startswith(f"{SOURCES}/"):
        return markdown
    text = _FOR_TESTS.sub("", relinked(markdown, _origin(page.file.src_uri), page.file.src_uri))
    return f"{text}\n{catalogue.catalogue()}" if page.file.src_uri == "images.md" else text


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Link the names that docstrings mention."""
    return api.linked(html) if page.file.src_uri.startswith(("api/", "methods/")) else html


def _origin(page: str) -> str:
    return elsewhere.PAGES[page].file if page in elsewhere.PAGES else f"docs/{page}"
