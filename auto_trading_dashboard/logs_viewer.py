"""The page "logs"."""

from auto_trading_dashboard.components import page

page.head("logs")
