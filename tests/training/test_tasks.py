"""Questions teach the language model, and the detector through it."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import visionllm
from tests.training.full import full_module, full_processor
from visionllm.processing import VisionLLMProcessor
from visionllm.recipes.tiny_stages import LANGUAGE
from visionllm.training.link import LinkedModel
from visionllm.training.tasks import TaskObjective, of_one_length

MIXTURE = {"count": 1, "known-classes": 2, "segment-several": 1, "refer-attribute": 1, "chat": 1}


@pytest.fixture(scope="module")
def joined(run):
    linked = {"decoders": ("detection",), "units": 2, "link_weight": 1.0}
    stage = replace(run.recipe.stage("chat"), name="joined", mixture=MIXTURE, start={}, **linked)
    return run.module(stage), run.objective(stage)


def test_batches_depend_on_their_step_alone(joined):
    _, objective = joined
    for part, same in zip(objective.batch(4), objective.batch(4), strict=True):
        assert torch.equal(part.batch.inputs.input_ids, same.batch.inputs.input_ids)
        assert torch.equal(part.links[0]["codes"], same.links[0]["codes"])
        assert len(part.links[0]["codes"]) == len(part.batch.units)


def test_rows_of_one_length_stand_together(run):
    objective = run.objective(replace(run.recipe.stage("chat"), pictures=6))
    rows = objective.questions.rows(0)
    lengths = dict(zip(map(id, rows), (500, 90, 100, 1200, 101, 640), strict=False))
    parts = of_one_length(rows[:6], lambda row: lengths[id(row)])
    assert [[lengths[id(row)] for row in part] for part in parts] == [[90, 100, 101], [500, 640], [1200]]
    batch = objective.batch(0)
    lengths = [part.batch.inputs.attention_mask.sum(1) for part in batch]
    means = [length.float().mean() for length in lengths]
    assert means == sorted(means)
    assert sum(part.share for part in batch) == pytest.approx(1)
    assert [len(length) / len(rows) for length in lengths] == pytest.approx([part.share for part in batch])
    assert all(part.batch.inputs.input_ids.shape[1] % 32 == 0 for part in batch)


def test_the_language_stage_is_told_what_tokens_show_and_where_to_look(run):
    stage = run.recipe.stage("language")
    module = run.module(stage)
    losses = run.objective(stage).losses(module, run.objective(stage).batch(0))
    told = {"words", "looks", "meant", "answer_looks", "answer_meant"}
    assert {"text", "link"} | told == set(losses)
    torch.stack([losses[name] for name in told]).sum().backward()
    for part in (module.model.projector, module.model.language_model):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())


def test_all_losses_reach_slots_language_model_and_detector(joined):
    module, objective = joined
    losses = objective.losses(module.train(), objective.batch(4))
    assert {"text", "link", "class", "mask"} <= set(losses)
    torch.stack(list(losses.values())).sum().backward()
    for part in (module.model.super_link, module.model.language_model, module.model.decoders["detection"].decoder):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())


def test_a_chat_stage_learns_text_alone(run):
    stage = run.recipe.stage("chat")
    losses = run.objective(stage).losses(run.module(stage), run.objective(stage).batch(0))
    assert set(losses) == {"text"}


def test_scores_are_shares_by_family(joined):
    module, objective = joined
    scores = objective.scores(module.eval(), steps=1)
    assert set(scores) <= set(MIXTURE) - {"known-classes"}
    assert all(0 <= value <= 1 for value in scores.values())


def test_an_unknown_family_is_refused(run):
    with pytest.raises(ValueError, match=r"expected task families among .* got nose"):
        TaskObjective(run.processor(), {"nose": 1.0}, pictures=1, questions=1)


def test_another_module_is_refused(joined):
    _, objective = joined
    with pytest.raises(TypeError, match="expected a LinkedModel, got Linear"):
        objective.losses(nn.Linear(1, 1), objective.batch(0))
    with pytest.raises(TypeError, match="expected a LinkedModel, got Linear"):
        objective.scores(nn.Linear(1, 1))


def test_a_linked_model_names_its_parts(joined):
    assert isinstance(joined[0], LinkedModel)
    assert joined[0].expert("detection") is not None


def digest(*tensors):
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(str(tuple(tensor.shape)).encode())
        found.update(np.ascontiguousarray(tensor.numpy()).tobytes())
    return found.hexdigest()[:12]


class Halves(TaskObjective):
    """Divides rows as they were divided then: into the shorter and the longer half, by letters."""

    def batch(self, index):
        def letters(row):
            _, samples = row
            said = sum(len(m.text) for s in samples for m in (*s.request.messages, s.answer))
            return 300 * len(samples[0].request.pictures) + said

        rows = sorted(self.questions.rows(index), key=letters)
        return [self._tensors(half, 0.5) for half in (rows[: len(rows) // 2], rows[len(rows) // 2 :])]


def test_mixtures_of_version_one_learn_what_they_learned_before_there_was_another():
    """Places of words are those of version 2's tokenizer; with the earlier one, the earlier digests hold."""
    processor = VisionLLMProcessor.from_pretrained(Path(visionllm.__file__).parent / "assets" / "tiny")
    options = {"pictures": 4, "questions": 6, "units": 2, "link_weight": 1.0, "words_weight": 0.5, "photos": False}
    objective = Halves(processor, LANGUAGE, seed=8, **options)
    parts = objective.batch(3)
    looks = {
        name: [
            t
            for part in parts
            for look in [getattr(part, name)]
            for t in (look.places, look.weights, *(look.meant[n] for n in ("kind", "colour", "fill", "size")))
        ]
        for name in ("phrases", "answers")
    }
    shown = [part.shown[n] for part in parts for n in ("kind", "colour", "fill", "size", "thing")]
    found = [part.links[0] for part in parts]
    aims = [tensor for aim in found for tensor in (aim["codes"][..., 1:].contiguous(), aim["places"], aim["aimed"])]
    assert digest(*(part.batch.inputs.input_ids for part in parts)) == "87816aef1df9"
    assert digest(*aims) == "f00fe34f1486"
    assert digest(*shown) == "e18c2a1d3209"
    assert digest(*looks["phrases"]) == "40e9eddfa744"
    assert digest(*looks["answers"]) == "c6779e10ef0f"
    assert digest(*(t for _, ids, places in objective.words.tables for t in (ids, places))) == "2f67d88a127b"


BOTH = {
    "count": 1.0, "detect-one": 1.0, "pose-some": 1.0, "find-sign": 1.0, "read-all": 1.0, "segment-salient": 1.0,
    "example-count": 1.0, "draw-one": 2.0, "edit-recolour": 2.0, "scan-detect": 1.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def full():
    processor = full_processor()
    options = {"pictures": 12, "questions": 2, "units": 2, "link_weight": 1.0, "words_weight": 0.5, "photos": False}
    return full_module(processor), TaskObjective(processor, BOTH, seed=1, **options)


def test_one_step_asks_about_both_versions_and_teaches_every_decoder(full):
    module, objective = full
    parts = objective.batch(0)
    assert {unit.decoder for part in parts for unit in part.batch.units} == set(module.model.decoders)
    for part in parts:
        splits = part.batch.inputs.splits
        assert splits is None or all(len(shown) == len(splits) for shown in part.shown.values())
    losses = objective.losses(module.train(), parts)
    told = {"text", "words", "looks", "meant", "answer_looks", "answer_meant", "link"}
    assert told | {"mask", "pose/box", "generation/noise", "editing/noise"} <= set(losses)
    assert all(torch.isfinite(loss) for loss in losses.values())


def test_nothing_is_said_of_pictures_that_are_examples(full):
    _, objective = full
    alone = TaskObjective(objective.processor, {"example-count": 1.0}, pictures=2, questions=1, words_weight=1.0)
    for part in alone.batch(0):
        assert part.batch.inputs.splits is not None
        known = (part.shown["kind"] != -100).any(1).tolist()
        assert len(known) == len(part.batch.inputs.splits) > sum(known)
        assert known[-1]
        assert len(part.phrases.places) == len(part.answers.places) == 0


def test_scores_tell_families_of_both_versions_apart(full):
    module, objective = full
    scores = objective.scores(module.eval(), steps=1)
    assert {"count", "draw-one"} & set(scores) <= set(scores) <= set(BOTH)
    assert any(name.startswith(("edit", "draw", "pose", "scan")) for name in scores)
    assert all(0 <= value <= 1 for value in scores.values())
