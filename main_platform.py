"""The console's entry: page config and navigation. Run it with `python -m crypto_trader_pro up`."""

import streamlit as st

from auto_trading_dashboard.services import environment, text

st.set_page_config(page_title="Crypto Trader Pro", layout="wide", initial_sidebar_state="auto")
environment()
# no icon: of the page in view it would become the tab's, fetched from a foreign host
panel = st.Page("auto_trading_dashboard/control_panel.py", title=text("page.title"), default=True)
st.navigation([panel]).run()
