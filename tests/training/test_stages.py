"""A stage says what trains, and how fast."""

import pytest
from torch import nn

from tests.training.toy import stage


def module():
    return nn.ModuleDict({"tower": nn.Linear(2, 2), "head": nn.Linear(2, 1)})


def test_the_first_pattern_that_fits_gives_the_rate_and_zero_freezes():
    parts = module()
    groups = stage(rates={"tower.*": 0.0, "head.weight": 0.5, "*": 0.1}, decay=0.2).groups(parts)
    assert [(g["lr"], g["weight_decay"], len(g["params"])) for g in groups] == [(0.5, 0.2, 1), (0.1, 0.0, 1)]
    assert [p.requires_grad for p in parts["tower"].parameters()] == [False, False]


def test_what_no_pattern_names_is_frozen():
    parts = module()
    stage(rates={"head.*": 0.1}).groups(parts)
    assert not parts["tower"].weight.requires_grad


def test_a_pattern_without_parameters_is_refused():
    with pytest.raises(ValueError, match=r"no parameter is named like nose\.\*"):
        stage(rates={"nose.*": 0.1, "*": 0.1}).groups(module())


def test_a_stage_that_trains_nothing_is_refused():
    with pytest.raises(ValueError, match="stage line: nothing trains"):
        stage(rates={"*": 0.0}).groups(module())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0),
        ("pictures", 0),
        ("rates", {}),
        ("mixture", {"count": -1}),
        ("questions", 0),
        ("units", -1),
        ("link_weight", -0.1),
        ("words_weight", -0.1),
        ("precision", "fp16"),
        ("warmup", 1.0),
        ("ema", 1.0),
        ("clip", 0.0),
    ],
)
def test_values_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=f"stage line: {name} is out of range"):
        stage(**{name: value})
