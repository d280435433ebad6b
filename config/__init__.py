"""Settings: three JSON files and the environment, read and validated once."""
