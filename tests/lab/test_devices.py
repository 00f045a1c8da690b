"""A study's words for devices, what is put there, and what of it decides a trial's identity."""

import copy
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from dropover.lab import devices
from dropover.lab.data.parts.loading import load_data
from dropover.lab.devices import DeviceError, check, circumstances, device_of, groups, jobs_on, put, slots
from dropover.lab.examples import pixels
from dropover.lab.machine import usable_cores
from dropover.lab.models.parts.building import build_model
from dropover.lab.records.again import changes
from dropover.lab.records.fingerprints import net_fingerprint, trial_ingredients
from dropover.lab.running import runner
from dropover.lab.running.calling import run_trial
from dropover.lab.running.engines import processes
from dropover.lab.study import Study
from dropover.methods import METHODS

SMALL: dict[str, Any] = {
    "data": {"train_limit": 100, "test_limit": 50},
    "model": {"width": 0.25},
    "training": {"epochs": 1, "batch_size": 50},
    "arms": [{"method": "none"}],
}


def has(monkeypatch: pytest.MonkeyPatch, *, cuda: int = 0, mps: bool = False, major: int = 9) -> None:
    """Have this machine look as if it had these devices."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device: "NVIDIA H200")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _device: SimpleNamespace(major=major))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


def named(word: str) -> list[str]:
    return [str(device) for device in slots(word)]


def study(**changes: Any) -> Study:
    return Study.model_validate({"reference": "none", **SMALL, **changes})


def test_auto_takes_the_fastest_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch)
    assert named("auto") == ["cpu"]
    has(monkeypatch, mps=True)
    assert named("auto") == ["mps"]
    has(monkeypatch, cuda=2, mps=True)
    assert named("auto") == named("cuda") == ["cuda:0", "cuda:1"]
    assert (named("cuda:1"), named("cpu"), named("mps")) == (["cuda:1"], ["cpu"], ["mps"])


def test_a_trial_runs_on_each_device_and_on_each_core(monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch, cuda=3)
    assert (jobs_on("auto"), jobs_on("cuda:1"), jobs_on("cpu")) == (3, 1, usable_cores())


def test_a_trial_takes_neighbouring_devices_and_none_is_in_two_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch, cuda=5)
    of_trials = [[str(device) for device in group] for group in groups("auto", 2)]
    assert of_trials == [["cuda:0", "cuda:1"], ["cuda:2", "cuda:3"]]
    assert [groups(group[0], 2) for group in of_trials] == [[group] for group in groups("cuda", 2)]
    assert (jobs_on("cuda", 2), jobs_on("cuda:3", 2), jobs_on("cuda", 5)) == (2, 1, 1)
    assert [groups(word, 1) for word in ("cuda", "cpu")] == [
        [[each] for each in slots(word)] for word in ("cuda", "cpu")
    ]
    assert groups("cpu", 3) == [[devices.CPU] * 3]
    assert jobs_on("cpu", 10**6) == 1


def test_more_devices_for_a_trial_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch, cuda=4)
    most = r"^devices_per_trial: must be at most 4, the CUDA devices of this machine, got 5$"
    with pytest.raises(DeviceError, match=most):
        check("cuda", "fp32", 5)
    few = r"^devices_per_trial: must be at most 1, the CUDA device from cuda:3 on of this machine, got 2$"
    with pytest.raises(DeviceError, match=few):
        jobs_on("cuda:3", 2)
    has(monkeypatch, mps=True)
    with pytest.raises(
        DeviceError, match=r"^devices_per_trial: must be at most 1, the MPS device of this machine, got"
    ):
        groups("auto", 2)


def test_devices_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch)
    none = (
        rf"^device: this machine has no CUDA device that torch {re.escape(torch.__version__)} can use; it has cpu, and "
        "auto takes the fastest, got 'cuda:1'$"
    )
    with pytest.raises(DeviceError, match=none):
        slots("cuda:1")
    with pytest.raises(DeviceError, match=r"^device: this machine has no MPS device .* got 'mps'$"):
        slots("mps")
    with pytest.raises(DeviceError, match=r"^device: must be auto, cpu, cuda, one of .* or mps, got 'gpu'$"):
        slots("gpu")
    has(monkeypatch, cuda=2)
    few = r"^device: must be below cuda:2, as CUDA devices count from cuda:0, got 'cuda:7'$"
    with pytest.raises(DeviceError, match=few):
        slots("cuda:7")


def test_precisions_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch, cuda=1, major=7)
    check("cuda", "fp32")
    if torch.version.hip is None:
        with pytest.raises(DeviceError, match=r"^precision: cuda:0 doesn't know bf16: it must be fp32 there, got"):
            check("cuda", "bf16")
    has(monkeypatch, cuda=1, major=8)
    check("cuda", "bf16")
    check("cpu", "bf16")


@pytest.mark.parametrize("word", ["", "CUDA", "cuda:", "cuda:-1", "cuda:1.0", "cuda: 1", "tpu"])
def test_a_study_refuses_words_that_mean_no_device(word: str) -> None:
    with pytest.raises(ValueError, match="must be auto, cpu, cuda, one of several such as cuda:1, or mps"):
        study(device=word)


def test_of_the_device_its_kind_alone_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch, cuda=2)
    there = [study(device=word) for word in ("auto", "cuda", "cuda:1")]
    cpu, mixed = study(device="cpu"), study(device="cpu", precision="bf16")
    arm = cpu.arms[0]
    of_trials = [trial_ingredients(each, arm, 0) for each in there]
    assert of_trials[0] == of_trials[1] == of_trials[2]
    assert of_trials[0]["computed"] == {"device": "cuda", "precision": "fp32"}
    nets = [net_fingerprint(each, arm, 0) for each in (*there, cpu, mixed)]
    assert len(set(nets[:3])) == 1
    assert len(set(nets)) == 3


def test_how_many_devices_a_trial_takes_decides_where_they_are_several() -> None:
    alone, several = study(device="cpu"), [study(device="cpu", devices_per_trial=each) for each in (1, 2, 3)]
    arm = alone.arms[0]
    of_trials = [trial_ingredients(each, arm, 0) for each in several]
    assert trial_ingredients(alone, arm, 0) == of_trials[0]
    assert of_trials[0]["computed"] == {"device": "cpu", "precision": "fp32"}
    assert of_trials[1]["computed"] == {"device": "cpu", "precision": "fp32", "devices_per_trial": 2}
    assert len({net_fingerprint(each, arm, 0) for each in (alone, *several)}) == 3
    assert changes(of_trials[0], of_trials[1]) == ["devices_per_trial 1 -> 2"]
    assert changes(of_trials[2], of_trials[0]) == ["devices_per_trial 3 -> 1"]


def test_on_the_cpu_in_float32_a_model_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "fabric_on", lambda *_: pytest.fail("Fabric has nothing to do"))
    model = nn.Linear(3, 2)
    before = copy.copy(vars(model))
    assert put(model, devices.CPU, "fp32") is model
    assert vars(model) == before
    assert circumstances("cpu", "fp32") == {}


def test_circumstances_name_the_device_and_what_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch, cuda=1)
    assert circumstances("auto", "fp32") == {"device": "cuda, NVIDIA H200", "precision": "fp32, TF32 off"}
    assert circumstances("cpu", "bf16") == {"device": "cpu", "precision": "bf16"}


@pytest.fixture
def tf32() -> Iterator[None]:
    """TF32 is on, and afterwards as it was."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@pytest.mark.usefixtures("tf32")
def test_on_cuda_fabric_gets_the_device_and_tf32_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []
    monkeypatch.setattr("lightning_fabric.Fabric", lambda **given: asked.append(given))
    devices.fabric_on(torch.device("cuda", 1), "fp32")
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
    devices.fabric_on(torch.device("mps"), "bf16")
    assert [{key: value for key, value in each.items() if key != "plugins"} for each in asked] == [
        {"accelerator": "cuda", "devices": [1], "precision": "32-true"},
        {"accelerator": "mps", "devices": 1, "precision": "bf16-mixed"},
    ]


def in_bf16(*layers: nn.Module) -> nn.Module:
    return put(nn.Sequential(nn.Linear(4, 4), *layers), devices.CPU, "bf16")


def test_in_bf16_a_model_computes_so_and_keeps_float32_without_and_within(capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[torch.dtype] = []
    model = in_bf16(nn.ReLU())
    model[0].register_forward_hook(lambda _module, _args, output: seen.append(output.dtype))
    x = torch.rand(3, 4, requires_grad=True)
    logits = model(x)
    assert (seen, logits.dtype) == ([torch.bfloat16], torch.float32)
    (slope,) = torch.autograd.grad(logits.sum(), x)
    assert slope.dtype == torch.float32
    assert list(model.state_dict()) == ["0.weight", "0.bias"]
    assert {each.dtype for each in model.state_dict().values()} == {torch.float32}
    assert device_of(model) == devices.CPU
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(in_bf16(nn.ReLU())))):  # noqa: S301 - our own
        assert again(x).dtype == torch.float32
    said = capfd.readouterr()
    assert said.out == said.err == ""


def test_what_follows_an_error_inside_is_in_float32() -> None:
    class Failing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ValueError("no")

    model = in_bf16(Failing())
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            model(torch.rand(3, 4))
        assert not torch.is_autocast_enabled("cpu")
        assert nn.Linear(4, 4)(torch.rand(3, 4)).dtype == torch.float32


@pytest.mark.parametrize("name", [method.name for method in METHODS if method.kind != "weights"])
def test_every_method_trains_in_bf16(name: str) -> None:
    settings = {"block_size": 2} if "block_size" in METHODS.get(name).settings() else {}
    chosen = study(device="cpu", precision="bf16", arms=[{"method": "none"}, {"method": name, **settings}])
    rows = {row.measure: row.value for row in run_trial(chosen, chosen.arms[1], 0)}
    assert 0 <= rows["clean"] <= 1
    assert rows["train_loss"] < 100


def test_only_the_call_is_in_bf16() -> None:
    chosen = study(device="cpu", precision="bf16")
    data = load_data(chosen.data)
    models = [build_model(chosen, chosen.arms[0], 0, data).eval() for _ in range(2)]
    put(models[1], devices.CPU, "bf16")
    full, mixed = (model(pixels(data.test_images)) for model in models)
    assert not torch.equal(full, mixed)
    assert torch.allclose(full, mixed, atol=0.05)


TOLD = """
from dropover.lab.records.rows import Row

def told(study, arm, seed, report):
    return [Row("clean", None, 0.5)]
"""


def test_workers_take_turns_on_the_devices(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make_module: Callable[[str, str], ModuleType]
) -> None:
    told = make_module("told_on_devices", TOLD).told
    of_workers: list[tuple[str, str]] = []

    class Noting(processes._Worker):
        def __init__(self, work: bytes, folder: Path, device: str) -> None:
            study, guarded = pickle.loads(work)  # noqa: S301 - our own
            of_workers.append((device, study.device))
            super().__init__(pickle.dumps((study.model_copy(update={"device": "cpu"}), guarded)), folder, device)

    groups = [[torch.device("cuda", index)] for index in (0, 1)]
    monkeypatch.setattr(processes, "groups", lambda _word, _each: groups)
    monkeypatch.setattr(processes, "_Worker", Noting)
    chosen = study(device="cpu", seeds=4)
    run = runner.run_study(chosen, tmp_path, 3, trial=told)
    assert not run.failed
    assert of_workers == [("cuda:0", "cuda:0"), ("cuda:1", "cuda:1"), ("cuda:0", "cuda:0")]
