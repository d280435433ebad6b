"""What pages show, read from the database into frozen views; one module for each page."""
