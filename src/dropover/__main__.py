"""`python -m dropover` is `dropover`."""

from dropover.cli import main

main()
