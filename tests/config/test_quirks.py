from dataclasses import fields

import pytest

from visionllm.config.quirks import Quirks


def test_the_right_way_is_the_default():
    assert not any(getattr(Quirks(), f.name) for f in fields(Quirks))


def test_published_means_every_fault():
    assert all(getattr(Quirks.published(), f.name) for f in fields(Quirks))


@pytest.mark.parametrize("name", [f.name for f in fields(Quirks)])
def test_every_fault_says_what_it_is(name):
    assert f"        {name}: " in (Quirks.__doc__ or "")
