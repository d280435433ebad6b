"""A model as files: the same after a round trip, refused when anything was changed."""

import json
import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from crypto_trader_pro.ai import model_store
from crypto_trader_pro.ai.model_store import LONG, NUMBERS, SHORT, from_files, to_files
from crypto_trader_pro.domain.errors import InputError
from tests.unit.test_ai_model import columns
from tests.unit.test_ai_samples import planted, trained

Files = dict[str, bytes]


def test_a_round_trip_gives_the_same_model_and_predictions() -> None:
    files = to_files(trained())
    back = from_files(files)
    assert back.id == trained().id
    assert to_files(back) == files
    assert back.facts == trained().facts
    s = planted()
    mine, theirs = (m.predict(s.values[:2_000], s.stop_bp[:2_000]) for m in (trained(), back))
    assert columns(mine.long) == columns(theirs.long)
    assert columns(mine.short) == columns(theirs.short)
    assert mine.novel.tolist() == theirs.novel.tolist()


def test_the_files_are_text_and_name_the_model() -> None:
    files = to_files(trained())
    assert set(files) == {"model_long.txt", "model_short.txt", "model.json"}
    document = json.loads(files[NUMBERS])
    assert document["id"] == trained().id
    assert document["ranges"]["low"][30] is None  # NaN is no JSON
    assert files[LONG].startswith(b"tree\n")
    assert math.isnan(from_files(files).ranges.low[30])


def edited_number(files: Files) -> None:
    document = json.loads(files[NUMBERS])
    document["long"]["mean_win"] = 3.0
    files[NUMBERS] = json.dumps(document).encode()


def edited_tree(files: Files) -> None:
    files[SHORT] = files[SHORT].replace(b"leaf_value=", b"leaf_value=1", 1)


def swapped(files: Files) -> None:
    files[LONG], files[SHORT] = files[SHORT], files[LONG]


def truncated_tree(files: Files) -> None:
    files[LONG] = files[LONG][:-100]


def truncated_numbers(files: Files) -> None:
    files[NUMBERS] = files[NUMBERS][:200]


def no_object(files: Files) -> None:
    files[NUMBERS] = b"[]"


def other_bytes(files: Files) -> None:
    files[SHORT] = b"\xff\xfe"


def missing(files: Files) -> None:
    del files[SHORT]


def no_id(files: Files) -> None:
    document = json.loads(files[NUMBERS])
    del document["id"]
    files[NUMBERS] = json.dumps(document).encode()


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (edited_number, "it was truncated or edited"),
        (edited_tree, "it was truncated or edited"),
        (swapped, "it was truncated or edited"),
        (truncated_tree, "it was truncated or edited"),
        (no_id, "the file says None: it was truncated or edited"),
        (truncated_numbers, "model: model.json is not readable as JSON"),
        (no_object, "model: model.json holds a list, allowed: an object"),
        (other_bytes, "model: model_short.txt is not readable as text"),
        (missing, "model: no file model_short.txt, needed: model_long.txt, model_short.txt"),
    ],
)
def test_spoiled_files_are_refused_in_one_line(spoil: Callable[[Files], None], line: str) -> None:
    files = to_files(trained())
    spoil(files)
    with pytest.raises(InputError) as refused:
        from_files(files)
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_model_of_another_feature_definition_is_refused() -> None:
    old = replace(trained(), facts=replace(trained().facts, schema_hash="0" * 64))
    with pytest.raises(InputError, match="feature schema was 000000000000, this program has"):
        from_files(to_files(old))


def test_nothing_is_pickled() -> None:
    assert "pickle" not in vars(model_store)
    for content in to_files(trained()).values():
        content.decode()
