"""The one catalogue of visible sentences, Korean and English."""
