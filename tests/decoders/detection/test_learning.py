import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from visionllm.config.detection import DetectionConfig
from visionllm.decoders.detection import DetectionDecoder
from visionllm.types.requests import Options
from visionllm.types.results import Detections
from visionllm.types.tensors import DetectionTargets, ImageBatch, Queries

COLOURS = torch.tensor([[1.5, -1.0, -1.0], [-1.0, 1.5, -1.0], [-1.0, -1.0, 1.5]])
SIDE = 64

CONFIG = DetectionConfig(
    backbone={
        "model_type": "resnet",
        "embedding_size": 16,
        "hidden_sizes": [24, 32, 48],
        "depths": [1, 1, 1],
        "layer_type": "basic",
        "out_features": ["stage1", "stage2", "stage3"],
    },
    width=64,
    levels=2,
    encoder_layers=1,
    decoder_layers=2,
    heads=4,
    text_heads=2,
    encoder_ffn=128,
    decoder_ffn=128,
    text_ffn=64,
    fusion_width=64,
    mask_width=32,
    object_queries=20,
    query_content="memory",
    contrast="scaled",
    dropout=0.0,
    fusion_drop_path=0.0,
    layer_scale=0.1,
    mask_points=256,
    denoise_queries=12,
    one_to_many=3,
    token_loss_weight=1.0,
)


def rectangles(count: int) -> tuple[Queries, ImageBatch, list[DetectionTargets]]:
    """Pictures of one to four coloured rectangles side by side; a query group asks for each colour."""
    rng = np.random.default_rng(3)
    pixels = 0.1 * torch.from_numpy(rng.standard_normal((count, 3, SIDE, SIDE))).float()
    targets = []
    for picture in pixels:
        boxes, colours, masks = [], [], []
        for quarter in rng.permutation(4)[: rng.integers(1, 5)]:
            row, column = np.array([quarter // 2, quarter % 2]) * 32 + rng.integers(1, 10, 2)
            height, width = rng.integers(10, 22, 2)
            colour = int(rng.integers(3))
            picture[:, row : row + height, column : column + width] = COLOURS[colour, :, None, None]
            mask = torch.zeros(SIDE, SIDE, dtype=torch.bool)
            mask[row : row + height, column : column + width] = True
            boxes.append([column + width / 2, row + height / 2, width, height])
            colours.append(colour)
            masks.append(mask)
        targets.append(
            DetectionTargets(
                boxes=torch.tensor(boxes, dtype=torch.float32) / SIDE,
                class_ids=torch.tensor(colours),
                masks=torch.stack(masks),
            )
        )
    size = torch.full((count, 2), SIDE)
    images = ImageBatch(
        pixel_values=pixels, pixel_mask=torch.ones(count, SIDE, SIDE, dtype=torch.bool), sizes_hw=size, resized_hw=size
    )
    states = torch.randn(1, 3, 4, 32, generator=torch.Generator().manual_seed(1)).expand(count, -1, -1, -1)
    index = torch.arange(count)
    queries = Queries(
        states=states,
        mask=torch.ones(count, 3, dtype=torch.bool),
        images=index,
        rows=index,
        turns=torch.ones_like(index),
        positions=torch.zeros(count, 3, dtype=torch.long),
        routes=(("[DET]",) * 3,) * count,
    )
    return queries, images, targets


def average_precision(results: list[Detections], targets: list[DetectionTargets], folder: Path) -> float:
    truths, found = [], []
    for image, (result, target) in enumerate(zip(results, targets, strict=True), start=1):
        for (cx, cy, w, h), kind in zip((target.boxes * SIDE).tolist(), target.class_ids.tolist(), strict=True):
            box = [cx - w / 2, cy - h / 2, w, h]
            truths.append(
                {
                    "id": len(truths) + 1,
                    "image_id": image,
                    "category_id": kind + 1,
                    "bbox": box,
                    "area": w * h,
                    "iscrowd": 0,
                }
            )
        for (x0, y0, x1, y1), score, kind in zip(result.boxes, result.scores, result.class_ids, strict=True):
            box = [float(x0), float(y0), float(x1 - x0), float(y1 - y0)]
            found.append({"image_id": image, "category_id": int(kind) + 1, "bbox": box, "score": float(score)})
    dataset = {
        "info": {},
        "images": [{"id": i + 1} for i in range(len(results))],
        "categories": [{"id": i + 1, "name": str(i)} for i in range(3)],
        "annotations": truths,
    }
    path = folder / "truth.json"
    path.write_text(json.dumps(dataset))
    coco = COCO(str(path))
    judged = coco.loadRes(found)  # pyright: ignore[reportArgumentType]
    judge = COCOeval(coco, judged, "bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    return float(judge.stats[0])


@pytest.mark.slow
@pytest.mark.usefixtures("one_core")
def test_eight_pictures_are_learnt_by_heart(tmp_path):
    torch.manual_seed(0)
    queries, images, targets = rectangles(8)
    decoder = DetectionDecoder(CONFIG, 32).train()
    steps = 250
    optimiser = torch.optim.AdamW(decoder.parameters(), lr=1e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps, pct_start=0.1)
    generator = torch.Generator().manual_seed(0)

    for _ in range(steps):
        optimiser.zero_grad()
        loss = torch.stack(list(decoder.loss(queries, images, targets, generator).values())).sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    results = decoder.eval().decode(queries, images, Options(max_instances=20))
    assert average_precision(results, targets, tmp_path) >= 0.95
    best = decoder.decode(queries, images, Options(max_instances=20, threshold=0.5))
    for result, target in zip(best, targets, strict=True):
        assert result.masks is not None
        assert target.masks is not None
        drawn, true = result.masks.any(0), target.masks.any(0).numpy()
        assert (drawn & true).sum() / (drawn | true).sum() >= 0.85
