"""What commands, the JSON API and the chat show of the database: frozen, ready to be JSON."""
