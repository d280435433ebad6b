"""Alerts: what a person should know, what to do about it, that it was seen; and its delivery."""

from auto_trading_dashboard.components import alerts_list, outbox_delivery, page

page.head("alerts")
alerts_list.show(alerts_list.bar())
outbox_delivery.show()
