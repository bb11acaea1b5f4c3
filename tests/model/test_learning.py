"""The whole model learns: what it writes, what it routes, and where that is."""

import pytest
import torch

from tests.tiny import BOS, DET, DET_SLOTS, EOS, PATCH, PATCHES, tiny_images, tiny_inputs, tiny_model
from visionllm.generation import extend, generate
from visionllm.ops.boxes import boxes_to_pixels, iou
from visionllm.types import Detections, Options
from visionllm.types.tensors import DetectionTargets

ROWS = 4
PROMPTS = [[BOS, *[PATCH] * PATCHES, 20 + i] for i in range(ROWS)]
ANSWERS = [[30 + i, DET, *DET_SLOTS, 40 + i, EOS] for i in range(ROWS)]
BOXES = torch.tensor([[0.3, 0.3, 0.4, 0.4], [0.7, 0.3, 0.3, 0.5], [0.3, 0.7, 0.5, 0.3], [0.6, 0.6, 0.6, 0.6]])


@pytest.mark.slow
@pytest.mark.usefixtures("one_core")
def test_it_learns_four_answers_with_their_boxes():
    model = tiny_model().train()
    rows = [prompt + reply for prompt, reply in zip(PROMPTS, ANSWERS, strict=True)]
    images = tiny_images(ROWS)
    labels = [[-100] * len(prompt) + reply for prompt, reply in zip(PROMPTS, ANSWERS, strict=True)]
    inputs = tiny_inputs(rows, labels=labels, images=images)
    targets = {
        (i, 1, len(PROMPTS[i]) + 1): DetectionTargets(boxes=BOXES[i : i + 1], class_ids=torch.tensor([0]))
        for i in range(ROWS)
    }
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    first = last = 0.0
    for step in range(250):
        losses = model.compute_losses(inputs, {"detection": targets})
        loss = torch.stack(list(losses.values())).sum()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        last = float(loss.detach())
        first = first if step else last
    assert last < first / 5

    model.eval()
    asked = tiny_inputs(PROMPTS, left=True, images=images)
    written = generate(model, asked, Options(max_new_tokens=8))
    assert [w.ids for w in written] == [tuple(reply[:-1]) for reply in ANSWERS]
    with torch.no_grad():
        queries = model.queries(extend(asked, written))
    found = model.decode(queries, images, Options(threshold=0.0, max_instances=1))["detection"]
    truth = boxes_to_pixels(BOXES[:, None], images.sizes_hw)
    for box, result in zip(truth, found, strict=True):
        assert isinstance(result, Detections)
        assert iou(torch.from_numpy(result.boxes), box).item() > 0.6
