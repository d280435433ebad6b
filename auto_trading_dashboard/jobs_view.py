"""Jobs: what the engine does beside trading, how it went, and a button to do it now."""

from auto_trading_dashboard.components import jobs_cards, page

page.head("jobs")
jobs_cards.cards()
