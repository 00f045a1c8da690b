"""The lines that a page shows do what the trial did."""

from random import Random

import pytest
import torch

import dropover
from dropover.insertion import regularizers
from dropover.lab.data.parts.loading import load_data
from dropover.lab.models.parts.building import build_model, build_network
from dropover.lab.searching.inserting import lines_of
from dropover.lab.searching.reading import search_of
from dropover.lab.searching.space import Drawn, Places, space_of
from dropover.methods import METHODS


@pytest.mark.parametrize("network", ["small-cnn", "resnet18"])
def test_the_lines_put_the_trials_layers_where_the_trial_had_them(network: str) -> None:
    raw = {"data": {"train_limit": 40, "validation": 40, "test_limit": 20}, "model": {"name": network}}
    methods = [method.name for method in METHODS if method.kind != "weights" and method.name != "guided"]
    file = search_of({**raw, "search": {"trials": 99, "methods": methods}}, "mine")
    study = file.searched
    data = load_data(study.data)
    space, random, fitting = space_of(study, file.search), Random(0), Places(study)
    images = torch.rand(2, 1, 28, 28)
    for _ in range(12):
        arm = space.arm(Drawn(random))
        try:
            fitting.check(arm)
        except ValueError:
            continue
        study = file.searched.model_copy(update={"arms": [*file.searched.arms, arm]})
        ours = build_model(study, arm, 0, data)
        theirs = build_network(study, 0, data)
        lines = lines_of(study, arm).replace("done)", "0.5)")
        exec(lines, {"model": theirs, "inputs": images})  # noqa: S102  # our own lines
        if "advance" in lines:
            dropover.advance(ours, 0.5)
        assert [type(layer) for layer in regularizers(ours)] == [type(layer) for layer in regularizers(theirs)]
        outputs = []
        for model in (ours, theirs):
            torch.manual_seed(0)
            outputs.append(model.train()(images))
        torch.testing.assert_close(*outputs)
