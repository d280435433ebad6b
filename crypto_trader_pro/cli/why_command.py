"""`why`."""


def why() -> None:
    """x"""
