"""What rows of the long table are called where people read them: made of the columns here, and nowhere else."""

import pandas as pd

from dropover.lab.records import rows

OF_CORRECT, AT_INFERENCE = " (of correct)", " at inference"
WORST = {"linf": rows.WORST, "l2": f"{rows.WORST} l2"}
"""The label of the worst case over all attacks of a norm."""
AUDIT = {"linf": rows.AUDIT, "l2": f"{rows.AUDIT} l2"}
"""The label of what the audit of a norm leaves, with which those of its checks begin."""
AUDITED = {norm: f"{audit} images" for norm, audit in AUDIT.items()}
"""The label of how many images it is of."""


def label(measure: str, level: float | None, norm: str, of: str, inference_rate: float | None) -> str:
    """A row's label, such as "fgsm", "fgsm (of correct)", "worst l2" or "pgd 0.1 at inference"; NaN is as None."""
    name = WORST[norm] if measure == rows.WORST else measure
    if rows.of_audit(measure):
        name = AUDIT[norm] + measure.removeprefix(rows.AUDIT)
    if not pd.isna(inference_rate):
        return f"{name}{'' if pd.isna(level) else f' {level:g}'}{AT_INFERENCE}"
    return name + (OF_CORRECT if of == rows.CORRECT else "")


def labelled(table: pd.DataFrame) -> pd.DataFrame:
    """The long table by labels: arm, seed, measure (the label), level (the rate, for rows at a rate of it), value."""
    columns = [table[name] for name in ("measure", "level", "norm", "of", "inference_rate")]
    names = [label(*row) for row in zip(*columns, strict=True)]
    level = table["inference_rate"].fillna(table["level"])
    return table.assign(measure=names, level=level)[["arm", "seed", "measure", "level", "value"]]
