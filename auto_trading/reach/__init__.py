"""The process beside the engine that talks to the outside: messages, chat, webhooks, metrics.

It never trades and holds no exchange key. It reads the database and stores wishes; the engine
decides about each of them again. Whatever goes wrong here cannot delay or stop trading.
"""
