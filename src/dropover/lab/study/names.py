"""What things may be called: a study and its variants become folders, arms and attacks stand in tables and on pages."""

import re
import unicodedata

_FOLDER_BYTES = 100
"""Of each of two parts: with the hyphen between them they stay below the 255 that file systems allow."""
_LABEL_LETTERS = 120
_OF_WINDOWS = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_OF_COMMANDS = ("inspect", "reproduce")
"""Folders below results/ that other commands write to."""


def folder_name(name: str) -> str:
    """The name itself, if every system can have a folder of that name and it means no other place, or `ValueError`."""
    if not re.fullmatch(r"[^\W_]([\w .+-]*[\w+-])?", name):
        raise ValueError(
            "must be a folder's name: letters, digits, spaces and . _ - +, beginning with a letter or digit and not "
            "ending with a space or a dot"
        )
    if len(name.encode()) > _FOLDER_BYTES:
        raise ValueError(f"must be a folder's name: at most {_FOLDER_BYTES} bytes long, not {len(name.encode())}")
    if _OF_WINDOWS.fullmatch(name.casefold()):
        raise ValueError("must be a folder's name, and Windows keeps this one for a device")
    if name.casefold() in _OF_COMMANDS:
        raise ValueError(f"must be a folder's name of its own, and `dropover {name.casefold()}` writes to this one")
    return name


def device(word: str) -> str:
    """The word itself, if it can mean a device, on whatever machine, or `ValueError`."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", word):
        raise ValueError("must be auto, cpu, cuda, one of several such as cuda:1, or mps")
    return word


def label(text: str) -> str:
    """The text itself, if it can be shown on one line of a table, any letters and signs, or `ValueError`."""
    if not text.strip():
        raise ValueError("must not be blank")
    if not all(letter.isprintable() or unicodedata.category(letter) == "Zs" for letter in text):
        raise ValueError("must be printable on one line, without line breaks and control characters")
    if len(text) > _LABEL_LETTERS:
        raise ValueError(f"must be at most {_LABEL_LETTERS} letters long, not {len(text)}")
    return text
