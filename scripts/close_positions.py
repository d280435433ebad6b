"""`close-positions`, under the name of the operation guide. Options: --help."""

from door import run

run("close-positions")
