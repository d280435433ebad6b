"""What comes from the environment: places, ports and secrets, read in one function."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self
from urllib.parse import quote, urlsplit

from dotenv.parser import parse_stream
from pydantic import SecretStr

from config.documents import UnreadableError, read_text
from config.faults import Fault, FaultCode, SettingsError, shown

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
SHIPPED: Final = Path(__file__).resolve().parent
DATABASE_FILE: Final = "crypto_trader_pro.db"

VAR_DIR: Final = "CTP_VAR_DIR"
CONFIG_DIR: Final = "CTP_CONFIG_DIR"
DATABASE_URL: Final = "CTP_DATABASE_URL"
CONSOLE_PORT: Final = "CTP_CONSOLE_PORT"
HTTP_PORT: Final = "CTP_HTTP_PORT"
TELEGRAM_API_URL: Final = "CTP_TELEGRAM_API_URL"
TELEGRAM_API: Final = "https://api.telegram.org"
EXCHANGE_KEYS: Final = ("BINANCE_API_KEY", "BINANCE_API_SECRET")
SECRETS: Final = (
    "CTP_SMTP_PASSWORD", "CTP_DISCORD_WEBHOOK_URL", "CTP_TELEGRAM_BOT_TOKEN",
    "CTP_SLACK_WEBHOOK_URL", "CTP_WEBHOOK_OUT_URL", "CTP_WEBHOOK_OUT_SECRET",
    "CTP_WEBHOOK_HMAC_SECRET",
)  # fmt: skip

OWN_NAMES: Final = (
    VAR_DIR, CONFIG_DIR, DATABASE_URL, CONSOLE_PORT, HTTP_PORT, TELEGRAM_API_URL, *SECRETS,
)  # fmt: skip
TEST_PREFIX: Final = "CTP_TEST_"  # the tests' own; no setting
_ALIASES: Final = {DATABASE_URL: "DATABASE_URL"}
# as SQLAlchemy reads it: a password may hold "/", "?" and "#", which end it for urllib
_AUTHORITY: Final = re.compile(r"([\w+]+)://(?:[^:/]*(?::([^@]*))?@)?")
_SCHEMES: Final = ("sqlite", "postgresql", "postgresql+psycopg")


@dataclass(frozen=True, slots=True)
class Environment:
    """Places, ports and secrets of this deployment. An empty variable counts as not set.

    Paths are absolute, so that processes with another working folder agree on them.
    """

    var_dir: Path
    config_dir: Path
    database_url: str = field(repr=False)  # may hold a password; show `database_label`
    console_port: int
    http_port: int
    binance_api_key: SecretStr | None
    binance_api_secret: SecretStr | None
    smtp_password: SecretStr | None
    discord_webhook_url: SecretStr | None
    telegram_bot_token: SecretStr | None
    slack_webhook_url: SecretStr | None = None
    webhook_out_url: SecretStr | None = None
    webhook_out_secret: SecretStr | None = None
    webhook_hmac_secret: SecretStr | None = None  # signs signals from outside, per strategy
    telegram_api_url: str = TELEGRAM_API

    @classmethod
    def read(
        cls,
        environ: Mapping[str, str],
        *,
        dotenv: Mapping[str, str] = NOTHING,
        root: Path | None = None,
    ) -> Self:
        """Read the known names; `environ` goes before `dotenv`.

        Args:
            root: folder of `var/`; by default the repository's, else the working folder.

        Raises:
            SettingsError: one line per unusable value.
        """
        faults: list[Fault] = []
        reader = _Reader(environ, dotenv, faults)
        var_dir = reader.folder(VAR_DIR, (root or project_root()) / "var")
        own = cls(
            var_dir=var_dir,
            config_dir=reader.folder(CONFIG_DIR, SHIPPED),
            database_url=reader.database(
                f"sqlite:///{quote((var_dir / DATABASE_FILE).as_posix())}"
            ),
            console_port=reader.port(CONSOLE_PORT, 8501),
            http_port=reader.port(HTTP_PORT, 8502),
            binance_api_key=reader.secret("BINANCE_API_KEY"),
            binance_api_secret=reader.secret("BINANCE_API_SECRET"),
            smtp_password=reader.secret("CTP_SMTP_PASSWORD"),
            discord_webhook_url=reader.secret("CTP_DISCORD_WEBHOOK_URL"),
            telegram_bot_token=reader.secret("CTP_TELEGRAM_BOT_TOKEN"),
            slack_webhook_url=reader.secret("CTP_SLACK_WEBHOOK_URL"),
            webhook_out_url=reader.secret("CTP_WEBHOOK_OUT_URL"),
            webhook_out_secret=reader.secret("CTP_WEBHOOK_OUT_SECRET"),
            webhook_hmac_secret=reader.secret("CTP_WEBHOOK_HMAC_SECRET"),
            telegram_api_url=reader.address(TELEGRAM_API_URL, TELEGRAM_API),
        )
        if own.console_port == own.http_port:
            allowed = f"another port than {CONSOLE_PORT}, which is {own.console_port}"
            value = str(own.http_port)
            faults.append(Fault("environment", HTTP_PORT, FaultCode.CONTRADICTION, value, allowed))
        if faults:
            raise SettingsError(faults)
        return own

    @classmethod
    def current(cls) -> Self:
        """Read this process's environment and the `.env` file of the project.

        Raises:
            SettingsError: as `read`, and for a `.env` that cannot be read.
        """
        return cls.read(os.environ, dotenv=read_dotenv(project_root() / ".env"))

    @property
    def database_label(self) -> str:
        """The database's address without user and password, to be shown."""
        return _AUTHORITY.sub(r"\1://", self.database_url, count=1).partition("?")[0]

    @property
    def database_password(self) -> str:
        """The password in the database's address as it is written there, "" without one."""
        found = _AUTHORITY.match(self.database_url)
        return (found and found[2]) or ""


def config_folder(environ: Mapping[str, str], dotenv: Mapping[str, str] = NOTHING) -> Path:
    """Return `$CTP_CONFIG_DIR`, else the folder the configuration ships in."""
    return _Reader(environ, dotenv, []).folder(CONFIG_DIR, SHIPPED)


def project_root() -> Path:
    """Return the repository's folder, or the working folder where the package is installed."""
    root = SHIPPED.parent
    return root if (root / "pyproject.toml").is_file() else Path.cwd()


def read_dotenv(path: Path) -> dict[str, str]:
    """Return the names and values of a `.env` file, nothing where there is none.

    Values are taken as they stand: `${NAME}` is not replaced.

    Raises:
        SettingsError: unreadable, a line that is no NAME=VALUE, or a name twice.
    """
    if not path.exists():
        return {}
    try:
        text = read_text(path)
    except UnreadableError as error:
        raise SettingsError([error.fault]) from error
    values: dict[str, str] = {}
    faults = []
    for binding in parse_stream(StringIO(text)):
        written = binding.original.string
        blank = len(written) - len(written.lstrip("\r\n"))  # the parser counts from the last line
        where = f"{path.name} line {binding.original.line + written[:blank].count(chr(10))}"
        if binding.error or (binding.key is not None and binding.value is None):
            faults.append(Fault(where, "", FaultCode.UNREADABLE, "is no setting", "NAME=VALUE"))
        elif binding.key in values:
            value = shown(binding.value, binding.key)
            faults.append(Fault(where, binding.key, FaultCode.TWICE, value, "each name once"))
        elif binding.key is not None and binding.value is not None:
            values[binding.key] = binding.value
    if faults:
        raise SettingsError(faults)
    return values


class _Reader:
    """Looks names up in the layers, the environment first, and notes what is unusable."""

    def __init__(
        self, environ: Mapping[str, str], dotenv: Mapping[str, str], faults: list[Fault]
    ) -> None:
        self._layers = (("environment", environ), (".env", dotenv))
        self._faults = faults

    def folder(self, name: str, default: Path) -> Path:
        source, used, value = self._find(name)
        try:
            path = Path(value).expanduser() if value else default
        except RuntimeError:  # ~somebody who does not exist
            path = default
            self._refuse(source, used, value, "a folder")
        if path.exists() and not path.is_dir():
            self._refuse(source, used, value, "a folder")
        return Path(os.path.abspath(path))  # noqa: PTH100  resolve() would follow links

    def database(self, default: str) -> str:
        source, used, value = self._find(DATABASE_URL)
        try:
            scheme = urlsplit(value).scheme
        except ValueError:  # a bracket that is no address
            scheme = ""
        if value and scheme not in _SCHEMES:
            start = f"{scheme}:..." if scheme else "no address"  # the rest may hold a password
            self._faults.append(
                Fault(
                    source, used, FaultCode.VALUE, start, " or ".join(f"{s}://" for s in _SCHEMES)
                )
            )
        return value or default

    def port(self, name: str, default: int) -> int:
        source, used, value = self._find(name)
        if not value:
            return default
        if not (
            value.isascii() and value.isdecimal() and len(value) < 6 and 0 < int(value) < 65_536
        ):
            self._refuse(source, used, value, "a whole number from 1 to 65535")
            return default
        return int(value)

    def address(self, name: str, default: str) -> str:
        """Return the address of an HTTP server, without a slash at its end."""
        source, used, value = self._find(name)
        if value and not value.startswith(("http://", "https://")):
            self._refuse(source, used, value, "an address that begins with http:// or https://")
            return default
        return (value or default).rstrip("/")

    def secret(self, name: str) -> SecretStr | None:
        value = self._find(name)[2]
        return SecretStr(value) if value else None

    def _find(self, name: str) -> tuple[str, str, str]:
        for source, values in self._layers:
            for known in (name, _ALIASES.get(name, name)):
                if value := values.get(known, "").strip():
                    return source, known, value
        return "", name, ""

    def _refuse(self, source: str, name: str, value: str, allowed: str) -> None:
        self._faults.append(Fault(source, name, FaultCode.VALUE, shown(value, name), allowed))
