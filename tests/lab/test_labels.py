"""The columns of the long table, and the labels that are made of them."""

import pandas as pd
import pytest

from dropover.lab.records.labels import label, labelled
from dropover.lab.records.rows import Row
from dropover.lab.records.store import Finished, table_of
from dropover.lab.records.trials import trials_of
from dropover.lab.study import Study

ROWS = {
    Row("clean", None, 0.1): ("clean", None),
    Row("gaussian", 0.2, 0.2): ("gaussian", 0.2),
    Row("train_loss", 3, 0.3): ("train_loss", 3),
    Row("pgd l2", 0.5, 0.4, "l2"): ("pgd l2", 0.5),
    Row("fgsm", 0.1, 0.5, "linf", "correct"): ("fgsm (of correct)", 0.1),
    Row("worst", 0.1, 0.6, "linf"): ("worst", 0.1),
    Row("worst", 0.5, 0.7, "l2"): ("worst l2", 0.5),
    Row("audit", 0.5, 0.7, "l2"): ("audit l2", 0.5),
    Row("audit images", 0.5, 200, "l2"): ("audit l2 images", 0.5),
    Row("audit: order", 0.5, 1.0, "l2"): ("audit l2: order", 0.5),
    Row("audit: order", 0.5, 0.0, "linf"): ("audit: order", 0.5),
    Row("clean", None, 0.8, inference_rate=0.0): ("clean at inference", 0.0),
    Row("pgd", 0.1, 0.9, "linf", inference_rate=0.3): ("pgd 0.1 at inference", 0.3),
}


@pytest.mark.parametrize("row", ROWS)
def test_a_label_is_made_of_the_columns(row: Row):
    assert label(row.measure, row.level, row.norm, row.of, row.inference_rate) == ROWS[row][0]


def test_the_table_by_labels_has_the_rate_for_a_level():
    study = Study.model_validate({"seeds": [4], "arms": [{"method": "none"}]})
    table = labelled(table_of([Finished(trials_of(study)[0], list(ROWS), 1.0, {})], study))
    wanted = [("none", 4, *place, row.value) for row, place in ROWS.items()]
    pd.testing.assert_frame_equal(
        table, pd.DataFrame(wanted, columns=["arm", "seed", "measure", "level", "value"]).astype({"level": "float64"})
    )
