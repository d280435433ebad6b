"""The Telegram bot: what people may see and ask of the engine by chat.

Whoever is not on both lists gets no answer. Everything that comes is stored before anything is done
about it, and nothing is done twice. A stop waits for nothing else.
"""
