"""The papers' tables and figures by name: one file each, found by the registry `REPRODUCTIONS`.

Nothing here imports torch before something is run, so that the list is there at once.
"""

from dropover.lab.reproductions.parts.reproduction import FDD, FLIPOVER, Reproduction
from dropover.registry import Registry

__all__ = ["FDD", "FLIPOVER", "REPRODUCTIONS", "Reproduction"]

REPRODUCTIONS: Registry[Reproduction] = Registry("table or figure", __name__)
