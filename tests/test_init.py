"""The front door: every public name opens, and opening the door alone costs nothing."""

import subprocess
import sys

import pytest

import visionllm


def test_importing_the_package_imports_no_torch():
    code = "import sys, visionllm; print(sorted({'torch', 'transformers', 'numpy', 'PIL'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_the_nouns_import_no_torch():
    code = "import sys, visionllm; visionllm.Request; visionllm.Answer; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", visionllm.__all__)
def test_a_public_name_opens(name: str):
    assert getattr(visionllm, name) is not None
    assert name in dir(visionllm)


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="module 'visionllm' has no attribute 'Detektor'"):
        visionllm.Detektor  # noqa: B018
