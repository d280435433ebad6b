"""Signals in: who may send signals from outside, what came, what the engine made of it."""

from auto_trading_dashboard.components import (
    page,
    signals_journal,
    signals_key,
    signals_new,
    signals_reach,
    signals_strategies,
)

page.head("signals_in")
signals_reach.banner()
signals_key.show()
signals_strategies.show()
signals_new.form()
signals_journal.show()
