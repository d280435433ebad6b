"""Alembic's environment: runs the migrations in the transaction that `running` has opened."""

from alembic import context
from sqlmodel import SQLModel

from database import models
from database.migrations.running import CONNECTION

__all__ = ["models"]  # imported for its tables

context.configure(
    connection=context.config.attributes[CONNECTION],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,  # SQLite changes a table by building it anew
)
with context.begin_transaction():
    context.run_migrations()
