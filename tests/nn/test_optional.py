import importlib
import sys
from types import ModuleType

import pytest

from visionllm.nn.optional import nothing_fetched, optional


def test_a_library_that_is_there_is_returned():
    assert optional("json.decoder", "reading", "convert") is sys.modules["json.decoder"]


def test_a_library_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    monkeypatch.delitem(sys.modules, "bitsandbytes.nn", raising=False)  # another test may have imported it
    with pytest.raises(ImportError, match=r"shrinking needs bitsandbytes: pip install 'visionllm-v2\[sizes\]'"):
        optional("bitsandbytes.nn", "shrinking", "sizes")


@pytest.mark.parametrize("there", [True, False])
def test_what_fetches_code_is_hidden_and_comes_back(monkeypatch: pytest.MonkeyPatch, there: bool):
    fetcher = ModuleType("kernels")
    monkeypatch.delitem(sys.modules, "kernels", raising=False)
    if there:
        monkeypatch.setitem(sys.modules, "kernels", fetcher)
    with nothing_fetched(), pytest.raises(ImportError):
        importlib.import_module("kernels")
    assert sys.modules.get("kernels") is (fetcher if there else None)
    assert ("kernels" in sys.modules) is there
