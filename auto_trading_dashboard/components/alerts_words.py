"""Alerts in words: what happened, and what to do about it. Pure: the reader is an argument."""

from crypto_trader_pro.explain.alerts import sentence
from utils.texts import Language, catalogue

__all__ = ["advice", "sentence"]


def advice(code: str, kind: str, language: Language) -> str:
    """Return what to do about an alert, "" for a kind of another version.

    Args:
        kind: a NotificationType, for an alert whose code has no advice of its own.
    """
    known = catalogue(language)
    return known.get(f"alert_advice.{code}") or known.get(f"alert_advice.{kind}", "")
