from __future__ import annotations

from pathlib import Path

import pytest

from model.base.load import load_base
from model.cllmfs.config import CllmfsConfig, ConfigError
from model.errors import AdapterError
from model.method import AdapterFiles
from model.methods import METHODS, UnknownMethodError, open_method, start_adapter
from remembering_method import RememberingMethod


def test_a_method_is_opened_by_name_with_the_settings_that_differ(tiny_base: Path) -> None:
    base = load_base(tiny_base, str(tiny_base))
    method = open_method("cllmfs", base, {"rank": 4, "epochs": 3})
    assert (method.name, method.base_digest) == ("cllmfs", base.digest)
    wanted = {**CllmfsConfig().to_json(), "rank": 4, "epochs": 3}
    assert method.config_json() == wanted
    with pytest.raises(ConfigError):
        open_method("cllmfs", base, {"no_such_setting": 1})


def test_an_unknown_method_names_the_known_ones(tiny_base: Path) -> None:
    with pytest.raises(UnknownMethodError, match=r"'llm'.*cllmfs"):
        open_method("llm", load_base(tiny_base, str(tiny_base)))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_says_which_adapter_ships(name: str) -> None:
    assert METHODS[name].shipped("0" * 64) is None


def test_a_fit_starts_from_a_folder_or_from_nothing(
    tiny_base: Path, tiny_adapter: AdapterFiles, tmp_path: Path
) -> None:
    method = open_method("cllmfs", load_base(tiny_base, str(tiny_base)), {"rank": 4, "alpha": 8})
    for name, content in tiny_adapter.items():
        (tmp_path / name).write_bytes(content)
    assert start_adapter(method, str(tmp_path)) == dict(tiny_adapter)
    fresh = start_adapter(method, "none")
    assert fresh == start_adapter(method, "none")
    method.load("fresh", fresh)
    with pytest.raises(AdapterError, match="No adapter ships"):
        start_adapter(method)
    (tmp_path / "nerloop.json").unlink()
    with pytest.raises(AdapterError, match=r"lacks nerloop.json"):
        start_adapter(method, str(tmp_path))
    with pytest.raises(AdapterError, match="cannot start without"):
        start_adapter(RememberingMethod(), "none")
