"""Settings: three JSON files and the environment, read and validated once.

settings = config.load()
environment = config.Environment.current()
"""

from config.environment import Environment
from config.faults import Fault, FaultCode, SettingsError
from config.fields import as_rate, bp_as_rate, multiple_as_rate
from config.loading import load, load_file, validate
from config.settings import FILES, Settings, file_of, schema

__all__ = [
    "FILES",
    "Environment",
    "Fault",
    "FaultCode",
    "Settings",
    "SettingsError",
    "as_rate",
    "bp_as_rate",
    "file_of",
    "load",
    "load_file",
    "multiple_as_rate",
    "schema",
    "validate",
]
