"""Figures for papers and pages, one kind a file: functions of plain data that return a matplotlib figure.

They are drawn with the object-oriented API in one style, touch no global state of matplotlib but for the time they
run, and `dropover.lab.pictures.style.save` writes them as SVG, PDF and PNG, the same bytes every time.
"""
