"""Clocks, logging, texts: what engine and console share."""
