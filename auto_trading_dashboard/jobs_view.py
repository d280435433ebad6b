"""The page "jobs"."""

from auto_trading_dashboard.components import page

page.head("jobs")
