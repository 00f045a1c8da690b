"""The registry, and what each entry must say of itself."""

import re
from dataclasses import dataclass, replace

import pytest

from dropover.methods import METHODS, Card
from dropover.registry import Registry, UnknownNameError


@dataclass(frozen=True)
class Entry:
    name: str
    aliases: tuple[str, ...] = ()


def problems_of(card):
    """What a card lacks."""
    lacks = [
        field for field in ("title", "summary", "formula", "acts", "settings_in_paper") if not getattr(card, field)
    ]
    lacks += [] if card.sources else ["sources"]
    for text, link in card.sources.items():
        lacks += [] if re.search(r"\b(19|20)\d\d\b", text) else [f"a year in {text!r}"]
        lacks += [] if re.fullmatch(r"https://\S+", link) else [f"a link in {text!r}"]
    return lacks + ([] if card.caveats and all(card.caveats) else ["caveats"])


def test_every_method_has_a_card_with_a_source(method):
    assert isinstance(method.card, Card)
    assert problems_of(method.card) == []
    assert method.kind in ("maps", "features")


def test_a_card_without_a_source_is_found():
    card = METHODS.get("dropout").card
    assert problems_of(replace(card, sources={})) == ["sources"]
    assert problems_of(replace(card, sources=dict.fromkeys(card.sources, "somewhere")))
    assert problems_of(replace(card, caveats=())) == ["caveats"]


def test_what_is_known_against_sap_and_cross_entropy_stands_on_the_cards():
    assert any("Athalye" in caveat for caveat in METHODS.get("sap").card.caveats)
    assert any("rescale" in caveat for caveat in METHODS.get("fdd2d").card.caveats)


def test_unknown_names_get_suggestions():
    with pytest.raises(UnknownNameError, match="unknown method 'flipovr': did you mean 'flipover'"):
        METHODS.get("flipovr")
    with pytest.raises(UnknownNameError, match="unknown method 'zzz': known are biased, "):
        METHODS.get("zzz")
    assert "flipover" in METHODS
    assert "flipovr" not in METHODS


def test_duplicates_are_refused_and_leave_nothing_behind():
    registry = Registry("thing", "dropover.methods")
    registry.add(Entry("one", ("uno",)))
    for entry in (Entry("one"), Entry("uno"), Entry("two", ("one",)), Entry("three", ("three",))):
        with pytest.raises(ValueError, match=r"^thing '.*' is registered twice$"):
            registry.add(entry)
    assert registry.names() == ["one"]
    assert "two" not in registry
    assert "three" not in registry
    assert registry.get("uno") is registry.get("one")


def test_settings_that_a_method_lacks():
    with pytest.raises(TypeError, match=r"dropout has no setting 'q': known are p, eval_p, rescale$"):
        METHODS.get("dropout").make(8, q=1)
    with pytest.raises(TypeError, match="flipover has no setting 'amplitud': did you mean 'amplitude'"):
        METHODS.get("flipover").make(8, amplitud=1)
    for name, taken in (("guided", "num_units"), ("fdd2d", "components")):
        with pytest.raises(TypeError, match=f"{name} has no setting '{taken}'"):
            METHODS.get(name).make(8, **{taken: 2})


def test_methods_that_need_it_are_told_the_number_of_units():
    assert METHODS.get("guided").make(7).num_units == 7
