"""The console's entry: page config and frame. Run it with `python -m crypto_trader_pro up`."""

import streamlit as st

from auto_trading_dashboard import browser_messages, frame

browser_messages.install()
st.set_page_config(page_title="Crypto Trader Pro", layout="wide", initial_sidebar_state="auto")
frame.show()
