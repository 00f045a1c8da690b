"""The house's docstrings, as the reader of Google's style wants them."""

import re
from typing import Any

import griffe


class ExampleSections(griffe.Extension):
    """Makes "Example:" the heading of a section of code, as "Examples:" is."""

    def on_instance(self, *, obj: griffe.Object, **_kwargs: Any) -> None:
        """Change the heading of an object's docstring."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
