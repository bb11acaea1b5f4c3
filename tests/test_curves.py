"""The curves of a run are read, kept and drawn."""

import importlib.util
import json
import sys

import pytest
from PIL import Image
from torch.utils.tensorboard import SummaryWriter


@pytest.fixture
def curves(repository, tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("curves", repository / "docs" / "curves.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "KEPT", tmp_path / "curves.json")
    monkeypatch.setattr(module, "PICTURE", tmp_path / "curves.png")
    return module


@pytest.fixture
def run(tmp_path):
    with SummaryWriter(str(tmp_path / "run" / "tower" / "logs")) as logs:
        for step in range(1, 301):
            logs.add_scalar("loss/kind", 2.0, step)
            logs.add_scalar("loss/box", 1.0 if step <= 150 else 3.0, step)
        logs.add_scalar("score/kind@8", 0.5, 100)
        logs.add_scalar("score/kind@8", 0.75, 200)
        logs.add_scalar("score/psnr", 29.0, 200)
    return tmp_path / "run"


def test_losses_are_summed_and_thinned_and_scores_kept(curves, run):
    series = curves.read_stage(run / "tower" / "logs")
    assert series["kind@8"] == [[100, 0.5], [200, 0.75]]
    assert series["loss"][0] == [3, 3.0]
    assert series["loss"][-1] == [300, 5.0]
    assert len(series["loss"]) <= curves.MOST_POINTS


def test_a_run_is_kept_beside_what_was_known_and_drawn(curves, run, monkeypatch):
    curves.KEPT.write_text(json.dumps({"vae": {"loss": [[1, 1.0], [2, 0.5]], "psnr": [[2, 20.0]]}}))
    monkeypatch.setattr(sys, "argv", ["curves.py", str(run)])
    curves.main()
    assert list(json.loads(curves.KEPT.read_text())) == ["vae", "tower"]
    with Image.open(curves.PICTURE) as picture:
        assert picture.width > 1000
