"""The core: deciding, checking risk, sizing and simulating. No I/O below `cli`."""
