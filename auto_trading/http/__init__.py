"""The HTTP server beside the engine: signals in, health, metrics, a JSON API that only reads.

It acts on nothing by itself: a signal becomes a row in `commands`, everything else is a query.
"""
