"""The page "settings"."""

from auto_trading_dashboard.components import page

page.head("settings")
