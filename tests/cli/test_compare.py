import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from dropover.cli import app
from dropover.cli.compare import _load

from ..commands import POSIX, stopped

TINY = """
name = "tiny"
scale = "smoke"
seeds = [0, 1]
data = { train_limit = 60, test_limit = 40 }
model = { name = "small-cnn", width = 0.1 }
training = { epochs = 1, lr = LR }
[evaluation]
attack_images = 20
noise = { gaussian = [0.3] }
[[evaluation.attacks]]
name = "fgsm"
eps = [0.1]
[[arms]]
method = "none"
[[arms]]
name = "drop <b>&[bold]"
method = "dropout"
p = 0.5
"""
HEAVY = ("torch", "pandas", "numpy", "scipy", "altair")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY.replace("LR", "0.01"), encoding="utf-8")
    return path


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["compare", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_help_loads_nothing_heavy():
    code = "import sys; sys.argv = ['dropover', 'compare', '--help']; from dropover.cli import main\n"
    code += f"try: main()\nexcept SystemExit: print([name for name in {HEAVY} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own
    assert "--seeds N" in answer.stdout
    assert answer.stdout.endswith("[]\n")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            ('method = "dropout"', 'method = "dropuot"'),
            "arms[1].method: unknown method 'dropuot': did you mean 'dropout'",
        ),
        (("epochs = 1", "epochs = 0"), "training.epochs: "),
        (("epochs = 1", "epoch = 1"), "unknown key 'training.epoch'"),
        (("seeds = [0, 1]", "seeds = ["), "is not valid TOML"),
        (("p = 0.5", "p = 1.5"), "arms[1].p: "),
    ],
)
def test_a_study_that_cannot_be_run_is_told_in_one_line_before_anything_runs(
    study: Path, change: tuple[str, str], line: str
):
    study.write_text(study.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    code, out, err = run(study, "--out", study.parent / "out")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"{study}: {line}") or line in err
    assert not (study.parent / "out").exists()


def test_a_missing_file_and_bad_options(tmp_path: Path, study: Path):
    assert run(tmp_path / "no.toml") == (2, "", f"{tmp_path / 'no.toml'}: there is no such study file\n")
    for option in ("--seeds", "--jobs"):
        code, _, err = run(study, option, 0)
        assert code == 2
        assert option in err
    (tmp_path / "file").write_text("", encoding="utf-8")
    code, _, err = run(study, "--out", tmp_path / "file")
    assert (code, err.count("\n")) == (2, 1)
    assert "can't be written" in err


def test_a_study_runs_is_written_and_is_taken_over_from_its_own_file(study: Path):
    folder = study.parent / "out"
    code, out, err = run(study, "--out", folder, "--jobs", 2)
    assert (code, err) == (0, "")
    assert out.startswith("mnist-5k: 10 classes, 28×28, 1 channel, 60 to train, 40 to test\n")
    assert "[4/4]" in out
    assert "drop <b>&[bold]" in out
    assert out.index("The answer") < out.index("Accuracy in percent") < out.index("Written:")
    assert str(folder / "verdicts.csv") in out
    verdicts = pd.read_csv(folder / "verdicts.csv")
    assert verdicts["measure"].tolist() == ["clean", "gaussian", "fgsm", "worst"]
    assert set(verdicts["arm"]) == {"drop <b>&[bold]"}
    table = pd.read_csv(folder / "results.csv")
    clean = table[table["measure"] == "clean"]
    assert list(zip(clean["seed"], clean["arm"], strict=True)) == [
        (seed, arm) for seed in (0, 1) for arm in ("none", "drop <b>&[bold]")
    ]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "drop &lt;b&gt;&amp;[bold]" in page
    written = tomllib.loads((folder / "study.toml").read_text(encoding="utf-8"))
    assert written["training"]["momentum"] == 0.9
    assert {"python", "torch", "dropover", "cpu", "cores", "jobs", "date", "wall_seconds", "command"} <= set(
        written["circumstances"]
    )

    code, out, _ = run(folder / "study.toml", "--out", folder)
    assert code == 0
    assert "4 of 4 trials were finished by an earlier run and are taken over." in out


def test_the_built_in_study_is_there_with_and_without_its_name():
    built_in, path = _load(None)
    assert _load("main") == (built_in, path)
    assert _load("findings", variant="mnist-5k")[0].data.name == "mnist-5k"
    assert [arm.method for arm in built_in.arms] == ["none", "dropout", "spatial", "flipover", "fdd1d", "fdd2d"]
    assert (built_in.data.name, built_in.seeds, _load(None, seeds=5)[0].seeds) == (
        "mnist-5k",
        [0, 1, 2],
        [0, 1, 2, 3, 4],
    )


def test_trials_that_fail_are_told_and_the_command_fails(study: Path):
    # Each step multiplies the weights by 1 - 10.
    study.write_text(
        TINY.replace("LR", "10.0, weight_decay = 1.0").replace("epochs = 1", "epochs = 60"), encoding="utf-8"
    )
    code, _, err = run(study, "--out", study.parent / "out", "--seeds", 1, "--jobs", 1)
    assert code == 1
    assert err.splitlines()[0].startswith("none, seed 0: DivergedError: ")
    assert "Traceback" not in err
    text = (study.parent / "out" / "results.csv").read_text(encoding="utf-8")
    assert text == "arm,seed,measure,level,value,norm,of,inference_rate\n"


@POSIX
def test_ctrl_c_keeps_what_is_finished_and_prints_no_traceback(study: Path):
    folder = study.parent / "out"
    code, out, err = stopped("[2/100]", "SIGINT", "compare", study, "--out", folder, "--jobs", 1, "--seeds", 50)
    assert code == 130
    assert "of 100 trials are finished and kept. The same command goes on from there: dropover compare" in err
    assert "Traceback" not in out + err
    assert set(pd.read_csv(folder / "results.csv")["arm"]) == {"none", "drop <b>&[bold]"}
    assert "of 100 trials are finished." in (folder / "report.html").read_text(encoding="utf-8")
