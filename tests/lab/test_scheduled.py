"""An arm's rate may be a schedule in a study of images too, and moves with its training."""

import pytest
import torch

from dropover.insertion import regularizers
from dropover.lab.data.parts.loading import load_data
from dropover.lab.models.parts.building import build_model
from dropover.lab.models.parts.positions import PositionError
from dropover.lab.study import Arm, DataSettings, Study, TrainingSettings
from dropover.lab.training.loop import train


def test_a_scheduled_rate_rises_while_an_image_study_trains() -> None:
    rising = {"class": "LinearSchedule", "settings": {"start": 0.1, "end": 0.5}}
    arm = Arm.model_validate({"method": "dropout", "name": "rising", "at": ["fc"], "p": rising})
    study = Study(
        reference="rising",
        data=DataSettings(train_limit=80, test_limit=20),
        training=TrainingSettings(epochs=2, batch_size=20),
        arms=[arm],
    )
    data = load_data(study.data)
    model = build_model(study, arm, 0, data)
    (layer,) = regularizers(model)
    rates: list[float] = []
    layer.register_forward_pre_hook(lambda layer, _: rates.append(float(layer.rates(torch.ones(1, 4)).max())))
    train(model, data, study.training, 0, "rising")
    trained = [rate for rate in dict.fromkeys(round(rate, 6) for rate in rates) if rate > 0]
    assert trained == [round(0.1 + 0.4 * step / 8, 6) for step in range(8)]


@pytest.mark.parametrize("ends", [(0.0, 0.3), (0.3, 0.0)])
def test_a_rate_that_is_0_at_times_places_no_layer_where_it_can_not_sit(ends: tuple[float, float]) -> None:
    moving = {"class": "LinearSchedule", "settings": {"start": ends[0], "end": ends[1]}}
    arm = Arm.model_validate({"method": "drop-block", "name": "moving", "at": ["fc"], "p": moving, "block_size": 3})
    study = Study(reference="moving", data=DataSettings(train_limit=20, test_limit=20), arms=[arm])
    with pytest.raises(PositionError, match=r"drop-block is meant for maps"):
        build_model(study, arm, 0, load_data(study.data))
