import pytest
import torch

from tests.parity.golden import sets
from tests.weights.test_published import bases, released, small
from visionllm.weights.plan import our_shapes, plan_from_published, plan_to_published, window_index
from visionllm.weights.published import config_from_published


@pytest.fixture(scope="module")
def seven():
    return config_from_published(released()["config"]), {n: tuple(s) for n, s in released()["shapes"].items()}


def test_each_of_the_names_of_the_release_is_taken_tied_or_dropped_for_a_reason_once(seven):
    config, shapes = seven
    plan = plan_from_published(shapes, config)
    taken = [rows.name for origin in plan.taken.values() for rows in origin.rows]
    assert len(shapes) == 4742
    assert (len(set(taken)), len(plan.tied), len(plan.dropped)) == (4460, 258, 24)
    assert sorted([*set(taken), *plan.tied, *plan.dropped]) == sorted(shapes)
    assert set(plan.tied.values()) <= set(taken)
    assert {name: origin.shape(shapes) for name, origin in plan.taken.items()} == our_shapes(config)
    assert set(plan.dropped.values()) == {"follows from the size of the window"}


def test_all_names_and_shapes_of_the_release_come_back(seven):
    config, shapes = seven
    ours = our_shapes(config)
    plan = plan_to_published(ours, config)
    back = {name: origin.shape(ours) for name, origin in plan.taken.items()}
    assert back | {name: tuple(tensor.shape) for name, tensor in plan.made.items()} == shapes
    assert {tensor.dtype for tensor in plan.made.values()} == {torch.int64}


def test_there_and_back_is_the_identity_tensor_by_tensor():
    raw, weights = small()
    config = config_from_published(raw, bases=bases())
    kept = {n: t for n, t in weights.items() if not n.startswith(("sd.", "ip2p."))}
    plan = plan_from_published({n: t.shape for n, t in kept.items()}, config)
    ours = {name: origin.of(kept.__getitem__) for name, origin in plan.taken.items()}
    back = plan_to_published({n: t.shape for n, t in ours.items()}, config)
    published = {name: origin.of(ours.__getitem__) for name, origin in back.taken.items()} | dict(back.made)
    assert published.keys() >= kept.keys()
    assert all(torch.equal(published[name], tensor) for name, tensor in kept.items())
    assert all(torch.equal(kept[copy], kept[first]) for copy, first in plan.tied.items())


def test_the_numbers_of_relative_positions_are_those_of_the_published_model():
    seen = 0
    for name in ("gdino", "unipose"):
        for golden in sets(name):
            for key, tensor in golden.weights.items():
                if key.endswith("relative_position_index"):
                    table = golden.weights[key.replace("_index", "_bias_table")]
                    assert torch.equal(window_index(len(table)), tensor)
                    seen += 1
    assert window_index(9).tolist() == [[4, 3, 1, 0], [5, 4, 2, 1], [7, 6, 4, 3], [8, 7, 5, 4]]
    assert seen > 0


@pytest.mark.parametrize("distances", [8, 16])
def test_tables_of_no_window_are_refused(distances):
    with pytest.raises(ValueError, match=f"of a square window, got {distances}"):
        window_index(distances)


def test_what_does_not_fit_is_named(seven):
    config, shapes = seven
    name = "llm.model.embed_tokens.weight"
    with pytest.raises(ValueError, match=rf"expected {name} of shape \[32026, 4096\], got \[32000, 4096\]"):
        plan_from_published(shapes | {name: (32000, 4096)}, config)
    with pytest.raises(ValueError, match=rf"expected {name} in the published checkpoint, got none \(1 such\)"):
        plan_from_published({n: s for n, s in shapes.items() if n != name}, config)
    with pytest.raises(ValueError, match=r"expected only tensors of the published model, got llm\.extra"):
        plan_from_published(shapes | {"llm.extra": (1,)}, config)
    with pytest.raises(ValueError, match=r"expected only tensors of the published model, got odd\.position_ids"):
        plan_from_published(shapes | {"odd.position_ids": (1, 77)}, config)
    ours = our_shapes(config)
    first = next(iter(ours))
    with pytest.raises(ValueError, match=f"expected {first} in the model, got none"):
        plan_to_published({n: s for n, s in ours.items() if n != first}, config)
    with pytest.raises(ValueError, match="expected only tensors that the configuration asks for, got odd"):
        plan_to_published(ours | {"odd": (1,)}, config)


def test_buffers_of_older_releases_of_the_libraries_are_dropped(seven):
    config, shapes = seven
    older = {
        "vis_encoder.vision_model.embeddings.position_ids": (1, 577),
        "llm.model.layers.3.self_attn.rotary_emb.inv_freq": (64,),
    }
    dropped = plan_from_published(shapes | older, config).dropped
    assert [dropped[name] for name in older] == ["counts from 0", "follows from the configuration"]


def test_copies_may_be_left_out_and_parts_may_be_unwanted(seven):
    config, shapes = seven
    whole = plan_from_published(shapes, config)
    fewer = plan_from_published({n: s for n, s in shapes.items() if n not in whole.tied}, config)
    assert fewer.taken == whole.taken
    talking = config_from_published({**released()["config"], "use_sd": False, "use_ip2p": False, "use_unipose": False})
    plan = plan_from_published(shapes, talking)
    assert plan.dropped["sd.llm2sd_mapper_queries"] == "belongs to a part that is left out"
    assert not any(name.startswith("decoders.pose") for name in plan.taken)
