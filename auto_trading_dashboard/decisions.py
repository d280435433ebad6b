"""The page "decisions"."""

from auto_trading_dashboard.components import page

page.head("decisions")
