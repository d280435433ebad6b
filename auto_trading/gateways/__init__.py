"""Venues and market feeds, real or simulated."""
