"""The page "models"."""

from auto_trading_dashboard.components import page

page.head("models")
