from typing import Any

import pytest

from tests.small import picture
from visionllm.engine import Creation, Perception
from visionllm.types import Box


def test_jobs_that_lack_what_they_are_about_are_refused():
    wrong: Any = "dance"
    with pytest.raises(ValueError, match=r"expected a task among detect, .*find, got 'dance'"):
        Perception(task=wrong, image=picture())
    with pytest.raises(ValueError, match="expected one phrase to look for, got 2"):
        Perception(task="refer", image=picture(), names=("a", "b"))
    with pytest.raises(ValueError, match="expected a picture for 1 regions, got none"):
        Creation(words="blue", regions=(Box(0, 0, 1, 1),))
