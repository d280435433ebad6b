"""Two operators and one engine: the second change never overwrites the first unseen."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.environment import SHIPPED
from config.settings import FILES
from config.versions import fingerprint
from crypto_trader_pro.domain.enums import CommandKind
from tests.engine_process import Site, a_site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "config"
    folder.mkdir()
    for name in FILES:
        shutil.copy(SHIPPED / name, folder / name)
    with a_site(tmp_path, {"CTP_CONFIG_DIR": str(folder)}) as made:
        yield made


def test_of_two_changes_made_from_the_same_files_the_second_is_refused(site: Site) -> None:
    folder = site.folder / "config"
    process = site.up()
    base = fingerprint(folder)
    first = {"changes": {"limits.max_leverage": "0.5"}, "base": base}
    second = {"changes": {"limits.max_leverage": "0.75"}, "base": base}
    assert site.ask(CommandKind.APPLY_CONFIG, first).code == "answer.configured"
    written = fingerprint(folder)
    refused = site.ask(CommandKind.APPLY_CONFIG, second)
    assert (refused.status, refused.data) == ("refused", {"code": "refused.config_changed"})
    back = {"config_id": 1, "base": base}
    assert site.ask(CommandKind.ROLLBACK_CONFIG, back).code == "refused.config_changed"
    assert fingerprint(folder) == written
    again = {**second, "base": written}
    assert site.ask(CommandKind.APPLY_CONFIG, again).code == "answer.configured"
    site.end(process)
