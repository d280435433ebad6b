"""Places and ports of this process. Apart from `context`, because that loads the settings."""

from config.environment import Environment
from crypto_trader_pro.domain.errors import ConfigError


def environment() -> Environment:
    """Return the places and ports of this process, var folder created."""
    found = Environment.current()
    try:
        found.var_dir.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        line = f"CTP_VAR_DIR was {found.var_dir}, cannot be created: {e.strerror}"
        raise ConfigError(line) from e
    return found
