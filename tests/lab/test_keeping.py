from pathlib import Path

import pytest

from dropover.lab.records.files import DamagedError, set_aside, write, write_text


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path: Path):
    def fill(file: object) -> None:
        raise OSError("no space left")

    write_text(tmp_path / "file", "old ε")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "file", "\ud800")
    with pytest.raises(OSError, match="no space left"):
        write(tmp_path / "file", fill)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text(encoding="utf-8") == "old ε"


def test_what_is_set_aside_is_named_and_nothing_is_overwritten(tmp_path: Path):
    path = tmp_path / "trial.json"
    for content, name in (("first", "trial.json.damaged"), ("second", "trial.json.damaged-2")):
        write_text(path, content)
        assert set_aside(path, DamagedError("can't be read")) == f"{path} can't be read: set aside as {name}"
        assert (tmp_path / name).read_text(encoding="utf-8") == content
        assert not path.exists()
    # As if another command had been faster.
    assert set_aside(path, DamagedError("can't be read")) == f"{path} can't be read"
