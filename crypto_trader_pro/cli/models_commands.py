"""`models`: what was trained, and how it did out of sample."""

import typer

models = typer.Typer(help="Trained models.", no_args_is_help=True)
