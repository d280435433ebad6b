"""The schema's history. One migration serves SQLite and PostgreSQL."""

from typing import Final

REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006")
"""All revisions, oldest first. Kept here so that an ordinary start need not load Alembic."""
