"""The page "walk"."""

from auto_trading_dashboard.components import page

page.head("walk")
