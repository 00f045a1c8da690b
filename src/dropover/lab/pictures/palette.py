"""The colours of all charts and figures."""

from collections.abc import Iterable

# Okabe and Ito's colours, told apart by colour-blind readers too, and a few more; shapes repeat the distinction.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C510A", "#5E3C99", "#B8860B", "#1B7837")
REFERENCE_COLOR = "#555555"


def colors_for(names: Iterable[str], reference: str = "none") -> dict[str, str]:
    """A colour for each name: grey for the reference, the palette in turn for the others."""
    others = [name for name in names if name != reference]
    return {reference: REFERENCE_COLOR, **{name: COLORS[i % len(COLORS)] for i, name in enumerate(others)}}
