"""Figures show what they were given, and their files are well-formed and the same every time."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

import dropover
from dropover.lab.models.parts.positions import Place
from dropover.lab.models.small_cnn import small_cnn
from dropover.lab.pictures.images import adversarial_images, averaged_maps, inverted_maps, noisy_images
from dropover.lab.pictures.plots import activation_histograms, curves, dots, losses, rate_grid
from dropover.lab.pictures.scatter import projection_scatter
from dropover.lab.pictures.style import save
from dropover.lab.probing.grouping import Inverted, inverted_groups
from dropover.lab.probing.projecting import project


@pytest.fixture
def inverted() -> Inverted:
    return inverted_groups(small_cnn(1, 28, 10, width=0.5), Place("last-conv", "after"), torch.rand(1, 28, 28))


def long_table() -> pd.DataFrame:
    rows = [
        {"arm": arm, "seed": seed, "level": level, "value": 0.9 - level * slope - 0.02 * seed}
        for arm, slope in (("none", 3), ("fdd2d", 2))
        for seed in (0, 1, 2)
        for level in (0.0, 0.1, 0.2)
    ]
    return pd.DataFrame(rows)


def loss_table() -> pd.DataFrame:
    rows = [
        {"arm": arm, "seed": seed, "measure": measure, "level": epoch, "value": 2 / epoch + seed}
        for arm in ("none", "flipover")
        for seed in (0, 1)
        for measure in ("train_loss", "test_loss", "test_accuracy")
        for epoch in (1, 2, 3)
    ]
    return pd.DataFrame(rows)


def texts(figure: Figure) -> str:
    return " | ".join(text.get_text() for text in figure.findobj(mpl.text.Text))


def panels(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.get_title()]


def test_files_are_well_formed_and_the_same_every_time(tmp_path: Path):
    def draw() -> Figure:
        maps = torch.randn(20, 4, 4, generator=torch.Generator().manual_seed(1))
        return projection_scatter({"2-D": project(maps), "3-D": project(maps, None, 3)})

    first, again = save(draw(), tmp_path / "a.b" / "one v1.0"), save(draw(), tmp_path / "two")
    assert [path.name for path in first] == ["one v1.0.svg", "one v1.0.pdf", "one v1.0.png"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    svg, pdf, png = first
    root = ElementTree.parse(svg).getroot()  # noqa: S314 - our own
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "<text" not in svg.read_text(encoding="utf-8")
    assert pdf.read_bytes().startswith(b"%PDF")
    assert b"CreationDate" not in pdf.read_bytes()
    with Image.open(png) as image:
        image.load()
        assert image.size == (1000, 550)
        assert image.info.get("Software") is None


def test_matplotlibs_settings_are_left_alone(tmp_path: Path):
    before = dict(mpl.rcParams)
    save(noisy_images({"clean": torch.rand(2, 1, 8, 8)}), tmp_path / "x")
    assert dict(mpl.rcParams) == before


def test_histograms_have_the_activations_shares_on_common_axes():
    few, many = torch.tensor([0.0, 0.0, 0.0, 4.0]), torch.tensor([[0.0, 1.0], [0.02, 2.0]])
    figure = activation_histograms({"few": few, "many": many}, bins=4)
    left, right = panels(figure)
    assert left.get_xlim() == right.get_xlim()
    assert left.get_ylim() == right.get_ylim()
    assert left.get_yscale() == "log"
    heights = [axes.patches[0].get_data().values.tolist() for axes in (left, right)]
    assert heights == [[0.75, 0, 0, 0.25], [0.5, 0.25, 0.25, 0]]
    assert "75.0% within ±0.04, 75.0% exactly 0\nmean 1" in left.texts[0].get_text()
    assert "50.0% within ±0.04, 25.0% exactly 0" in right.texts[0].get_text()


def test_a_histogram_of_dead_units_is_drawn():
    figure = activation_histograms({"dead": torch.zeros(9)})
    assert "100.0% exactly 0" in texts(figure)


def test_scatter_has_every_unit_at_its_place_and_says_how_many_were_hit():
    projection = project(torch.rand(30, 4, 4), dropover.SpatialDropout(0.4))
    (axes,) = panels(projection_scatter({"spatial": projection}))
    kept, dropped = axes.collections
    np.testing.assert_array_equal(kept.get_offsets(), projection.points[~projection.hit])
    np.testing.assert_array_equal(dropped.get_offsets(), projection.points[projection.hit])
    hit = int(projection.hit.sum())
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [f"kept: {30 - hit}", f"dropped: {hit}"]
    # A shaded cell for every one that holds maps, the fullest the darkest.
    cells = {tuple(round(float(c), 9) for c in patch.get_xy()): patch.get_alpha() for patch in axes.patches}
    counts, *_ = np.histogram2d(*projection.points.numpy().astype(float).T, bins=5)
    assert len(cells) == int((counts > 0).sum())
    assert max(cells.values()) == pytest.approx(0.3)


def test_scatter_of_maps_that_are_all_alike_is_drawn(tmp_path: Path):
    for axes in (2, 3):
        save(projection_scatter({"dead": project(torch.zeros(8, 4, 4), None, axes)}), tmp_path / "dead")


def test_inverted_maps_show_the_three_strongest_of_each_group(inverted: Inverted, tmp_path: Path):
    figure = inverted_maps(inverted)
    save(figure, tmp_path / "inverted")
    shown = [int(number) for number in re.findall(r"map (\d+)", texts(figure))]
    assert shown == [int(unit) for name in ("high", "medium", "low") for unit in inverted.members(name)[:3]]
    grid = figure.findobj(Axes)[0]
    assert sum(len(points.get_offsets()) for points in grid.collections) == len(inverted.group)


def test_averaged_maps_show_each_groups_mean_and_entropy(inverted: Inverted):
    figure = averaged_maps(inverted)
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    names = [name for name in ("low", "medium", "high", "all") if len(inverted.members(name))]
    for image, name in zip(shown, names, strict=True):
        np.testing.assert_allclose(image, inverted.average(name))
        assert f"{inverted.entropy(name):.2f} bits" in texts(figure)


def test_rate_grids_write_the_figure_into_every_cell():
    table = pd.DataFrame([[0.991, 0.5], [0.25, float("nan")]], index=[0.0, 0.4], columns=[0.0, 0.2])
    figure = rate_grid({"clean": table, "attacked": 1 - table})
    first, second = panels(figure)
    np.testing.assert_array_equal(first.images[0].get_array(), table)
    assert [text.get_text() for text in first.texts] == ["99", "50", "25"]
    assert [text.get_text() for text in second.texts] == ["1", "50", "75"]
    assert first.images[0].get_clim() == second.images[0].get_clim() == (0, 1)
    assert [label.get_text() for label in first.get_yticklabels()] == ["0", "0.4"]
    assert first.get_title() == "(a) clean"


def test_noisy_and_adversarial_images_are_those_given():
    images = torch.rand(3, 3, 8, 8)
    figure = noisy_images({"clean": images, "half": images / 2})
    np.testing.assert_allclose(figure.axes[4].images[0].get_array(), images[1].movedim(0, -1) / 2)

    grey = torch.full((2, 1, 4, 4), 0.5)
    attacked = grey + torch.tensor([0.1, -0.05])[:, None, None, None]
    figure = adversarial_images(grey, attacked, ["cat", "dog"], ["dog", "dog"])
    difference = [axes.images[0].get_array()[0, 0] for axes in figure.axes[4:]]
    assert difference == pytest.approx([1.0, 0.25])  # five times as large, around grey
    assert "difference\n× 5" in texts(figure)
    assert "cat | " in texts(figure)
    assert "→ dog" in texts(figure)
    assert "× 1" in texts(adversarial_images(grey, grey, ["cat", "dog"], ["cat", "dog"]))


def test_curves_are_the_means_with_the_spread_around_them():
    figure = curves({"L∞": long_table()}, "ε")
    (axes,) = panels(figure)
    none, fdd = axes.get_lines()
    assert none.get_label() == "none"
    assert none.get_ydata().tolist() == pytest.approx([0.88, 0.58, 0.28])
    assert fdd.get_ydata().tolist() == pytest.approx([0.88, 0.68, 0.48])
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.max(), band.min()) == pytest.approx((0.9, 0.26))
    assert axes.get_ylim() == (0, 1)
    one_seed = long_table().query("seed == 0")
    band = panels(curves({"x": one_seed}, "ε"))[0].collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx(0.9)


def test_losses_are_a_line_for_every_seed_on_one_axis():
    figure = losses(loss_table())
    first, second = panels(figure)
    assert [len(axes.get_lines()) for axes in (first, second)] == [4, 4]
    assert first.get_lines()[1].get_ydata().tolist() == pytest.approx([3, 2, 1 + 2 / 3])
    assert first.get_ylim() == second.get_ylim() == pytest.approx((0, 2.2))


def test_dots_are_every_seeds_value_and_their_mean():
    rows = [("FDD-2D", group, value) for group, value in (("positive", 0.9), ("positive", 0.92), ("negative", 0.95))]
    table = pd.DataFrame(rows, columns=["arm", "group", "value"])
    (axes,) = panels(dots({"mnist-5k": table}))
    drawn: list[Any] = [line.get_xdata().tolist() for line in axes.get_lines()]
    assert drawn == [[0.9, 0.92], [pytest.approx(0.91)], [0.95], [0.95]]
    (axes,) = panels(dots({"mnist-5k": table.drop(columns="group")}))
    assert [len(line.get_xdata()) for line in axes.get_lines()] == [3, 1]
