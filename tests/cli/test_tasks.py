"""`visionllm tasks`."""

import json

from visionllm.data.world.tasks import ALL_FAMILIES


def test_every_task_is_shown_with_an_example(visionllm):
    shown = visionllm("tasks").out
    assert all(name in shown for name in ALL_FAMILIES)
    assert "How many stars are there?" in shown


def test_one_group_can_be_shown(visionllm):
    shown = visionllm("tasks", "refer").out
    assert "refer-ordinal" in shown and "caption" not in shown


def test_tasks_are_json_too(visionllm):
    tasks = json.loads(visionllm("tasks", "--json").out)["tasks"]
    assert {task["name"] for task in tasks} == set(ALL_FAMILIES)
    assert all(task["example"] for task in tasks)
