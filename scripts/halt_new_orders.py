"""`halt-new-orders`, under the name of the operation guide. Options: --help."""

from door import run

run("halt-new-orders")
