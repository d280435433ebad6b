"""Rules, limits and sizing: whole-number arithmetic and the classes that name it."""
