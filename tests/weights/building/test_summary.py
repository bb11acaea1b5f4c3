"""What a summary counts and says."""

from pathlib import Path

from visionllm.weights.building import Count, PartSummary, Summary


def test_a_summary_is_plain_data_and_counts_what_the_model_holds():
    part = PartSummary(
        part="vision",
        folder=Path("clip"),
        taken=Count.of("as it was", [3, 4]),
        grown=Count.of("with rows", []),
        new=[Count.of("pooler", [5])],
        dropped=[Count.of("the text tower", [100])],
    )
    whole = Summary(
        folder=Path("model"), parts=[part], tokens={"[DET]": 9}, vocabulary=10, slots={"det": 4}, size_bytes=48
    )
    assert whole.parameters == 12
    assert whole.to_dict() == {
        "folder": "model",
        "parameters": 12,
        "bytes": 48,
        "vocabulary": 10,
        "tokens": {"[DET]": 9},
        "slots": {"det": 4},
        "parts": [
            {
                "part": "vision",
                "folder": "clip",
                "taken": {"tensors": 2, "parameters": 7},
                "grown": {"tensors": 0, "parameters": 0},
                "new": [{"what": "pooler", "tensors": 1, "parameters": 5}],
                "dropped": [{"what": "the text tower", "tensors": 1, "parameters": 100}],
            }
        ],
        "notes": [],
    }
