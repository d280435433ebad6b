"""The page "monitoring"."""

from auto_trading_dashboard.components import page

page.head("monitoring")
