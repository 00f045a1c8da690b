"""The rows of a model under noise and attack: their names, the worst case of each norm, rates at inference."""

from typing import Any

import pytest
import torch

from dropover.insertion import regularizers
from dropover.lab.data.parts.loading import load_data
from dropover.lab.examples import Examples, logits_on
from dropover.lab.measuring.robustness import attack_rows, noise_rows
from dropover.lab.models.parts.building import build_model
from dropover.lab.records.labels import label
from dropover.lab.records.rows import Row
from dropover.lab.study import AttackSettings, Study
from dropover.lab.training.loop import train

ARM = {"method": "dropout", "p": 0.3, "eval_p": 0.0, "at": ["features"]}
ATTACKS = [
    {"name": "fgsm", "eps": [0.1, 0.0]},
    {"name": "pgd", "eps": [0.05, 0.1]},
    {"name": "pgd", "eps": [1.0], "norm": "l2"},
    {"name": "pgd", "eps": [0.1], "target": "runner-up", "label": "towards the second"},
]


def study(**evaluation: Any) -> Study:
    raw: dict[str, Any] = {
        "data": {"train_limit": 400, "test_limit": 40},
        "model": {"width": 0.2},
        "training": {"epochs": 3, "lr": 0.05, "batch_size": 16},
        "evaluation": {"batch_size": 16, "attacks": ATTACKS, **evaluation},
        "arms": [{"method": "none"}, ARM],
    }
    return Study.model_validate(raw)


@pytest.fixture(scope="module")
def subject() -> tuple[torch.nn.Module, Examples]:
    chosen = study()
    data = load_data(chosen.data)
    model = build_model(chosen, chosen.arms[1], 0, data)
    train(model, data, chosen.training, 0, "dropout")
    return model.eval(), Examples(data.test_images, data.test_labels, 16)


def table(rows: list[Row]) -> dict[tuple[str, float | None], float]:
    found = {
        (
            label(row.measure, row.level, row.norm, row.of, row.inference_rate),
            row.level if row.inference_rate is None else row.inference_rate,
        ): row.value
        for row in rows
    }
    assert len(found) == len(rows)
    return found


def rows_of(chosen: Study, subject: tuple[torch.nn.Module, Examples]) -> dict[tuple[str, float | None], float]:
    model, examples = subject
    logits = logits_on(model, examples, 0)
    return table(attack_rows(chosen, model, examples, logits, 0, lambda _done, _label: None))


def test_labels_say_what_an_attack_is() -> None:
    def label(**settings: Any) -> str:
        return AttackSettings.model_validate({"name": "pgd", "eps": [0.1], **settings}).label

    assert label() == "pgd"
    assert label(norm="l2") == "pgd l2"
    assert label(target="random", norm="l2") == "pgd l2 targeted"
    assert label(label="mine", norm="l2") == "mine"
    settings = AttackSettings(name="pgd", eps=[0.1])
    assert AttackSettings.model_validate(settings.model_dump()) == settings


def test_rows_are_by_label_and_the_worst_by_norm(subject: tuple[torch.nn.Module, Examples]) -> None:
    rows = rows_of(study(), subject)
    run = [("fgsm", 0.1), ("fgsm", 0.0), ("pgd", 0.05), ("pgd", 0.1), ("pgd l2", 1.0), ("towards the second", 0.1)]
    assert set(rows) == {
        ("attacked_per_second", None),
        *run,
        *((f"{label} (of correct)", eps) for label, eps in run),
        ("worst", 0.0),
        ("worst", 0.05),
        ("worst", 0.1),
        ("worst l2", 1.0),
    }
    assert rows["worst", 0.1] <= min(rows["fgsm", 0.1], rows["pgd", 0.1], rows["towards the second", 0.1])
    assert rows["worst l2", 1.0] == rows["pgd l2", 1.0]
    assert rows["pgd", 0.1] <= rows["pgd", 0.05] < rows["fgsm", 0.0]
    assert rows["fgsm (of correct)", 0.0] == 1


def test_rates_at_inference_have_rows_of_their_own(subject: tuple[torch.nn.Module, Examples]) -> None:
    model, examples = subject
    attacks = [{"name": "fgsm", "eps": [0.0, 0.05], "eot": 2}]
    rows = rows_of(study(attacks=attacks, inference_rates=[0.0, 0.9]), subject)
    clean = float((logits_on(model, examples, 0).argmax(1) == examples.labels).double().mean())
    assert rows["clean at inference", 0.0] == clean
    for eps in (0.0, 0.05):
        assert rows[f"fgsm {eps:g} at inference", 0.0] == rows["fgsm", eps]
    assert rows["clean at inference", 0.9] < clean
    assert rows["fgsm 0.05 at inference", 0.9] <= rows["clean at inference", 0.9]
    # Scored twice, so that halves of an image are possible; none may be more right than the clean pass was.
    assert (rows["fgsm 0.05 at inference", 0.9] * 80) % 1 == pytest.approx(0, abs=1e-9)
    assert [layer.eval_p for layer in regularizers(model)] == [0.0]


def test_a_model_without_layers_has_no_rate_to_set() -> None:
    chosen = study(attacks=[{"name": "fgsm", "eps": [0.1]}], inference_rates=[0.5])
    data = load_data(chosen.data)
    model = build_model(chosen, chosen.arms[0], 0, data).eval()
    rows = rows_of(chosen, (model, Examples(data.test_images, data.test_labels, 16)))
    assert not any("inference" in measure for measure, _ in rows)


def test_eps_of_nothing_is_the_clean_accuracy_where_inference_is_random_too() -> None:
    chosen = study(attacks=[{"name": "pgd", "eps": [0.0, 0.1]}])
    data = load_data(chosen.data)
    arm = chosen.arms[1].model_copy()
    model = build_model(chosen, arm, 0, data).eval()
    for layer in regularizers(model):
        layer.eval_p = 0.5
    examples = Examples(data.test_images, data.test_labels, 16)
    clean = float((logits_on(model, examples, 0).argmax(1) == examples.labels).double().mean())
    assert rows_of(chosen, (model, examples))["pgd (of correct)", 0.0] == 1
    assert rows_of(chosen, (model, examples))["pgd", 0.0] == clean


def test_noise_may_go_unclipped(subject: tuple[torch.nn.Module, Examples]) -> None:
    model, examples = subject
    values = [
        table(noise_rows(study(noise={"gaussian": [1.0]}, clip_noise=clip), model, examples, 0, lambda _done: None))
        for clip in (True, False)
    ]
    assert values[0].keys() == values[1].keys() == {("gaussian", 1.0)}
    assert values[0] != values[1]
