"""Each ingredient of a trial's identity is changed in turn and it runs again; what doesn't matter, and it is kept.

All through `dropover compare`, on a copy of the package, so that its own code can be changed too. Every run is a new
process; what it would import of other packages is imported once, and the runs are forked from there.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

import dropover
from dropover.lab.data.parts.idx import FILES

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="runs are forked")

SERVER = """
import json, os, sys
import altair, jinja2, numba, numpy, pandas, pydantic, rich.console, scipy.stats, torch, typer, vl_convert

for line in sys.stdin:
    request = json.loads(line)
    child = os.fork()
    if child == 0:
        for number in (1, 2):
            os.dup2(os.open(request["screen"], os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
        os.chdir(request["folder"])
        sys.path[:0] = request["path"]
        sys.argv = ["dropover", "compare", *request["arguments"]]
        from dropover.cli import main
        main()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
STUDY = """
name = "NAME"
seeds = [0, 1]
reference = "REFERENCE"
data = { name = "mnist", folder = "IMAGES", train_limit = 40 }
model = { name = "nets.mine:make", hidden = 8 }
training = { epochs = 1, lr = 0.01 }
evaluation = { noise = { gaussian = [0.3] } }
"""
ARMS = ['[[arms]]\nmethod = "none"\n', '[[arms]]\nname = "NAMED"\nmethod = "dropout"\np = 0.5\nat = ["1"]\n']
CODE = {
    "nets/__init__.py": "",
    "nets/mine.py": """
from torch import nn
def make(channels, size, classes, hidden):
    from .parts import activation
    flat = channels * size * size
    return nn.Sequential(nn.Flatten(), nn.Linear(flat, hidden), activation(), nn.Linear(hidden, classes))
""",
    "nets/parts.py": "from torch import nn\nimport scale\ndef activation(): return nn.LeakyReLU(scale.SLOPE)\n",
    "scale.py": "SLOPE = 0.1\n",
    "unrelated.py": "",
}
TRIALS = 4


@dataclass
class Lab:
    """A folder with a study, the user's code, images, and a copy of the package, in which the command is run."""

    folder: Path
    server: "subprocess.Popen[str]"
    path: list[str] = field(default_factory=list)
    out: str = "results"
    shown: str = ""

    def write(self) -> None:
        """Write all of it."""
        shutil.copytree(Path(str(dropover.__file__)).parent, self.folder / "package" / "dropover")
        for file, content in CODE.items():
            (self.folder / file).parent.mkdir(exist_ok=True)
            (self.folder / file).write_text(content, encoding="utf-8")
        self.images(0)
        self.study()

    def study(self, *changes: tuple[str, str], order: int = 1) -> None:
        """Write the study file."""
        text = STUDY + "".join(ARMS[::order])
        for old, new in (*changes, ("NAMED", "drop"), ("NAME", "tiny"), ("REFERENCE", "none"), ("IMAGES", "images")):
            text = text.replace(old, new)
        (self.folder / "study.toml").write_text(text, encoding="utf-8")

    def images(self, shift: int) -> None:
        """Write sixty images in MNIST's format."""
        (self.folder / "images").mkdir(exist_ok=True)
        for file in FILES:
            count = 60
            shape = (count, 28, 28) if "images" in file else (count,)
            header = b"".join(number.to_bytes(4, "big") for number in (0x800 + len(shape), *shape))
            elements = (torch.arange(torch.Size(shape).numel()) * 7 + shift) % (256 if "images" in file else 10)
            (self.folder / "images" / file).write_bytes(header + bytes(elements.tolist()))

    def edit(self, file: str, old: str, new: str) -> None:
        """Change a file, to another length, so that Python can't take it for the one that it has compiled."""
        text = (self.folder / file).read_text(encoding="utf-8")
        assert old in text
        assert len(old) != len(new)
        (self.folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    def run(self, *arguments: str, folder: Path | None = None) -> None:
        """Run the command to a good end; `shown` is then what it has written on the screen."""
        screen = self.folder / "screen"
        screen.unlink(missing_ok=True)
        request = {
            "arguments": [*(arguments or ("study.toml",)), "--out", str(self.folder / self.out), "--jobs", "1"],
            "folder": str(folder or self.folder),
            "path": [str(self.folder / "package"), *self.path],
            "screen": str(screen),
        }
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        code = self.server.stdout.readline()
        self.shown = screen.read_text(encoding="utf-8")
        assert code == "0\n", self.shown

    def ran_again(self, reason: str) -> bool:
        """Whether all trials have run in the last run, for that reason."""
        return f"\n{reason}; {TRIALS} trials run again\n" in self.shown and "taken over" not in self.shown

    def kept(self) -> bool:
        """Whether all trials were taken over in the last run."""
        return (
            f"{TRIALS} of {TRIALS} trials were finished by an earlier run" in self.shown and "again" not in self.shown
        )


@pytest.fixture(scope="module")
def server() -> Iterator["subprocess.Popen[str]"]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
    process = subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-c", SERVER], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, server: "subprocess.Popen[str]") -> Lab:
    made = Lab(tmp_path_factory.mktemp("lab") / "folder", server)
    made.write()
    made.run()
    assert f"[{TRIALS}/{TRIALS}]" in made.shown
    assert "again" not in made.shown
    return made


@pytest.fixture
def lab(tmp_path: Path, ran: Lab) -> Lab:
    """A copy of one in which the study has run."""
    shutil.copytree(ran.folder, tmp_path / "folder")
    return Lab(tmp_path / "folder", ran.server)


def test_what_decides_results_runs_them_again_and_says_why(lab: Lab):
    steps: list[tuple[str, Callable[[], None]]] = [
        ("nets/mine.py was edited", lambda: lab.edit("nets/mine.py", "hidden)", "hidden, bias=True)")),
        ("nets/parts.py was edited", lambda: lab.edit("nets/parts.py", "LeakyReLU", "ELU")),
        ("scale.py was edited", lambda: lab.edit("scale.py", "0.1", "0.25")),
        ("the images changed", lambda: lab.images(1)),
        (
            "dropover's own code changed",
            lambda: lab.edit("package/dropover/lab/training/loop.py", "model.train()", "model.train( )"),
        ),
        ("numba VERSION -> 0.0.1", lambda: _other_version(lab, "numba")),
    ]
    for reason, change in steps:
        change()
        lab.run()
        assert lab.ran_again(reason.replace("VERSION", _version("numba"))), (reason, lab.shown)


def test_every_table_of_settings_counts(lab: Lab):
    changes = {
        "data.train_limit 40 -> 50": ("train_limit = 40", "train_limit = 50"),
        "model.hidden 8 -> 9": ("hidden = 8", "hidden = 9"),
        "training.lr 0.01 -> 0.02": ("lr = 0.01", "lr = 0.02"),
        "evaluation.noise.gaussian [0.3] -> [0.4]": ("[0.3]", "[0.4]"),
    }
    for reason, change in changes.items():
        lab.study(change)
        lab.run()
        assert lab.ran_again(reason), (reason, lab.shown)
    lab.study(("p = 0.5", "p = 0.25"))
    lab.run()
    assert "\ndrop: p 0.5 -> 0.25; 2 trials run again\n" in lab.shown
    assert "2 of 4 trials were finished by an earlier run" in lab.shown


def test_what_does_not_matter_keeps_every_trial(lab: Lab):
    lab.study(
        ("NAMED", "other name"), ("NAME", "renamed"), ("REFERENCE", "other name"), ("IMAGES", "moved/images"), order=-1
    )
    (lab.folder / "moved").mkdir()
    (lab.folder / "images").rename(lab.folder / "moved" / "images")
    (lab.folder / "results").rename(lab.folder / "moved" / "kept")
    lab.out = "moved/kept"
    lab.edit("package/dropover/lab/report/page.py", '"""', '"""Edited. ')
    lab.edit("package/dropover/lab/judging/statistics.py", '"""', '"""Edited. ')
    (lab.folder / "unrelated.py").write_text("edited = True\n", encoding="utf-8")
    lab.run()
    assert lab.kept(), lab.shown
    # From another folder: the user's code is found by Python's path, and the images' path is a full one.
    lab.path.append(str(lab.folder))
    lab.study(("IMAGES", str(lab.folder / "moved" / "images")))
    elsewhere = lab.folder / "elsewhere"
    elsewhere.mkdir()
    lab.run("../study.toml", folder=elsewhere)
    assert lab.kept(), lab.shown


def _version(package: str) -> str:
    from dropover.lab.machine import deciding_versions

    return deciding_versions([])[package]


def _other_version(lab: Lab, package: str) -> None:
    """Have the package say that it is of another version, as if it had been updated."""
    metadata = lab.folder / "updated" / f"{package}-0.0.1.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.0.1\n", encoding="utf-8")
    lab.path.append(str(lab.folder / "updated"))
