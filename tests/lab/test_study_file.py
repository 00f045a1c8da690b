"""Scales and variants of a study file, and what is wrong with them told in a line."""

from pathlib import Path

import pytest

from dropover.lab.running.study_file import StudyError, built_in_path, checked, read_study
from dropover.lab.study import Study

FILE = """
name = "scaled"
seeds = 5
data = { train_limit = 200, test_limit = 100 }
model = { name = "small-cnn", width = 0.5 }
training = { epochs = 9, lr = 0.02 }
[evaluation]
noise = { gaussian = [0.5, 1.0] }
[[evaluation.attacks]]
name = "fgsm"
eps = [0.1, 0.2]
[[evaluation.attacks]]
name = "fgsm"
label = "fgsm l2"
norm = "l2"
eps = [1.0]
[[arms]]
name = "none"
method = "none"
[scales.laptop]
training = { epochs = 3 }
[scales.smoke]
seeds = 1
training = { epochs = 1 }
[scales.smoke.evaluation]
noise = { gaussian = [0.5] }
attacks = [{ name = "fgsm", label = "fgsm l2", eps = [0.5] }]
[variants.batch-norm.model]
batch_norm = true
[variants.short.training]
epochs = 2
"""


def load(path: Path, scale: str | None = None, variant: str | None = None) -> Study:
    return checked(read_study(path, scale, variant), str(path))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "scaled.toml"
    written.write_text(FILE, encoding="utf-8")
    return written


def test_a_scale_is_laid_over_the_rest_and_keeps_what_it_does_not_name(path: Path):
    smoke = load(path, scale="smoke")
    assert (smoke.scale, smoke.seeds, smoke.training.epochs, smoke.training.lr) == ("smoke", [0], 1, 0.02)
    assert smoke.evaluation.noise == {"gaussian": [0.5]}
    assert [(attack.label, attack.eps) for attack in smoke.evaluation.attacks] == [
        ("fgsm", [0.1, 0.2]), ("fgsm l2", [0.5])
    ]  # fmt: skip
    assert smoke.evaluation.attacks[1].settings == {"norm": "l2"}


def test_without_a_word_the_files_own_scale_is_taken(path: Path):
    assert (load(path).scale, load(path).training.epochs) == ("laptop", 3)
    assert checked({**read_study(path, "smoke"), "seeds": 2}, "file").seeds == [0, 1]


def test_a_variant_comes_last(path: Path):
    assert load(path, scale="smoke", variant="batch-norm").model.settings == {"width": 0.5, "batch_norm": True}
    assert load(path, scale="smoke", variant="short").training.epochs == 2


def test_a_file_without_scales_has_its_own_alone():
    main = built_in_path("main")
    assert load(main, scale="laptop") == load(main)
    with pytest.raises(StudyError, match="no scale 'paper': known are laptop"):
        load(main, scale="paper")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("[scales.smoke]\n", "[scales.smok]\n"), "scales.smok: no scale 'smok': did you mean 'smoke'?"),
        (("[scales.smoke]\nseeds = 1", '[scales.smoke]\nname = "x"'), "scales.smoke.name: scales differ in numbers"),
        (("[scales.laptop]\ntraining = { epochs = 3 }", "[scales]\nlaptop = 3"), "scales.laptop: must be a table"),
        (("[scales.smoke.evaluation]", "[scales.smoke.evaluatoin]"), "scales.smoke.evaluatoin: scales differ"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_scales_is_told_in_a_line(path: Path, change: tuple[str, str], line: str):
    assert change[0] in FILE
    path.write_text(FILE.replace(*change), encoding="utf-8")
    with pytest.raises(StudyError) as error:
        load(path, scale="smoke")
    assert str(error.value).startswith(f"{path}: {line}")
    assert "\n" not in str(error.value)


def test_an_unknown_scale_or_variant_names_the_known_ones(path: Path):
    with pytest.raises(StudyError, match="no scale 'paper': known are laptop, smoke"):
        load(path, scale="paper")
    with pytest.raises(StudyError, match="no variant 'batchnorm': did you mean 'batch-norm'"):
        load(path, variant="batchnorm")


@pytest.mark.parametrize("name", ["fdd", "fdd-toy", "flipover-cnn", "flipover-resnet", "flipover-vit"])
def test_the_papers_studies_load_at_both_scales_whose_images_are_here(name: str):
    assert load(built_in_path(name), scale="smoke").scale == "smoke"
    paper, laptop = (read_study(built_in_path(name), scale) for scale in ("paper", "laptop"))
    assert paper["arms"] == laptop["arms"]
