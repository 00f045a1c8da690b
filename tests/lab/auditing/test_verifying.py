"""A kept audit is recomputed from its images and the model, and nothing in it can be changed unseen."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dropover import lab
from dropover.lab.auditing.keeping import FACTS, IMAGES, PAGE
from dropover.lab.digests import of_bytes
from dropover.lab.records.checked import write_checked

from .test_keeping import Layered, audited, changed, examples

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audit")
    audited(Layered(), folder)
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    for path in original.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def facts_forged(folder: Path, change: Change) -> None:
    """As by somebody who knows how the checksums are made."""
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    facts.pop("checksum")
    change(facts)
    facts["files"] = {name: of_bytes((folder / name).read_bytes()) for name in facts["files"]}
    write_checked(folder / FACTS, facts)


def images_forged(folder: Path, change: Change) -> None:
    tensors = load_file(folder / IMAGES)
    change(tensors)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / IMAGES)
    facts_forged(folder, lambda _facts: None)


@pytest.mark.parametrize("rate", [0.0, 0.3])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_what_was_kept_is_what_is_recomputed(tmp_path: Path, rate: float, norm: str) -> None:
    audit = audited(Layered(rate), tmp_path, norm=norm)
    found = lab.verify(Layered(rate), tmp_path, *examples(Layered()))
    assert found, str(found)
    assert found.verdict == audit.verdict
    assert found.accuracy == pytest.approx(audit.accuracy, abs=0.05 if rate else 0)


def test_the_model_is_left_as_it_was(folder: Path) -> None:
    model = Layered().train()
    lab.verify(model, folder)
    assert model.training
    assert all(each.requires_grad for each in model.parameters())


@pytest.mark.parametrize("name", [IMAGES, PAGE, FACTS])
def test_a_file_in_which_a_byte_was_changed_is_named(folder: Path, name: str) -> None:
    path = folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    found = lab.verify(Layered(), folder)
    assert not found
    assert any(name in line for line in found.faults)


@pytest.mark.parametrize("name", [IMAGES, PAGE])
def test_a_file_that_is_gone_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert any(name in line for line in lab.verify(Layered(), folder).faults)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda facts: facts.update(accuracy=1.0, interval=[0.9, 1.0]), "the figure in audit.json isn't that of"),
        (lambda facts: facts.update(interval=[0.0, 1.0]), "the figure in audit.json isn't that of"),
        (lambda facts: facts.update(clean=0.5), "the clean accuracy in audit.json isn't that of"),
        (lambda facts: facts.update(verdict="upper bound only"), "follows from the images and the checks"),
        (lambda facts: facts["checks"][0].update(passed=None), "follows from the images and the checks"),
        (lambda facts: facts["checks"].pop(), "the checks in audit.json are not those that an audit makes"),
        (lambda facts: facts.update(eps=0.001), "adversarial images are outside of the ball"),
        (lambda facts: facts.pop("eps"), "lacks what an audit has"),
        (lambda facts: facts.update(felled_by=["pgd"] * 40), "names what felled images that stand"),
    ],
)
def test_facts_that_do_not_follow_are_found_though_all_checksums_fit(folder: Path, change: Change, line: str) -> None:
    facts_forged(folder, change)
    found = lab.verify(Layered(), folder)
    assert any(line in fault for fault in found.faults), str(found)


def moved(name: str, by: float) -> Change:
    def change(tensors: dict[str, Tensor]) -> None:
        tensors[name] = tensors[name] + by

    return change


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (moved("adversarial", 1.0), "adversarial images have pixels outside of [0, 1]"),
        (moved("adversarial", 0.2), "adversarial images are outside of the ball"),
        (
            lambda tensors: tensors.update(adversarial=tensors["images"].clone()),
            "adversarial images otherwise than is written",
        ),
        (lambda tensors: tensors.update(stands=torch.ones(40, dtype=torch.bool)), "otherwise than is written"),
        (lambda tensors: tensors.update(labels=tensors["labels"].flip(0)), "clean images otherwise than is written"),
        (lambda tensors: tensors.update(images=tensors["images"][:3]), "doesn't hold as many images"),
        (lambda tensors: tensors.pop("margin"), "can't be read"),
        (lambda tensors: tensors["adversarial"].fill_(torch.nan), "outside of the ball"),
    ],
)
def test_images_that_do_not_show_it_are_found_though_all_checksums_fit(folder: Path, change: Change, line: str) -> None:
    images_forged(folder, change)
    found = lab.verify(Layered(), folder)
    assert any(line in fault for fault in found.faults), str(found)


def test_other_images_are_found_where_the_data_are_at_hand(folder: Path) -> None:
    images_forged(folder, lambda tensors: tensors["images"].mul_(1 + 1e-6))
    assert lab.verify(Layered(), folder)
    faults = lab.verify(Layered(), folder, *examples(Layered())).faults
    assert faults == ("the clean images in adversarial.safetensors are not those of the data",)


@pytest.mark.parametrize("model", [changed(), nn.Sequential(Layered())])
def test_another_model_is_found(folder: Path, model: nn.Module) -> None:
    assert any("isn't the one that was audited" in line for line in lab.verify(model, folder).faults)


def test_a_folder_without_an_audit_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no finished audit"):
        lab.verify(Layered(), tmp_path)
