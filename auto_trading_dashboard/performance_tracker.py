"""The page "performance"."""

from auto_trading_dashboard.components import page

page.head("performance")
