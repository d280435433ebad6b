"""The page "alerts"."""

from auto_trading_dashboard.components import page

page.head("alerts")
