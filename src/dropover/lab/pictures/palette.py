"""The colours of all charts and figures."""

# Okabe and Ito's colours, told apart by colour-blind readers too, and a few more; shapes repeat the distinction.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C510A", "#5E3C99", "#B8860B", "#1B7837")
REFERENCE_COLOR = "#555555"
