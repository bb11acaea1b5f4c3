"""The embedded model's recipe holds together and keeps to its sizes."""

import torch

from visionllm.data.world.tasks import ALL_FAMILIES, FAMILIES, corpus_lines
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.processing import VisionLLMProcessor, train_tokenizer
from visionllm.recipes import tiny
from visionllm.recipes.tiny_stages import EASY, KNOWN, LANGUAGE, REGION, ROUTED, SECOND, STAGES, TALK


def test_the_model_has_at_most_sixteen_million_parameters():
    processor = VisionLLMProcessor(tiny.processor_config(), train_tokenizer(corpus_lines(0, 400), tiny.VOCABULARY))
    with torch.device("meta"):
        model = VisionLLMForConditionalGeneration(tiny.model_config(processor))
    assert sum(p.numel() for p in model.parameters()) <= 16_000_000


def test_every_stage_takes_over_from_stages_before_it():
    done: set[str] = set()
    for stage in STAGES:
        assert {source.split(":")[0] for source in stage.start.values()} <= done
        done.add(stage.name)
    names = [stage.name for stage in STAGES]
    first = ["tower", "expert", "projector", "chat", "joined", "together", "language", "decoders"]
    experts = ["wide-tower", "letter-tower", "wide-expert", "vae", "pose-expert", "draw-expert", "edit-expert"]
    joined = ["wide-language", "more-language", "last-language", "wide-decoders"]
    assert names == [*first, *experts, "draw-shapes", "draw-more", "edit-shapes", *joined]


def test_every_family_is_trained_and_known():
    assert {*EASY, *TALK, *REGION, *ROUTED, *KNOWN} == set(FAMILIES)
    assert {*LANGUAGE, *SECOND} == set(ALL_FAMILIES)


def test_stages_draw_different_pictures():
    alone = [stage for stage in STAGES if not stage.themes and stage.objective in ("tower", "expert", "tasks")]
    again = ("more-language", "last-language")  # there are ten seeds; they see some pictures again
    first = [stage.seed for stage in alone if stage.name not in again]
    assert len(set(first)) == len(first)
