import os
from pathlib import Path

import pytest
import torch

from dropover.lab.records.files import DamagedError, set_aside, write, write_text
from dropover.lab.tensor_files import write_tensors


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


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def kept(handle: int) -> None:
        seen.append((os.fstat(handle).st_ino, path.exists()))
        flush(handle)

    flush, path, seen = os.fsync, tmp_path / "file", list[tuple[int, bool]]()
    monkeypatch.setattr(os, "fsync", kept)
    write_text(path, "new")
    assert seen == [(path.stat().st_ino, False), (tmp_path.stat().st_ino, True)]


def test_an_error_names_the_file_that_cannot_be_written_and_not_a_temporary_one(tmp_path: Path):
    (tmp_path / "folder").write_text("a file")
    for path in (tmp_path / "folder" / "file", tmp_path / "folder" / "below" / "file"):
        with pytest.raises(OSError, match="folder") as failure:
            write_text(path, "new")
        assert failure.value.filename == str(path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told_as_one_where_tensors_are_written():
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(OSError, match="No space left on device"):
        write_tensors({"a": torch.zeros(1000)}, full)


def test_what_is_set_aside_is_named_and_nothing_is_overwritten(tmp_path: Path):
    path = tmp_path / "trial.json"
    for content, name in (("first", "trial.json.damaged"), ("second", "trial.json.damaged-2")):
        write_text(path, content)
        assert set_aside(path, DamagedError("can't be read")) == f"{path} can't be read: set aside as {name}"
        assert (tmp_path / name).read_text(encoding="utf-8") == content
        assert not path.exists()
    # As if another command had been faster.
    assert set_aside(path, DamagedError("can't be read")) == f"{path} can't be read"
