"""Benchmarks over the predictor, and the picture world's among them."""

from visionllm.evaluation.base import Ask, Benchmark, Detect, Predictor, Question, Refer, Scores, SegmentRegions
from visionllm.evaluation.comparison import Comparison
from visionllm.evaluation.evaluate import (
    chosen_benchmarks,
    evaluate_quick,
    evaluate_setting,
    evaluate_world,
    world_benchmarks,
)
from visionllm.evaluation.intervals import Score
from visionllm.evaluation.report import Report, relative_table, relative_to_test, score_table, write_json
from visionllm.evaluation.runner import find_benchmarks, run_benchmarks
from visionllm.evaluation.world import Mode, WorldSetting

__all__ = [
    "Ask",
    "Benchmark",
    "Comparison",
    "Detect",
    "Mode",
    "Predictor",
    "Question",
    "Refer",
    "Report",
    "Score",
    "Scores",
    "SegmentRegions",
    "WorldSetting",
    "chosen_benchmarks",
    "evaluate_quick",
    "evaluate_setting",
    "evaluate_world",
    "find_benchmarks",
    "relative_table",
    "relative_to_test",
    "run_benchmarks",
    "score_table",
    "world_benchmarks",
    "write_json",
]
