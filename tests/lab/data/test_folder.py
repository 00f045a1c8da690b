"""The user's own images: real files, decoded against Pillow, in both layouts, and every way in which they go wrong."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from dropover.lab import waiting
from dropover.lab.data import Data, DataError
from dropover.lab.data.parts.loading import load_data
from dropover.lab.study import DataSettings

draws = np.random.default_rng(0)


def grey(height: int = 8, width: int = 8) -> NDArray[np.uint8]:
    return draws.integers(0, 256, (height, width), dtype=np.uint8)


def colour(height: int = 8, width: int = 8) -> NDArray[np.uint8]:
    return draws.integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(path: Path, image: NDArray[np.uint8] | Image.Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path)
    return path


def loaded(folder: Path, size: int | None = None) -> Data:
    return load_data(DataSettings(name="folder", folder=folder, size=size))


def test_train_and_test_folders_are_taken_as_they_are(tmp_path: Path) -> None:
    written = {
        (part, kind, number): colour() for part in ("train", "test") for kind in ("cat", "dog") for number in range(3)
    }
    for (part, kind, number), pixels in written.items():
        save(tmp_path / part / kind / f"{number}.png", pixels)
    data = loaded(tmp_path)
    assert data.classes == ("cat", "dog")
    assert data.train_images.is_contiguous()
    for part, images, labels in (
        ("train", data.train_images, data.train_labels),
        ("test", data.test_images, data.test_labels),
    ):
        assert labels.tolist() == [0, 0, 0, 1, 1, 1]
        wanted = np.stack([written[part, kind, number] for kind in data.classes for number in range(3)])
        assert np.array_equal(images.numpy(), wanted.transpose(0, 3, 1, 2))


def test_without_parts_a_fifth_of_every_class_is_for_testing_always_the_same(tmp_path: Path) -> None:
    for kind, count in (("a", 20), ("b", 11), ("c", 2), ("d", 1)):
        for number in range(count):
            save(tmp_path / kind / f"{number:02}.png", grey())
    data = loaded(tmp_path)
    assert data.test_labels.bincount(minlength=4).tolist() == [4, 2, 1, 0]
    assert data.train_labels.bincount().tolist() == [16, 9, 1, 1]
    seen = {image.numpy().tobytes() for image in torch.cat([data.train_images, data.test_images])}
    assert len(seen) == 34
    assert data.train_images.shape[1:] == (1, 8, 8)
    (tmp_path / "more").mkdir()
    moved = tmp_path.rename(tmp_path.parent / f"{tmp_path.name}-moved")
    (moved / "more").rmdir()
    again = loaded(moved)
    assert torch.equal(again.test_images, data.test_images)
    # Not merely the first or last of each class.
    first = torch.stack([torch.from_numpy(np.array(Image.open(moved / "a" / f"{n:02}.png"))) for n in range(20)])
    places = [int((first == image[0]).flatten(1).all(1).nonzero()) for image in data.test_images[:4]]
    assert places not in ([0, 1, 2, 3], [16, 17, 18, 19])


def test_one_colour_image_makes_all_of_them_colour(tmp_path: Path) -> None:
    one = grey()
    save(tmp_path / "a" / "0.png", one)
    save(tmp_path / "a" / "1.png", grey())
    save(tmp_path / "b" / "0.png", colour())
    save(tmp_path / "b" / "1.png", Image.fromarray(colour()).quantize(8))
    data = loaded(tmp_path)
    images = torch.cat([data.train_images, data.test_images])
    assert images.shape == (4, 3, 8, 8)
    assert any(np.array_equal(image.numpy(), np.stack([one] * 3)) for image in images)


def test_images_are_scaled_by_their_shorter_side_and_cropped_at_the_centre(tmp_path: Path) -> None:
    # Left, middle and right third of a wide image: only the middle is in the centre's square.
    wide = np.concatenate([np.full((12, 12), value, dtype=np.uint8) for value in (0, 100, 255)], axis=1)
    for name in ("a/0.png", "a/1.png", "b/1.png", "b/0.png"):
        save(tmp_path / name, wide)
    data = loaded(tmp_path, size=6)
    assert data.train_images.shape == (2, 1, 6, 6)
    # The outermost columns mix with their neighbours.
    assert (data.train_images[..., 1:-1] == 100).all()
    assert (data.train_images[..., 0] > 50).all()


def test_images_of_that_size_are_not_touched(tmp_path: Path) -> None:
    pixels = grey()
    for name in ("a/0.png", "a/1.png", "b/1.png", "b/0.png"):
        save(tmp_path / name, pixels)
    assert np.array_equal(loaded(tmp_path, size=8).train_images[0, 0].numpy(), pixels)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a/0.png", "a/1.png", "b/1.png", "b/0.png"):
        save(tmp_path / "images" / name, grey())
    return tmp_path / "images"


def refused(folder: Path, size: int | None = None) -> str:
    with pytest.raises(DataError) as caught:
        loaded(folder, size)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_different_sizes_name_the_first_two_files(folder: Path) -> None:
    odd = save(folder / "b" / "0.png", grey(8, 9))
    assert refused(folder) == (
        f"size must be given, since the images differ: {folder / 'a' / '0.png'} has 8×8 pixels, {odd} has 9×8"
    )
    assert loaded(folder, size=8).train_images.shape[1:] == (1, 8, 8)


def test_images_that_are_not_square(folder: Path) -> None:
    for file in folder.rglob("*.png"):
        save(file, grey(8, 9))
    assert refused(folder).startswith("size must be given, since the images aren't square: ")


@pytest.mark.parametrize("keep", [0, 10, 60])
def test_a_file_that_can_t_be_decoded_is_named(folder: Path, keep: int) -> None:
    file = folder / "b" / "1.png"
    file.write_bytes(file.read_bytes()[:keep])
    assert refused(folder).startswith(f"1.png in {folder / 'b'} can't be decoded (")


def test_sixteen_bits_are_not_cut_to_eight(folder: Path) -> None:
    save(folder / "b" / "1.png", Image.fromarray(np.full((8, 8), 40000, dtype=np.uint16)))
    image = folder / "b" / "1.png"
    with Image.open(image) as opened:
        mode = opened.mode  # I;16, or just I in older versions of Pillow
    words = f"has more than 8 bits a channel (Pillow's mode {mode}): convert it"
    assert refused(folder) == f"1.png in {folder / 'b'} {words}"


def test_folders_that_are_not_laid_out_like_this(folder: Path, tmp_path: Path) -> None:
    assert refused(tmp_path / "none") == f"folder {tmp_path / 'none'} does not exist"
    assert refused(folder / "a" / "0.png").endswith("0.png is not a folder")
    assert "must have one folder of images for each class: Couldn't find any class folder" in refused(folder / "a")
    assert refused(tmp_path) == f"folder {tmp_path} must have a folder for each of two classes or more, got 'images'"
    (folder / "empty").mkdir()
    assert "Found no valid file for the classes empty" in refused(folder)
    (folder / "empty").rename(folder / "train")
    assert refused(folder).startswith(f"folder {folder} has train and no test: ")


def test_train_and_test_must_have_the_same_classes(folder: Path, tmp_path: Path) -> None:
    for part in ("train", "test"):
        for kind in ("a", "b", "c" if part == "train" else "b"):
            save(tmp_path / "parts" / part / kind / "0.png", grey())
    assert refused(tmp_path / "parts").startswith(f"folder {tmp_path / 'parts' / 'test'} has no class 'c'")


def test_long_work_shows_itself(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded(folder)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(waiting, "PATIENCE", 0.0)
    assert list(waiting.shown("abc", 3, "decoding images")) == ["a", "b", "c"]
    assert capsys.readouterr().err.rstrip("\n") == "decoding images: 3"
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert list(waiting.shown("abc", 3, "decoding images")) == ["a", "b", "c"]
    assert re.search("decoding images.*100%", capsys.readouterr().err)
