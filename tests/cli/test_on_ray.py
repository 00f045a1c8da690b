"""Trials on Ray: the results of local workers, and what becomes of them on Ray's bad days."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dropover.lab.running.engines import EngineError
from dropover.lab.running.engines.choosing import Choice

from ..commands import POSIX, SECONDS, started, stopped, wait_for

# Read when Ray is imported; on a busy machine a node takes longer to begin than Ray would wait.
os.environ.setdefault("RAY_raylet_start_wait_time_s", str(SECONDS))
os.environ.setdefault("RAY_worker_niceness", "0")
ray = pytest.importorskip("ray")
pytestmark = POSIX

MODULE = """
import os, time
from pathlib import Path

import torch
from torch import nn

HERE = Path({here!r})

def net():
    return nn.Sequential(nn.Linear(300, 200), nn.ReLU(), nn.Dropout(), nn.Linear(200, 2))

def train(trial):
    # Sums of this size are rounded otherwise with another number of threads.
    x = torch.randn(257, 300, generator=torch.Generator().manual_seed(0))
    model = trial.regularize(net())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for epoch in trial.track(range(3)):
        loss = nn.functional.cross_entropy(model(x), (x[:, 0] > 0).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        trial.log(epoch, loss=loss.item())
    print("trained", trial.arm)
    threads, gpus = os.environ.get("OMP_NUM_THREADS"), os.environ.get("CUDA_VISIBLE_DEVICES")
    told(trial, f"{{torch.get_num_threads()}} threads, OMP {{threads}}, GPUs {{gpus!r}}")
    return {{"loss": loss.item()}}

def wait(trial):
    trial.regularize(net())
    calls = HERE / "calls"
    again = calls.exists() and f"{{trial.arm}}, seed {{trial.seed}}:" in calls.read_text()
    told(trial, f"{{os.getpid()}} {{node()}}")
    while not (HERE / ("go again" if again else "go")).exists():
        time.sleep(0.05)
    return {{"accuracy": 0.5 + 0.1 * trial.seed}}

def fail(trial):
    trial.regularize(net())
    told(trial, "")
    raise RuntimeError("no luck")

def told(trial, line):
    with (HERE / "calls").open("a") as calls:
        calls.write(f"{{trial.arm}}, seed {{trial.seed}}: {{line}}\\n")

def node():
    import ray
    return ray.get_runtime_context().get_node_id()
"""
STUDY = """
name = "far"
seeds = 1
reference = "none"
trial = {{ function = "runs_far:{function}" }}
arms = [{{ name = "none", method = "none" }}, {{ name = "dropout", method = "dropout", p = 0.5 }}]
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one CPU each, on this machine."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    yield made
    made.shutdown()


@pytest.fixture
def begun(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[str, ...]]:
    """The command for a study of a function of the module, whose folder is the current one."""
    monkeypatch.chdir(tmp_path)
    Path("runs_far.py").write_text(MODULE.format(here=str(tmp_path)), encoding="utf-8")

    def command(function: str, engine: str = "ray") -> tuple[str, ...]:
        Path("study.toml").write_text(STUDY.format(function=function), encoding="utf-8")
        where = ("--engine", "ray", "--address", cluster.address) if engine == "ray" else ()
        return ("compare", "study.toml", "--out", engine, *where)

    return command


def test_results_are_those_of_local_workers_to_the_bit(begun: Callable[..., tuple[str, ...]]):
    for engine in ("local", "ray"):
        with started(*begun("train", engine)) as command:
            out, err = command.communicate(timeout=SECONDS)
        assert (command.returncode, err) == (0, "")
        assert ("2 at a time on Ray" in out) == (engine == "ray")
        assert "trained dropout" in Path(engine, "output.txt").read_text(encoding="utf-8")
    here, there = (pd.read_csv(f"{engine}/results.csv") for engine in ("local", "ray"))
    pd.testing.assert_frame_equal(
        *(table[table["measure"] != "seconds"].reset_index(drop=True) for table in (here, there)), check_exact=True
    )
    # Ray by itself sets as many threads as a trial has CPUs, and leaves all GPUs visible to a trial without any.
    assert {line.partition(": ")[2] for line in calls()[2:]} == {"1 threads, OMP 1, GPUs ''"}


def test_a_trial_that_fails_is_not_run_again_and_has_its_traceback_in_the_log(begun: Callable[..., tuple[str, ...]]):
    with started(*begun("fail")) as command:
        _, err = command.communicate(timeout=SECONDS)
    assert command.returncode == 1
    assert "none, seed 0: RuntimeError: no luck (runs_far.py, line " in err
    assert len(calls()) == 2
    assert 'raise RuntimeError("no luck")' in Path("ray/log.txt").read_text(encoding="utf-8")


@pytest.mark.long
def test_a_trial_goes_on_elsewhere_when_its_node_is_removed(cluster: Any, begun: Callable[..., tuple[str, ...]]):
    extra = cluster.add_node(num_cpus=1, resources={"extra": 1})
    gone = {node["NodeID"] for node in nodes(cluster) if node["Resources"].get("extra")}
    with started(*begun("wait"), "--seeds", 2) as command:
        wait_for(lambda: any(line.split()[-1] in gone for line in calls()))
        cluster.remove_node(extra, allow_graceful=False)
        there = [line for line in calls() if line.split()[-1] in gone]
        wait_for(lambda: not any(runs(int(line.split()[-2])) for line in there))
        Path("go").touch()
        assert command.stdout is not None
        out = ""
        for line in command.stdout:
            out += line
            if "it is run again" in line:
                break
        Path("go again").touch()
        rest, err = command.communicate(timeout=SECONDS)
        out += rest
    assert (command.returncode, err) == (0, "")
    lost = [line.partition(": ")[0] for line in calls() if line.split()[-1] in gone]
    assert [f"{trial}: its worker was lost, and it is run again" in out for trial in lost] == [True] * len(lost)
    assert len(pd.read_csv("ray/results.csv").query("measure == 'accuracy'")) == 4
    assert len(calls()) == 4 + len(lost)


@pytest.mark.long
def test_a_driver_that_is_killed_or_stopped_leaves_nothing_running_and_goes_on(begun: Callable[..., tuple[str, ...]]):
    with started(*begun("wait")) as command:
        wait_for(lambda: len(calls()) == 2)
        os.killpg(command.pid, signal.SIGKILL)
    wait_for(lambda: not any(runs(int(line.split()[-2])) for line in calls()))
    code, _, err = stopped("far:", "SIGINT", *begun("wait"))
    assert (code, err.startswith("Stopped: ")) == (130, True)
    wait_for(lambda: not any(runs(int(line.split()[-2])) for line in calls()))
    Path("go again").touch()
    before = len(calls())
    with started(*begun("wait")) as command:
        _, err = command.communicate(timeout=SECONDS)
    assert (command.returncode, err, len(calls()) - before) == (0, "", 2)
    with started(*begun("wait")) as command:
        _, err = command.communicate(timeout=SECONDS)
    assert (command.returncode, err, len(calls()) - before) == (0, "", 2)  # nothing runs twice that is finished


def test_a_worker_has_the_users_module_without_seeing_its_folder(
    cluster: Any, begun: Callable[..., tuple[str, ...]], tmp_path: Path
):
    from dropover.lab.running.engines.ray_cluster import connected

    begun("train")

    def places() -> tuple[str, str]:
        import runs_far

        import dropover

        return str(runs_far.__file__), str(dropover.__file__)

    with connected(cluster.address, 1, 0, None, ["runs_far:train"]) as there:
        module, package = map(Path, ray.get(there.ray.remote(places).remote()))
    assert not module.is_relative_to(tmp_path)
    assert module.name == "runs_far.py"
    assert package.parent.name == "dropover"


@pytest.mark.long
def test_the_driver_says_what_to_do_when_the_head_is_killed(tmp_path: Path, begun: Callable[..., tuple[str, ...]]):
    from ray.cluster_utils import Cluster

    own = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    arguments = (*begun("wait")[:-1], own.address)
    try:
        with started(*arguments) as command:
            wait_for(lambda: len(calls()) == 1)
            own.head_node.kill_all_processes(check_alive=False, allow_graceful=False)
            _, err = command.communicate(timeout=SECONDS)
    finally:
        own.shutdown()
    assert command.returncode == 2
    assert err.startswith(f"Ray at {arguments[-1]} is gone: ")
    assert err.rstrip().endswith("Finished trials are kept: start the same command when the cluster is back")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"address": "127.0.0.1:1"}, r"no Ray cluster answers at 127.0.0.1:1 \(ConnectionRefusedError"),
        ({"address": "ray://a:1"}, "address must be HOST:PORT of Ray's head, or auto, got 'ray://a:1'"),
        ({"address": "head"}, "address must be HOST:PORT of Ray's head, or auto, got 'head'"),
        ({"engine": "slurm"}, "engine must be local or ray, got 'slurm'"),
        ({"engine": "local", "gpus_per_trial": 1.0}, "gpus_per_trial is for the engine ray"),
        ({"gpus_per_trial": 1.5}, "gpus_per_trial must be a share from 0 to 1, or a whole number, got 1.5"),
        ({"cpus_per_trial": 0.0}, "cpus_per_trial must be above 0, got 0"),
    ],
)
def test_what_cannot_be_had_is_refused_in_a_line(said: dict[str, Any], line: str):
    from ..lab.own import own_study

    def opened() -> None:
        with Choice(**{"engine": "ray", **said}).opened([own_study(["none"], trial={"function": "json:dumps"})]):
            pass

    with pytest.raises(EngineError, match=line):
        opened()


def test_more_than_a_node_has_is_refused(cluster: Any):
    from dropover.lab.running.engines.ray_cluster import connected

    with pytest.raises(EngineError, match="no node of Ray's has what a trial gets, CPUs 9 and GPUs 0: the most on a"):  # noqa: SIM117
        with connected(cluster.address, 9, 0, None, []):
            pass


def test_a_device_is_what_ray_gives_a_trial():
    assert Choice("ray").device("auto") == "cpu"
    assert Choice("ray", gpus_per_trial=0.25).device("auto") == "cuda"
    assert Choice().device("auto") == "auto"
    with pytest.raises(EngineError, match="device must be auto or cpu with the engine ray"):
        Choice("ray").device("cuda")
    with pytest.raises(EngineError, match="device must be auto or cuda with the engine ray"):
        Choice("ray", gpus_per_trial=1).device("cuda:1")


def test_without_ray_a_line_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "ray.py").write_text("raise ModuleNotFoundError('no', name='ray')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    Path("runs_far.py").write_text(MODULE.format(here=str(tmp_path)), encoding="utf-8")
    Path("study.toml").write_text(STUDY.format(function="train"), encoding="utf-8")
    with started("compare", "study.toml", "--engine", "ray") as command:
        _, err = command.communicate(timeout=SECONDS)
    assert command.returncode == 2
    assert err == 'the engine ray needs Ray, which isn\'t installed: pip install "dropover[cluster]"\n'
    assert not Path("results").exists()


def nodes(cluster: Any) -> list[dict[str, Any]]:
    """Asked for from outside of the process, which is connected to nothing."""
    ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
    try:
        found: list[dict[str, Any]] = ray.nodes()
    finally:
        ray.shutdown()
    return found


def calls() -> list[str]:
    path = Path("calls")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def runs(process: int) -> bool:
    """Whether it does, and not only waits to be collected."""
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
