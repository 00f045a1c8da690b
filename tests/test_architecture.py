"""docs/architecture.md is true: its picture, its paths, and its examples, which are put into a copy of the package.

One new file each for a method, a rate rule, an attack, a data set, a network, a noise and a reproduction, no edit
elsewhere, and each is used through the real API or command.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import grimp
import pandas as pd
import pytest

import dropover

PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"
TEXT = PAGE.read_text(encoding="utf-8")
ON_THE_PAGE = dict(re.findall(r"```python\n# src/(dropover/\S+)\n(.*?)```", TEXT, re.DOTALL))
BESIDE_IT = {
    "dropover/lab/data/pixels.py": '''
"""Random pixels."""

import torch

from dropover.lab.data import DATA, Data, DataSource


def load(folder=None):
    images = torch.randint(256, (60, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(60) % 2
    return Data(images[:40], labels[:40], images[40:], labels[40:], ("even", "odd"))


DATA.add(DataSource("pixels", (), "random pixels", load, lambda folder: None))
''',
    "dropover/lab/models/tiny.py": '''
"""One convolution."""

from torch import nn

from dropover.lab.models import NETWORKS, Network


def tiny(channels, size, classes):
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * (size - 2) ** 2, classes)
    )


NETWORKS.add(Network("tiny", (), "one convolution", tiny, {"last-conv": "1"}))
''',
    "dropover/lab/noise/dim.py": '''
"""Less light."""

from dropover.lab.noise import NOISES, Noise


def dim(images, level, generator):
    return images * (1 - level)


NOISES.add(Noise("dim", (), "darker images", "share of the light that is taken", dim))
''',
}
STUDY = """
name = "added"
seeds = [0, 1]
reference = "none"
data = { name = "pixels" }
model = { name = "tiny" }
training = { epochs = 1, lr = 0.01 }
evaluation = { noise = { dim = [0.5] }, attacks = [{ name = "corner", eps = [0.1] }] }
[[arms]]
method = "none"
[[arms]]
name = "flip"
method = "channel-flip"
p = 0.5
"""
USE = """
import torch, dropover
from dropover import functional

layer = dropover.ChannelFlip(0.5)
x = torch.ones(64, 8, 3, 3)
y = layer(x)
assert set(y.unique().tolist()) == {-1.0, 1.0} and torch.equal(y, y[..., :1, :1].expand_as(y))
assert torch.equal(functional.channel_flip(x, 1.0), -x)
assert "ChannelFlip" in dropover.__all__

rule = dropover.ActiveRates(0.5)
half = torch.cat([x, 0 * x], dim=1)
for units in ("element", "channel", "position", "sample"):
    layer = dropover.Regularizer(units, rule, "zero")
    assert layer.rates(half).max() == 0.5 and layer(half).isfinite().all()
assert dropover.Regularizer("channel", rule, "flip").rates(half)[0].tolist() == [0.5] * 8 + [0.0] * 8
plan = dropover.insert(torch.nn.Sequential(torch.nn.ReLU()), {"0": dropover.Regularizer("element", rule, "zero")})
assert "ActiveRates(p=0.5)" in repr(dropover.Plan.from_json(plan.to_json()).layers[0])
"""
COMMANDS = """
import json, sys
from typer.testing import CliRunner
from dropover.cli import app

for arguments in json.loads(sys.argv[1]):
    result = CliRunner().invoke(app, arguments)
    print(result.output)
    assert result.exit_code == 0, arguments
"""


@dataclass(frozen=True)
class Copy:
    """A folder with a copy of the package, in which every example is a file."""

    folder: Path

    def python(self, *arguments: str) -> str:
        """What Python prints when it runs with the copy, where the tests are."""
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        done = subprocess.run(  # noqa: S603 - our own
            [sys.executable, *arguments], cwd=PAGE.parents[1], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def commands(self, *lines: list[str]) -> str:
        """What the command `dropover` prints for each of these arguments, one after another in one process."""
        return self.python("-c", COMMANDS, json.dumps(lines))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(
        Path(str(dropover.__file__)).parent, folder / "dropover", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name, source in {**ON_THE_PAGE, **BESIDE_IT}.items():
        file = folder / name
        assert not file.exists()
        file.write_text(source, encoding="utf-8")
    return Copy(folder)


def test_the_page_has_four_examples():
    assert len(ON_THE_PAGE) == 4 == TEXT.count("```python")


def test_the_picture_is_drawn_from_the_code():
    spec = importlib.util.spec_from_file_location("draw", PAGE.with_suffix("") / "draw.py")
    draw = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw)
    assert draw.PICTURE.read_text(encoding="utf-8") == draw.rendered(), "python docs/architecture/draw.py draws it anew"


def test_every_place_on_the_page_is_there():
    now = TEXT.partition("## Where the next parts will live")[0]
    places = re.findall(r"`((?:\w+/)+(?:\w+\.py)?|\w+\.py)`", now)
    assert len(places) > 20
    root = Path(str(dropover.__file__)).parent
    assert [place for place in places if not (root / place.removeprefix("dropover/")).exists()] == []


def test_a_method_and_a_rate_rule_are_names_of_the_package(copy: Copy):
    copy.python("-c", USE)


def test_a_method_is_on_the_command_line(copy: Copy):
    printed = copy.commands(["methods"], ["methods", "channel-flip"])
    assert "Multiplies random feature maps by -1." in printed
    assert "Nobody 2026: An example" in printed


def test_a_method_keeps_the_contract(copy: Copy):
    tests = [f"tests/core/test_{name}.py" for name in ("contract", "functional", "registry")]
    printed = copy.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "channel-flip", *tests)
    assert int(re.search(r"(\d+) passed", printed).group(1)) > 20
    assert "skipped" not in printed


def test_type_checkers_are_told_of_a_method_by_one_command(copy: Copy):
    stub = copy.folder / "dropover" / "__init__.pyi"
    assert "ChannelFlip" not in stub.read_text(encoding="utf-8")
    copy.python("-m", "tests.stubs")
    assert "from dropover.methods.channel_flip import ChannelFlip as ChannelFlip" in stub.read_text(encoding="utf-8")


def test_a_study_is_made_of_new_things_alone(copy: Copy, tmp_path: Path):
    study, out = tmp_path / "study.toml", tmp_path / "results"
    study.write_text(STUDY, encoding="utf-8")
    printed = copy.commands(["compare", str(study), "--out", str(out), "--jobs", "1"], ["data"], ["models"])
    assert "random pixels" in printed
    assert "tiny" in printed
    table = pd.read_csv(out / "results.csv")
    assert set(table["arm"]) == {"none", "flip"}
    for new in ("dim", "corner"):
        assert table.astype(str).apply(lambda column, new=new: column.str.contains(new)).any(axis=None)


def test_a_reproduction_is_listed_and_runs(copy: Copy, tmp_path: Path):
    printed = copy.commands(
        ["reproduce", "--list"], ["reproduce", "fdd-sizes", "--scale", "smoke", "--out", str(tmp_path), "--jobs", "1"]
    )
    assert "how many images are trained on" in printed
    page = next((tmp_path / "fdd-sizes").glob("*.html")).read_text(encoding="utf-8")
    assert "Images to train on" in page


def test_no_module_imports_itself_by_way_of_others():
    """No circle, by imports inside functions, for type checkers or by name (of kernels) either."""
    graph = grimp.build_graph("dropover", cache_dir=None)
    for kernel in graph.find_children("dropover.compute.kernels"):
        graph.add_import(importer="dropover.compute.kernels", imported=kernel)
    circles = [
        module
        for module in graph.modules
        if any(graph.chain_exists(other, module) for other in graph.find_modules_directly_imported_by(module))
    ]
    assert circles == []
