"""Images count by their content: whatever changes what a study gets, and nothing else, changes its digest."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from dropover.lab.data.parts import loading
from dropover.lab.data.parts.loading import content_of, load_data
from dropover.lab.running.runner import run_study
from dropover.lab.study import DataSettings, Study


def afresh(settings: DataSettings) -> str:
    """The digest as a new process finds it."""
    forget()
    return content_of(settings)


def forget() -> None:
    loading._load.cache_clear()
    content_of.cache_clear()


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    forget()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of six images each."""
    root = tmp_path / "images"
    for label, kind in enumerate(("cat", "dog")):
        (root / kind).mkdir(parents=True)
        for number in range(6):
            Image.new("L", (4, 4), 40 * number + label).save(root / kind / f"{number}.png")
    return root


def of(folder: Path, **settings: int) -> str:
    return afresh(DataSettings(name="folder", folder=folder, **settings))


def test_one_pixel_of_one_image_counts_under_the_same_name_size_and_time(folder: Path):
    before = of(folder)
    path = folder / "cat" / "3.png"
    times = (path.stat().st_atime, path.stat().st_mtime)
    with Image.open(path) as image:
        image.putpixel((1, 2), 121)
        image.save(path)
    os.utime(path, times)
    assert of(folder) != before


def test_where_images_lie_and_how_their_files_are_called_and_packed_does_not_count(folder: Path, tmp_path: Path):
    before = of(folder)
    moved = tmp_path / "elsewhere" / "moved"
    shutil.move(folder, moved)
    assert of(moved) == before
    for path in moved.glob("*/*.png"):
        with Image.open(path) as image:
            image.save(path.with_suffix(".bmp"))
        path.unlink()
    assert of(moved) == before


def test_labels_and_the_names_of_classes_count(folder: Path):
    before = of(folder)
    (folder / "dog").rename(folder / "eel")
    renamed = of(folder)
    (folder / "cat").rename(folder / "dog")
    (folder / "eel").rename(folder / "cat")
    assert len({before, renamed, of(folder)}) == 3


def test_the_images_that_a_study_uses_count_and_the_others_do_not(folder: Path):
    every = [{}, {"train_limit": 4}, {"test_limit": 1}, {"validation": 4}, {"size": 2}]
    assert len({of(folder, **settings) for settings in every}) == len(every)
    few = DataSettings(name="folder", folder=folder, train_limit=2, test_limit=1)
    before, data = afresh(few), load_data(few)
    used = {image.numpy().tobytes() for image in (*data.train_images, *data.test_images)}
    for path in folder.glob("*/*.png"):
        with Image.open(path) as image:
            unused = image.tobytes() not in used
        if unused:
            Image.new("L", (4, 4), 255).save(path)
    assert afresh(few) == before


RANDOM = """
import {module}
import torch

def make():
    images = {draw}
    labels = torch.arange(40) % 2
    return (images, labels), (images[:20], labels[:20])
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "random_images.py"
    sys.modules.pop("random_images", None)


def test_a_factory_that_draws_by_torch_gives_every_process_the_same(mine: Path):
    mine.write_text(RANDOM.format(module="math", draw="torch.rand(40, 1, 4, 4)"), encoding="utf-8")
    state = torch.random.get_rng_state()
    settings = DataSettings(name="random_images:make")
    assert afresh(settings) == afresh(settings)
    assert torch.random.get_rng_state().equal(state)


def test_a_factory_that_gives_each_process_others_is_refused_with_what_to_do(mine: Path, tmp_path: Path):
    draw = "torch.from_numpy(numpy.random.default_rng().random((40, 1, 4, 4)))"
    mine.write_text(RANDOM.format(module="numpy", draw=draw), encoding="utf-8")
    study = Study.model_validate({"data": {"name": "random_images:make"}, "seeds": 1, "arms": [{"method": "none"}]})
    outcome = run_study(study, tmp_path / "out", 1)
    [failed] = outcome.failed
    assert (
        "the images changed after the study had begun, or random_images:make makes others each time it is called: seed "
        "what it draws; the same command runs it anew"
    ) in failed.reason
