"""`visionllm pose`: objects with their keypoints."""

from pathlib import Path
from typing import Annotated

import typer

from visionllm.cli.options import AsJson, Device, Model, Out, Overlap, Protocol, Threshold, answer_options, load
from visionllm.cli.output import check_out, poses_to_json, print_json, print_notices, print_poses, save_picture


def pose(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A picture file.")],
    classes: Annotated[
        list[str] | None, typer.Argument(metavar="CLASS", help="Names of objects, such as person.", show_default=False)
    ] = None,
    keypoint: Annotated[
        list[str] | None,
        typer.Option("--keypoint", "-k", help='A keypoint, such as "left elbow"; can be given several times.'),
    ] = None,
    out: Out = None,
    as_json: AsJson = False,
    threshold: Threshold = None,
    nms_iou: Overlap = None,
    protocol: Protocol = "known",
    model: Model = None,
    device: Device = None,
) -> None:
    """Find objects with their keypoints: any objects, any keypoints, in any order.

    visionllm pose people.png person --out skeletons.png

    visionllm pose people.png person -k nose -k "left wrist" -k "right wrist" --json

    Without -k, a class has the keypoints of its own skeleton (a person has COCO's 17).

    The embedded model knows drawn people, dogs, horses and birds, and places their joints roughly (docs/scores.md).
    """
    from visionllm.predictor import check_names, keypoints_of
    from visionllm.processing import open_picture

    check_out(out)
    names = check_names(classes or [])
    points = check_names(keypoint or keypoints_of(names), "keypoint")
    options = answer_options(threshold, protocol=protocol, nms_iou=nms_iou)
    picture = open_picture(image)
    found = load(model, device).pose(picture, names, points, options=options)
    if out is not None:
        save_picture(found.render(picture), out)
    if as_json:
        plain = {"image": str(image), "classes": names, "keypoints": points} | poses_to_json(found)
        print_json(plain | {"notices": list(found.notices), "out": None if out is None else str(out)})
        return
    if len(found):
        print_poses([found])
    else:
        print("nothing found")
    print_notices(found.notices, out)
