"""One runnable file per performance claim; each prints its ratio."""
