"""The pose decoder learns figures with coloured joints by heart."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from visionllm.config.pose import PoseConfig
from visionllm.decoders.pose import PoseDecoder
from visionllm.types.poses import Poses
from visionllm.types.requests import Options
from visionllm.types.tensors import ImageBatch, PoseTargets, Queries

COLOURS = torch.tensor([[1.5, -1.0, -1.0], [-1.0, 1.5, -1.0], [-1.0, -1.0, 1.5]])
SIDE, SIGMA = 64, 0.089

CONFIG = PoseConfig(
    backbone={
        "model_type": "resnet",
        "embedding_size": 16,
        "hidden_sizes": [24, 32, 48],
        "depths": [1, 1, 1],
        "layer_type": "basic",
        "out_features": ["stage1", "stage2", "stage3"],
    },
    width=64,
    levels=3,
    encoder_layers=1,
    decoder_layers=3,
    box_layers=1,
    heads=4,
    text_heads=2,
    encoder_ffn=128,
    decoder_ffn=128,
    text_ffn=64,
    fusion_width=64,
    object_queries=12,
    query_content="memory",
    contrast="scaled",
    poses=4,
    keypoints=8,
    keypoint_scores="learned",
    fusion_drop_path=0.0,
    layer_scale=0.1,
    denoise_queries=12,
    one_to_many=3,
)


def figures(count: int) -> tuple[Queries, ImageBatch, list[PoseTargets]]:
    """Pictures of one or two grey figures with a joint of each colour, some of them hidden.

    One query group asks for figures, and one for the joint of each colour.
    """
    rng = np.random.default_rng(3)
    pixels = 0.1 * torch.from_numpy(rng.standard_normal((count, 3, SIDE, SIDE))).float()
    targets = []
    for picture in pixels:
        boxes, joints, shown = [], [], []
        for half in rng.permutation(2)[: rng.integers(1, 3)]:
            top, left = int(rng.integers(2, 26)), int(half) * 32 + int(rng.integers(1, 5))
            height, width = int(rng.integers(28, 36)), int(rng.integers(22, 27))
            picture[:, top : top + height, left : left + width] = 0.6
            places = rng.permutation(4)[:3]
            seen = rng.random(3) < 0.8
            own = []
            for colour, place, there in zip(COLOURS, places, seen, strict=True):
                y = top + height * (0.25 + 0.5 * (place // 2)) + rng.uniform(-3, 3)
                x = left + width * (0.25 + 0.5 * (place % 2)) + rng.uniform(-2, 2)
                own.append([x / SIDE, y / SIDE])
                if there:
                    rows, columns = int(y), int(x)
                    picture[:, rows - 2 : rows + 3, columns - 2 : columns + 3] = colour[:, None, None]
            boxes.append([(left + width / 2) / SIDE, (top + height / 2) / SIDE, width / SIDE, height / SIDE])
            joints.append(own)
            shown.append(seen)
        truth = torch.tensor(boxes)
        targets.append(
            PoseTargets(
                boxes=truth,
                class_ids=torch.zeros(len(boxes), dtype=torch.long),
                keypoints=torch.tensor(joints, dtype=torch.float32),
                visible=torch.from_numpy(np.stack(shown)),
                areas=truth[:, 2] * truth[:, 3],
                sigmas=torch.full((3,), SIGMA),
            )
        )
    size = torch.full((count, 2), SIDE)
    images = ImageBatch(
        pixel_values=pixels,
        pixel_mask=torch.ones(count, SIDE, SIDE, dtype=torch.bool),
        sizes_hw=size,
        resized_hw=size,
    )
    states = torch.randn(4, 4, 32, generator=torch.Generator().manual_seed(1))
    index = torch.arange(count)
    queries = Queries(
        states=states.expand(count, -1, -1, -1),
        mask=torch.ones(count, 4, dtype=torch.bool),
        images=index,
        rows=index,
        turns=index,
        positions=torch.zeros(count, 4, dtype=torch.long),
        routes=(("[DET]", "[POSE]", "[POSE]", "[POSE]"),) * count,
    )
    return queries, images, targets


def average_precision(results: list[Poses], targets: list[PoseTargets], folder: Path) -> float:
    truths, found = [], []
    for image, (result, target) in enumerate(zip(results, targets, strict=True), start=1):
        for (cx, cy, w, h), points, seen in zip(
            (target.boxes * SIDE).tolist(), target.keypoints * SIDE, target.visible, strict=True
        ):
            flat = torch.cat([points, 2.0 * seen[:, None]], 1).flatten().tolist()
            truths.append(
                {
                    "id": len(truths) + 1,
                    "image_id": image,
                    "category_id": 1,
                    "bbox": [cx - w / 2, cy - h / 2, w, h],
                    "area": w * h,
                    "iscrowd": 0,
                    "keypoints": flat,
                    "num_keypoints": int(seen.sum()),
                }
            )
        for points, score in zip(result.keypoints, result.scores, strict=True):
            flat = np.concatenate([points, np.ones((3, 1), dtype=np.float32)], 1).flatten().tolist()
            found.append({"image_id": image, "category_id": 1, "keypoints": flat, "score": float(score)})
    dataset = {
        "info": {},
        "images": [{"id": i + 1} for i in range(len(results))],
        "categories": [{"id": 1, "name": "figure"}],
        "annotations": truths,
    }
    path = folder / "truth.json"
    path.write_text(json.dumps(dataset))
    coco = COCO(str(path))
    judge = COCOeval(coco, coco.loadRes(found), "keypoints")  # pyright: ignore[reportArgumentType]
    judge.params.kpt_oks_sigmas = np.full(3, SIGMA)
    judge.params.areaRng = [[0, 1e10]]
    judge.params.areaRngLbl = ["all"]
    judge.evaluate()
    judge.accumulate()
    precision = judge.eval["precision"]
    return float(precision[precision > -1].mean())


@pytest.mark.slow
@pytest.mark.usefixtures("one_core")
def test_eight_pictures_are_learnt_by_heart(tmp_path):
    torch.manual_seed(0)
    queries, images, targets = figures(8)
    decoder = PoseDecoder(CONFIG, 32).train()
    steps = 250
    optimiser = torch.optim.AdamW(decoder.parameters(), lr=1e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps, pct_start=0.1)
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
        assert len(result) == len(target.boxes)
        order = np.argsort(result.boxes[:, 0])
        truth = target.visible[target.boxes[:, 0].argsort()].numpy()
        assert ((result.keypoint_scores[order] > 0.5) == truth).mean() >= 0.9
