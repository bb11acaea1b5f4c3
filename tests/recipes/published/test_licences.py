"""NOTICE says of every part what the data says."""

from pathlib import Path

from visionllm.recipes.published.licences import EMBEDDED, PUBLISHED
from visionllm.recipes.published.models import published_config
from visionllm.weights.sizes import parts_of, skeleton


def test_every_part_of_the_published_model_has_terms():
    assert set(PUBLISHED) == {part.name for part in parts_of(skeleton(published_config("7b")))}


def test_the_notice_names_the_terms_of_every_part_and_no_others(repository: Path):
    lines = (repository / "NOTICE").read_text(encoding="utf-8").splitlines()
    said = [line.strip() for line in lines if line.startswith("  ")]
    assert said == [f"{name}: {terms.origin} – {terms.licence}" for name, terms in PUBLISHED.items()]


def test_the_pose_decoders_line_of_work_is_not_for_sale(repository: Path):
    assert [name for name, terms in PUBLISHED.items() if not terms.commercial] == ["decoders.pose"]
    assert "X-Pose" in PUBLISHED["decoders.pose"].origin
    assert "non-commercial" in PUBLISHED["decoders.pose"].licence
    assert "non-commercial" in (repository / "NOTICE").read_text(encoding="utf-8")


def test_the_embedded_model_is_under_the_licence_of_the_project(repository: Path):
    assert EMBEDDED.licence == "Apache License 2.0"
    assert 'license = "Apache-2.0"' in (repository / "pyproject.toml").read_text(encoding="utf-8")
