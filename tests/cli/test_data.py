from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dropover.cli import app
from dropover.lab.data import DATA

IMAGES = {("train", "cat"): 3, ("train", "dog"): 2, ("test", "cat"): 1, ("test", "dog"): 1}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for (part, kind), count in IMAGES.items():
        (tmp_path / part / kind).mkdir(parents=True)
        for number in range(count):
            pixels = np.full((6, 6), 255 if part == "train" and number == 0 else 0, dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / part / kind / f"{number}.png")
    return tmp_path


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["data", *map(str, arguments)], env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_the_list_names_every_set_and_whether_it_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DROPOVER_DATA", str(tmp_path))
    for file in ("train_32x32.mat", "test_32x32.mat"):
        (tmp_path / file).touch()
    code, out, err = run()
    assert (code, err) == (0, "")
    found = {line.split()[0]: line.split()[1] for line in out.splitlines()[1 : 1 + len(DATA.names())]}
    assert set(found) == set(DATA.names())
    assert (found["svhn"], found["mnist-5k"], found["cifar10"], found["folder"]) == ("here", "here", "–", "–")


def test_a_folder_is_described_and_left_as_it_was(images: Path) -> None:
    before = sorted(images.rglob("*"))
    code, out, err = run("folder", "--folder", images)
    assert (code, err) == (0, "")
    lines = [line.rstrip() for line in out.splitlines()]
    assert lines == [
        "folder: 2 classes, 6×6, 1 channel, 5 to train, 2 to test",
        f"files    {images}",
        "classes  cat, dog",
        # Two of five images are white: 0.4, and the root of 0.4 · 0.6.
        "train    5 images, 2 to 3 of each class; pixels in [0, 1]: mean 0.4000, standard deviation 0.4899",
        "test     2 images, 1 of each class; pixels in [0, 1]: mean 0.0000, standard deviation 0.0000",
    ]
    assert sorted(images.rglob("*")) == before
    assert "4×4" in run("folder", "--folder", images, "--size", 4)[1]


def test_missing_files_are_not_downloaded(tmp_path: Path) -> None:
    assert run("cifar10", "--folder", tmp_path) == (
        2,
        "",
        f"cifar10 has no files in {tmp_path}: a study that asks for it downloads them there\n",
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cifr10",), "unknown data set 'cifr10': did you mean 'cifar10'"),
        (("folder",), "folder must name the folder of images: data.folder in a study, --folder on the command line"),
        (("mnist-5k", "--size", 3), "size has no effect on mnist-5k"),
        (("nowhere:make",), "there is no module 'nowhere'"),
        (("--size", 3), "name it, such as: dropover data folder --folder DIR"),
    ],
)
def test_mistakes_are_one_line(arguments: tuple[object, ...], said: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_the_user_s_own_code_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_images.py").write_text(
        "import torch\ndef make():\n    return ((torch.zeros(4, 3, 8, 8), torch.tensor([0, 1, 0, 1])),) * 2\n"
    )
    code, out, _ = run("own_images:make")
    assert code == 0
    assert out.startswith("own_images:make: 2 classes, 8×8, 3 channels, 4 to train, 4 to test\n")
