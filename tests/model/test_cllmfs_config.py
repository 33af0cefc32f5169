from __future__ import annotations

from typing import Any

import pytest

from model.cllmfs.config import CllmfsConfig, ConfigError, contrast_block


@pytest.mark.parametrize(
    "setting",
    [
        {"rank": 17},
        {"row_format": "sideways"},
        {"contrast": "triplet"},
        {"absent_share": 1.5},
        {"loss_on": "prompt"},
        {"decoding": "beam"},
        {"sampling": -0.1},
        {"top_k": -1},
        {"span_limit": 0},
        {"trained_share": 0.0},
        {"batch_tokens": 0},
        {"absence_threshold": 1.01},
    ],
)
def test_a_setting_outside_its_range_is_refused(setting: dict[str, Any]) -> None:
    (name,) = setting
    with pytest.raises(ConfigError, match=name):
        CllmfsConfig.from_json(setting)


def test_json_gives_the_same_value_back() -> None:
    config = CllmfsConfig(
        modules=("q_proj", "v_proj"), row_format="instruction_first", absence_threshold=0.25
    )
    assert CllmfsConfig.from_json(config.to_json()) == config


def test_json_without_the_newer_settings_gives_their_defaults() -> None:
    older = {"rank": 8, "rate": 1e-3, "modules": ["q_proj"]}
    config = CllmfsConfig.from_json(older)
    assert (config.rank, config.modules, config.packed) == (8, ("q_proj",), True)
    assert config == CllmfsConfig(rank=8, rate=1e-3, modules=("q_proj",))


def test_a_threshold_that_free_decoding_would_ignore_is_refused() -> None:
    with pytest.raises(ConfigError, match="absence_threshold has no effect"):
        CllmfsConfig(decoding="free", absence_threshold=0.5)


def test_a_setting_of_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="colour"):
        CllmfsConfig.from_json({"colour": 1})


@pytest.mark.parametrize(
    ("blocks", "block"), [(32, 26), (30, 24), (28, 23), (24, 20), (16, 13), (12, 10), (1, 1)]
)
def test_the_layer_rule(blocks: int, block: int) -> None:
    """Layer 26 of 32 is 0.8125 of the depth; halves are rounded up."""
    assert contrast_block(blocks, 0.8125) == block
