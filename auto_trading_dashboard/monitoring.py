"""Monitoring: the market, positions, orders and data of the run in work, as they are now."""

from auto_trading_dashboard.components import (
    monitoring_chart,
    monitoring_gates,
    monitoring_metrics,
    monitoring_orders,
    monitoring_positions,
    monitoring_work,
    page,
)

page.head("monitoring")
work = monitoring_work.current().value
if work is None:
    monitoring_work.wait()
else:
    monitoring_metrics.draw(work.number)
    if work.symbols:
        series, count = monitoring_chart.choose(work)
        monitoring_chart.draw(work.number, series, count)
    monitoring_positions.draw()
    monitoring_orders.working()
    monitoring_orders.traded()
    monitoring_gates.draw()
