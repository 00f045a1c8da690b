"""The space: what can be placed is found, and what contradicts itself is refused before anything runs."""

from random import Random
from typing import Any

import pytest

from dropover.lab.data.parts.loading import load_data
from dropover.lab.models.parts.building import NONE, build_model
from dropover.lab.searching.reading import search_of
from dropover.lab.searching.settings import SearchStudy
from dropover.lab.searching.space import Drawn, Places, SpaceError, space_of
from dropover.methods import METHODS, Range


def asked(**search: Any) -> SearchStudy:
    return search_of(
        {
            "data": {"train_limit": 40, "validation": 40, "test_limit": 20},
            "model": {"name": "small-cnn", "width": 0.1},
            "search": {"trials": 50, **search},
        },
        "study.toml",
    )


def space(**search: Any) -> Any:
    file = asked(**search)
    return space_of(file.searched, file.search)


def test_by_default_every_method_that_can_be_placed_is_there_at_every_place_where_it_fits() -> None:
    file = asked(schedules=["constant", "rising", "falling"])
    found = space_of(file.searched, file.search)
    assert set(found.places) == {method.name for method in METHODS if method.kind != "weights"}
    fitting, random = Places(file.searched), Random(0)
    fits: dict[str, int] = dict.fromkeys(found.places, 0)
    for _ in range(400):
        arm = found.arm(Drawn(random))
        assert file.searched.model_copy(update={"arms": [arm]}).arm(arm.label) == arm
        try:
            fitting.check(arm)
            fits[arm.method] += 1
        except ValueError:
            continue
    assert all(fits.values()), fits


def test_an_arm_says_in_its_name_all_that_was_chosen_and_can_be_built() -> None:
    file = asked(methods=["flipover"], schedules=["rising"], places=["features"])
    arm = space_of(file.searched, file.search).arm(Drawn(Random(3)))
    assert arm.at == ["features"]
    assert arm.settings["p"]["class"] == "LinearSchedule"
    assert f"p={arm.settings['p']['settings']['end']:g} rising" in arm.label
    study = file.searched.model_copy(update={"arms": [*file.searched.arms, arm]})
    build_model(study, arm, 0, load_data(study.data))


def test_the_files_ranges_go_over_the_cards() -> None:
    mine = {"dropout": {"p": {"low": 0.2, "high": 0.3}, "rescale": ["mean", "none"]}}
    ranges = space(methods=["dropout", "spatial"], ranges=mine).ranges
    assert ranges["dropout"] == {"p": Range(0.2, 0.3), "rescale": ("mean", "none")}
    assert ranges["spatial"] == METHODS.get("spatial").card.ranges


@pytest.mark.parametrize(
    ("search", "line"),
    [
        ({"methods": []}, "search.methods: is empty"),
        ({"places": []}, "search.places: is empty"),
        ({"methods": ["dropuot"]}, "search.methods: unknown method 'dropuot': did you mean 'dropout'"),
        ({"methods": ["drop-connect"]}, "search.methods: drop-connect wraps a layer"),
        ({"places": ["fcc"]}, "search.places: nothing can be placed at 'fcc': no position 'fcc'"),
        ({"methods": ["fdd2d"], "places": ["fc"]}, "fdd2d is meant for maps"),
        ({"ranges": {"dropuot": {"p": [0.1]}}}, "search.ranges.dropuot: no method 'dropuot': did you mean 'dropout'"),
        ({"ranges": {"dropout": {"q": [0.1]}}}, "search.ranges.dropout.q: dropout has no such setting"),
        ({"methods": ["dropout"], "ranges": {"dropout": {"p": {"low": 2, "high": 3}}}}, "p must be"),
        ({"ranges": {"dropout": {"p": {"low": 2, "high": 3}}}}, "search.ranges.dropout: dropout can't be placed"),
        ({"ranges": {"dropout": {"p": {"low": 0.5, "high": 3}}}}, "search.ranges.dropout.p: can't be 3.0: p must"),
        ({"ranges": {"dropout": {"p": [0.2, "a"]}}}, "search.ranges.dropout.p: can't be a: p must be a number"),
        ({"methods": ["dropout"], "ranges": {"gaussian": {"std": [1]}}}, "search.ranges.gaussian: has no effect"),
        ({"methods": ["fdd2d"], "ranges": {"fdd2d": {"slope": {"low": -3, "high": -2}}}}, "slope and intercept"),
    ],
)  # fmt: skip
def test_an_empty_or_contradictory_space_is_refused_in_one_line(search: dict[str, Any], line: str) -> None:
    with pytest.raises(SpaceError) as refusal:
        space(**search)
    assert line in str(refusal.value)
    assert str(refusal.value).startswith("search")
    assert "\n" not in str(refusal.value)


def test_the_study_that_is_searched_scores_validation_images_and_its_end_the_test_images() -> None:
    file = asked()
    assert (file.searched.data.score, file.tested.data.score) == ("validation", "test")
    assert [arm.method for arm in file.study.arms] == [NONE]
