"""Alerts: what a person should know, what to do about it, and that it was seen."""

from auto_trading_dashboard.components import alerts_list, page

page.head("alerts")
alerts_list.show(alerts_list.bar())
