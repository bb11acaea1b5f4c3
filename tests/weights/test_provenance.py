import torch

from visionllm.weights.provenance import Origin, Rows, origins

SHAPES = {"packed": (4, 2), "first": (1, 3), "rest": (2, 3), "whole": (5,), "number": ()}


def rename(state):
    low, high = state["packed"].chunk(2)
    return {
        "low": low,
        "high": high,
        "joined": torch.cat([state["first"], state["rest"]]),
        "swapped": torch.cat([high, low]),
        "same": state["whole"],
        "number": state["number"],
    }


def test_rows_of_tensors_are_found_where_they_come_from():
    found = origins(rename, SHAPES)
    assert found["high"] == Origin(rows=(Rows(name="packed", first=2, last=4),))
    assert found["joined"].names == ("first", "rest")
    assert found["swapped"].names == ("packed", "packed")
    assert found["same"].names == ("whole",)


def test_what_is_made_of_rows_is_what_renaming_would_make():
    state = {name: torch.randn(shape) for name, shape in SHAPES.items()}
    expected = rename(state)
    for name, origin in origins(rename, SHAPES).items():
        made = origin.of(state.__getitem__)
        assert torch.equal(made, expected[name])
        assert tuple(made.shape) == origin.shape(SHAPES)
