"""A local stand-in for the public interfaces of Binance, Bybit and OKX: REST and streams.

`server.VenueServer` serves all three at once from one `market.ScriptedMarket`, below the path of
each venue's own host (`/api.binance.com/api/v3/klines`), the way `VenueClients(base_url)` asks.
`faults.Faults` says what goes wrong. One dialect per venue (`binance`, `bybit`, `okx`) writes the
messages; private endpoints belong beside the public ones there.
"""
