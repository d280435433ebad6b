"""Places, ports and secrets from the environment and from `.env`."""

from pathlib import Path

import pytest

from config import Environment, SettingsError
from config.catalogue import variables
from config.environment import OWN_NAMES, SHIPPED, project_root, read_dotenv


def lines(environ: dict[str, str], dotenv: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Environment.read(environ, dotenv=dotenv or {})
    return caught.value.lines


def test_nothing_set_gives_the_defaults(tmp_path: Path) -> None:
    environment = Environment.read({}, root=tmp_path)
    assert environment == Environment(
        var_dir=tmp_path / "var",
        config_dir=SHIPPED,
        database_url=f"sqlite:///{tmp_path}/var/crypto_trader_pro.db",
        console_port=8501,
        http_port=8502,
        binance_api_key=None,
        binance_api_secret=None,
        smtp_password=None,
        discord_webhook_url=None,
        telegram_bot_token=None,
    )
    assert Environment.read({}).var_dir == project_root() / "var"


def test_the_database_lies_in_the_chosen_folder(tmp_path: Path) -> None:
    environment = Environment.read({"CTP_VAR_DIR": str(tmp_path)})
    assert environment.database_url == f"sqlite:///{tmp_path}/crypto_trader_pro.db"


def test_a_relative_folder_is_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Environment.read({"CTP_VAR_DIR": "a/../b"}).var_dir == tmp_path / "b"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Environment.read({"CTP_VAR_DIR": "~/c"}).var_dir == tmp_path / "c"


def test_an_installed_package_takes_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.environment.SHIPPED", tmp_path / "site-packages" / "config")
    monkeypatch.chdir(tmp_path)
    assert project_root() == tmp_path


def test_the_own_name_goes_before_the_alias_within_a_layer() -> None:
    ours, theirs = "sqlite:///ours.db", "postgresql+psycopg://h/theirs"
    both = {"CTP_DATABASE_URL": ours, "DATABASE_URL": theirs}
    assert Environment.read(both).database_url == ours
    assert Environment.read({"DATABASE_URL": theirs}).database_url == theirs
    layers = Environment.read({"DATABASE_URL": theirs}, dotenv={"CTP_DATABASE_URL": ours})
    assert layers.database_url == theirs


def test_an_empty_variable_is_not_set() -> None:
    empty = dict.fromkeys((*OWN_NAMES, "DATABASE_URL", "BINANCE_API_KEY"), " ")
    assert Environment.read(empty) == Environment.read({})
    assert Environment.read({"CTP_HTTP_PORT": ""}, dotenv={"CTP_HTTP_PORT": "9"}).http_port == 9


@pytest.mark.parametrize("port", ["0", "65536", "abc", "-1", "8e3", "85.01", "٣", "9" * 5000])
def test_a_port_is_a_whole_number_in_range(port: str) -> None:
    (line,) = lines({"CTP_CONSOLE_PORT": port})
    assert line.startswith("environment: CTP_CONSOLE_PORT was ")
    assert line.endswith(", allowed: a whole number from 1 to 65535")
    assert len(line) < 200


def test_ports_may_be_at_the_edges_and_must_differ() -> None:
    environment = Environment.read({"CTP_CONSOLE_PORT": "1", "CTP_HTTP_PORT": "65535"})
    assert (environment.console_port, environment.http_port) == (1, 65535)
    assert lines({"CTP_CONSOLE_PORT": "8502"}) == [
        (
            "environment: CTP_HTTP_PORT was 8502, "
            "allowed: another port than CTP_CONSOLE_PORT, which is 8502"
        )
    ]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://u:hunter2@h/x", "mysql:..."),
        ("hunter2", "no address"),
        ("postgresql://[::1/hunter2", "no address"),
    ],
)
def test_a_bad_database_address_is_refused_without_its_password(url: str, told: str) -> None:
    assert lines({"DATABASE_URL": url}) == [
        (
            f"environment: DATABASE_URL was {told}, "
            "allowed: sqlite:// or postgresql:// or postgresql+psycopg://"
        )
    ]


def test_a_folder_that_is_a_file_or_of_nobody_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert lines({"CTP_VAR_DIR": f"{tmp_path}/file"}) == [
        f'environment: CTP_VAR_DIR was "{tmp_path}/file", allowed: a folder'
    ]
    assert lines({}, dotenv={"CTP_VAR_DIR": "~nobody-here/x"}) == [
        '.env: CTP_VAR_DIR was "~nobody-here/x", allowed: a folder'
    ]


def test_every_fault_is_told() -> None:
    assert len(lines({"CTP_CONSOLE_PORT": "x", "CTP_HTTP_PORT": "y", "DATABASE_URL": "z"})) == 3


def test_secrets_are_read_and_never_shown() -> None:
    environ = {
        "BINANCE_API_KEY": "key-1 ",
        "BINANCE_API_SECRET": "secret-2",
        "CTP_SMTP_PASSWORD": "secret-3",
        "CTP_DISCORD_WEBHOOK_URL": "https://discord.example/secret-4",
        "CTP_TELEGRAM_BOT_TOKEN": "secret-5",
        "CTP_DATABASE_URL": "postgresql://me:secret-6@host:5432/db",
    }
    environment = Environment.read(environ)
    assert environment.binance_api_key is not None
    assert environment.binance_api_key.get_secret_value() == "key-1"
    assert environment.telegram_bot_token is not None
    assert environment.telegram_bot_token.get_secret_value() == "secret-5"
    shown = repr(environment) + str(environment) + environment.database_label
    assert "secret-" not in shown
    assert "key-1" not in shown
    assert environment.database_label == "postgresql://host:5432/db"


def test_the_label_of_the_default_database_is_its_path(tmp_path: Path) -> None:
    environment = Environment.read({}, root=tmp_path)
    assert environment.database_label == environment.database_url


def test_dotenv_is_read_as_it_stands(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    assert read_dotenv(file) == {}
    file.write_text("# comment\n\nexport A='x y' # why\nB=${A}\nC=\n")
    assert read_dotenv(file) == {"A": "x y", "B": "${A}", "C": ""}


def test_a_bad_dotenv_names_the_lines(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\n\n\nNONSENSE\nA=2\nB='open\n")
    with pytest.raises(SettingsError) as caught:
        read_dotenv(file)
    assert caught.value.lines == [
        ".env line 4: is no setting, allowed: NAME=VALUE",
        '.env line 5: A is there twice, was "2", allowed: each name once',
        ".env line 6: is no setting, allowed: NAME=VALUE",
    ]
    file.write_bytes(b"A=\xff\n")
    with pytest.raises(SettingsError, match="line 1 has the byte 0xff, which is not UTF-8"):
        read_dotenv(file)


def test_current_reads_the_process_and_the_projects_dotenv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.environment.project_root", lambda: tmp_path)
    monkeypatch.setenv("CTP_HTTP_PORT", "9001")
    (tmp_path / ".env").write_text("CTP_HTTP_PORT=9002\nCTP_CONSOLE_PORT=9003\n")
    environment = Environment.current()
    assert (environment.http_port, environment.console_port) == (9001, 9003)


def test_the_example_names_only_what_is_known() -> None:
    example = (project_root() / ".env.example").read_text(encoding="utf-8")
    settings = [line[1:] for line in example.splitlines() if line.startswith("#") and "=" in line]
    names = {line.split("=")[0] for line in settings if line[:1].isupper() and " " not in line}
    aliases = {"BINANCE_API_KEY", "BINANCE_API_SECRET", "ENVIRONMENT"}
    assert names >= aliases | set(OWN_NAMES)
    assert names - aliases - set(OWN_NAMES) <= variables().keys()
