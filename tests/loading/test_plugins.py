import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from smista_mcp.core.plugin import Plugin
from smista_mcp.loading.files import Foreign
from smista_mcp.loading.plugins import load_plugin

LOUD = """\
import time

def select(asked):
    print("HELLO", asked["n"])
    time.sleep(0.001)
    if asked["n"] % 3 == 0:
        raise StopIteration
    return [str(asked["n"])]
"""


@pytest.fixture
def loud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plugin]:
    (tmp_path / "loud_plugin.py").write_text(LOUD, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield load_plugin("loud_plugin:select", Foreign((), None))
    sys.modules.pop("loud_plugin", None)


def test_calls_from_many_threads_leave_standard_output_as_it_was(
    loud: Plugin, capsys: pytest.CaptureFixture[str]
) -> None:
    select, before = loud.select, sys.stdout
    assert select is not None

    def asked(number: int) -> object:
        try:
            return select({"n": number})
        except StopIteration:
            return None

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(asked, range(60)))
    assert answers == [None if n % 3 == 0 else [str(n)] for n in range(60)]
    assert sys.stdout is before
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("HELLO") == 60
