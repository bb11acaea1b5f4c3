"""What every key of the published `config.json` means here: nothing in it is passed over in silence.

A key is *read* (it becomes part of our configuration), *fixed* (the published code knows more values than are built
here: any other is refused), or *idle* (known, and without meaning here, for the reason that stands beside it). Any
other key is refused with its full path, at every depth, and so is whatever chooses code.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from visionllm.config.strict import CODE_CHOOSING


def _idle(reason: str, keys: str) -> dict[str, str]:
    return dict.fromkeys(keys.split(), reason)


def _only(value: Any, keys: str) -> dict[str, Sequence[Any]]:
    return {key: [value] for key in keys.split()}


PRETRAINED_IDLE: Mapping[str, str] = {
    **_idle("a note about where the files lay; it is never opened", "_name_or_path"),
    **_idle("a note about who wrote the file", "transformers_version"),
    **_idle("each tensor says its own type", "torch_dtype dtype use_bfloat16"),
    **_idle("how something is computed, not what", "_flash_attn_2_enabled _attn_implementation_autoset use_cache"),
    **_idle("what a call returns", "return_dict output_hidden_states output_attentions output_scores"),
    **_idle("what a call returns", "return_dict_in_generate torchscript"),
    **_idle("a request says how to answer", "max_length min_length do_sample early_stopping num_beams temperature"),
    **_idle("a request says how to answer", "num_beam_groups diversity_penalty top_k top_p typical_p bad_words_ids"),
    **_idle("a request says how to answer", "repetition_penalty length_penalty no_repeat_ngram_size suppress_tokens"),
    **_idle("a request says how to answer", "encoder_no_repeat_ngram_size num_return_sequences remove_invalid_values"),
    **_idle("a request says how to answer", "forced_bos_token_id forced_eos_token_id begin_suppress_tokens"),
    **_idle("a request says how to answer", "exponential_decay_length_penalty"),
    **_idle("of classifiers", "finetuning_task id2label label2id num_labels problem_type task_specific_params"),
    **_idle("of other kinds of models", "sep_token_id decoder_start_token_id prefix tf_legacy_loss"),
    **_idle("the tokenizer says it itself", "tokenizer_class"),
    **_idle("names the class that reads the part", "model_type architectures"),
    **_idle("the language model's own configuration says it", "bos_token_id eos_token_id pad_token_id"),
    **_idle("the language model's own configuration says it", "tie_word_embeddings"),
    **_idle("of the library's own encoders and decoders", "is_encoder_decoder is_decoder"),
}
"""Keys that transformers writes into every configuration."""
PRETRAINED_FIXED: Mapping[str, Sequence[Any]] = {
    "pruned_heads": [{}],
    "add_cross_attention": [False],
    "cross_attention_hidden_size": [None],
    "tie_encoder_decoder": [False],
    "chunk_size_feed_forward": [0],
}
_TABLES = ("id2label", "label2id", "size", "crop_size")  # the idle keys that hold an object of plain values


@dataclass(frozen=True, kw_only=True)
class Section:
    """The keys of one object of the published configuration.

    Attributes:
        read: The type of each value that becomes part of ours.
        fixed: The values that are built, of keys that have more.
        idle: Why a key has no meaning here.
        inside: The objects in it.
        required: Keys that must be there if the object is used.
    """

    read: Mapping[str, type] = field(default_factory=dict)
    fixed: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    idle: Mapping[str, str] = field(default_factory=dict)
    inside: Mapping[str, "Section"] = field(default_factory=dict)
    required: Sequence[str] = ()

    @property
    def known(self) -> list[str]:
        """Every key, those of all configurations of transformers left out."""
        return sorted({*self.read, *self.fixed, *self.idle, *self.inside})


def _kinds(**keys: str) -> dict[str, type]:
    types = {"ints": int, "floats": float, "bools": bool, "strings": str, "lists": list}
    return {key: types[kind] for kind, listed in keys.items() for key in listed.split()}


CLIP = Section(
    read=_kinds(
        ints="hidden_size intermediate_size num_hidden_layers num_attention_heads num_channels image_size patch_size "
        "projection_dim",
        floats="layer_norm_eps attention_dropout initializer_range initializer_factor",
        strings="hidden_act",
        lists="architectures",
    ),
    fixed={"model_type": ["clip_vision_model"]},
    idle=_idle("an older release's name of nothing", "dropout"),
    required=("architectures",),
)
LLAMA = Section(
    read=_kinds(
        ints="vocab_size max_position_embeddings hidden_size intermediate_size num_hidden_layers num_attention_heads "
        "num_key_value_heads head_dim bos_token_id eos_token_id pad_token_id",
        floats="initializer_range rms_norm_eps attention_dropout rope_theta",
        bools="attention_bias mlp_bias tie_word_embeddings",
        strings="hidden_act",
        lists="architectures",
    ),
    fixed={"model_type": ["llama"], "rope_scaling": [None], "pretraining_tp": [1]},
    required=("architectures", "vocab_size", "hidden_size"),
)
SWIN = Section(
    read=_kinds(
        ints="image_size patch_size num_channels embed_dim window_size",
        floats="mlp_ratio hidden_dropout_prob attention_probs_dropout_prob drop_path_rate layer_norm_eps "
        "initializer_range",
        bools="qkv_bias use_absolute_embeddings",
        strings="hidden_act",
        lists="depths num_heads out_features",
    ),
    fixed={"model_type": ["swin"]},
    idle={
        **_idle("follows from other keys", "hidden_size num_layers out_indices stage_names"),
        **_idle("of pictures that are reconstructed", "encoder_stride"),
        **_idle("the published backbone never reads it", "path_norm"),
    },
    required=("model_type", "out_features"),
)
DETECTOR = Section(
    read=_kinds(
        ints="d_model num_feature_levels encoder_layers decoder_layers encoder_attention_heads encoder_ffn_dim "
        "decoder_ffn_dim encoder_n_points decoder_n_points mask_dim num_queries l_hidden_size num_embs "
        "decoder_attention_heads",
        floats="positional_embedding_temperature dropout attention_dropout text_enhancer_dropout fusion_dropout "
        "fusion_droppath class_cost bbox_cost giou_cost class_weight box_weight giou_weight mask_weight dice_weight "
        "focal_alpha",
    ),
    fixed={
        "norm": ["GN"],
        "activation_function": ["relu"],
        "two_stage": [True],
        "two_stage_bbox_embed_share": [False],
        "embedding_init_target": [True],
        "decoder_bbox_embed_share": [True],
        "position_embedding_type": ["sine"],
        "query_dim": [4],
        "layer_norm_eps": [1e-5],
    },
    idle={
        **_idle("there are no kernels to switch off", "disable_custom_kernels"),
        **_idle("class lists may have any length", "max_text_len"),
        **_idle("every layer learns", "auxiliary_loss"),
        **_idle("the published code reads bbox_cost", "box_cost"),
        **_idle("the published matching has no costs of masks", "mask_cost dice_cost"),
        **_idle("the published losses have weights of their own", "bbox_loss_coefficient giou_loss_coefficient"),
        **_idle("of training from nothing", "init_std activation_dropout"),
    },
    inside={"backbone_config": SWIN},
    required=(
        *("backbone_config", "mask_dim", "class_cost", "giou_cost", "class_weight", "box_weight"),
        *("giou_weight", "mask_weight", "dice_weight"),
    ),
)
_POSE_READ = _kinds(
    ints="hidden_dim num_feature_levels enc_layers dec_layers num_box_decoder_layers nheads dim_feedforward "
    "enc_n_points dec_n_points num_queries num_body_points dn_number l_hidden_size num_embs",
    floats="pe_temperatureH pe_temperatureW dropout text_dropout fusion_dropout fusion_droppath set_cost_class "
    "set_cost_bbox set_cost_giou set_cost_keypoint set_cost_oks cls_loss_coef bbox_loss_coef giou_loss_coef "
    "keypoint_loss_coef focal_alpha dn_label_noise_ratio dn_box_noise_scale",
)
POSE = Section(
    read=_POSE_READ,
    fixed={
        "backbone": ["swin_T_224_1k"],
        "return_interm_indices": [[1, 2, 3]],
        "position_embedding": ["sine"],
        "query_dim": [4],
        "fix_refpoints_hw": [-1],
        "two_stage_type": ["standard"],
        "transformer_activation": ["relu"],
        "decoder_sa_type": ["sa"],
        "decoder_module_seq": [["sa", "ca", "ffn"]],
        "dec_layer_number": [None],
        **_only(0, "unic_layers num_patterns two_stage_pat_embed two_stage_add_query_num"),
        **_only(True, "dec_pred_bbox_embed_share dec_pred_class_embed_share embed_init_tgt"),
        **_only(True, "use_text_enhancer use_fusion_layer use_text_cross_attention"),
        **_only(False, "dilation pre_norm random_refpoints_xy use_deformable_box_attn"),
        **_only(False, "decoder_layer_noise add_channel_attention add_pos_value"),
        **_only(False, "two_stage_bbox_embed_share two_stage_class_embed_share"),
        **_only(False, "two_stage_learn_wh two_stage_keep_all_tokens"),
        **_only(False, "use_detached_boxes_dec_out binary_query_selection ffn_extra_layernorm"),
    },
    idle={
        **_idle("saves memory in training", "use_checkpoint use_transformer_ckpt"),
        **_idle("of training from nothing", "backbone_freeze_keywords"),
        **_idle("of noise that is off", "dln_xy_noise dln_hw_noise"),
        **_idle("of box attention, which is off", "box_attn_type"),
        **_idle("denoising has dn_number queries", "use_dn use_cdn dn_labelbook_size use_label_enc"),
        **_idle("there is one matcher", "matcher_type"),
        **_idle("classes come with the prompt", "num_classes sub_sentence_present max_text_len"),
        **_idle("every layer learns", "aux_loss"),
        **_idle("the published code reads keypoint_loss_coef in its place", "oks_loss_coef"),
    },
    required=tuple(set(_POSE_READ) - {"l_hidden_size", "num_embs", "pe_temperatureW"}),
)


def _diffusion(token: str) -> Section:
    sizes = "sd_hidden_size num_queries num_encoder_layers num_decoder_layers"
    return Section(
        read=_kinds(
            ints=f"{sizes} llm_hidden_size num_embed_tokens trigger_token_id", floats="cfg_drop_rate", strings=""
        ),
        fixed={"trigger_token": [token]},
        idle={
            **_idle("names a diffusion model; its weights are in the checkpoint", "sd_model_id"),
            **_idle("stored, and never used by the published code", "cfg_scale"),
        },
        required=tuple(sizes.split()),
    )


PUBLISHED = Section(
    read=_kinds(
        ints="vis_output_layer num_embs num_embs_gen",
        strings="vl_bridge_type",
        bools="use_pixelshuffle use_region_encoder use_gdino use_unipose use_sd use_ip2p",
    ),
    fixed={"model_type": ["visionllmv2"], "use_llm_lora": [False]},
    idle=_idle("the projector's weights are in the checkpoint", "pretrained_vl_bridge"),
    inside={
        "vis_encoder_config": CLIP,
        "llm_config": LLAMA,
        "gdino_config": DETECTOR,
        "unipose_config": POSE,
        "sd_config": _diffusion("[GEN]"),
        "ip2p_config": _diffusion("[EDIT]"),
    },
    required=(
        *("vis_encoder_config", "llm_config", "vl_bridge_type", "vis_output_layer", "num_embs", "num_embs_gen"),
        *("use_region_encoder", "use_gdino"),
    ),
)
ADDED_TOKEN = Section(
    read=_kinds(strings="content", bools="lstrip rstrip normalized single_word special"),
    idle=_idle("names the class that reads it", "__type"),
)
TOKENIZER = Section(
    read=_kinds(bools="legacy"),
    fixed={"add_bos_token": [True, None], "add_eos_token": [False, None], "sp_model_kwargs": [{}, None]},
    idle={
        **_idle("the added tokens say it themselves", "additional_special_tokens"),
        **_idle("of text that is decoded; spaces are decoded as they were written", "clean_up_tokenization_spaces"),
        **_idle("of text that is decoded; spaces are decoded as they were written", "spaces_between_special_tokens"),
        **_idle("the length of rows comes from the language model", "model_max_length"),
        **_idle("the processor pads by itself", "padding_side"),
        **_idle("conversations are written from a table", "use_default_system_prompt chat_template"),
        **_idle("notes about files, which are never opened", "tokenizer_file vocab_file name_or_path"),
    },
)
ROLES = ("bos_token", "eos_token", "unk_token", "pad_token")
PICTURES = Section(
    read=_kinds(lists="image_mean image_std"),
    idle={
        **_idle(
            "the steps are fixed: resize, cut out or tile, scale, normalise", "do_resize do_center_crop do_rescale"
        ),
        **_idle(
            "the steps are fixed: resize, cut out or tile, scale, normalise", "do_normalize do_convert_rgb resample"
        ),
        **_idle("the steps are fixed", "rescale_factor"),
        **_idle("names the class that reads it", "feature_extractor_type image_processor_type"),
        **_idle("the vision encoder's configuration says it", "size crop_size"),
    },
)
ARCHITECTURES = {"vis_encoder_config": "CLIPVisionModel", "llm_config": "LlamaForCausalLM"}
SWITCHES = {f"use_{part}": f"{part}_config" for part in ("gdino", "unipose", "sd", "ip2p")}
EQUAL = (
    ("gdino_config.l_hidden_size", "llm_config.hidden_size"),
    ("unipose_config.l_hidden_size", "llm_config.hidden_size"),
    ("sd_config.llm_hidden_size", "llm_config.hidden_size"),
    ("ip2p_config.llm_hidden_size", "llm_config.hidden_size"),
    ("gdino_config.num_embs", "num_embs"),
    ("unipose_config.num_embs", "num_embs"),
    ("sd_config.num_embed_tokens", "num_embs_gen"),
    ("ip2p_config.num_embed_tokens", "num_embs_gen"),
    ("gdino_config.decoder_attention_heads", "gdino_config.encoder_attention_heads"),
    ("unipose_config.pe_temperatureW", "unipose_config.pe_temperatureH"),
)
"""Keys that say what another one says; both must say the same."""


def check_published(raw: Mapping[str, Any], ignored: Collection[str] = ()) -> None:
    """Check the published `config.json`.

    Args:
        raw: Its content.
        ignored: Full paths, such as `config.llm_config.odd`, of unknown keys that are passed over. What is known, or
            chooses code, cannot be ignored.

    Raises:
        ValueError: With the full path of a key that is unknown, missing, chooses code, or has a value of another type
            or one that is not built.
    """
    check_no_code(raw, "config")
    for part, architecture in ARCHITECTURES.items():
        if (named := at(raw, f"{part}.architectures")) not in (None, [architecture]):
            raise ValueError(f"expected architectures [{architecture}] at config.{part}, got {named}")
    check_section(raw, PUBLISHED, "config", ignored)
    if unmet := sorted(set(ignored) - set(_paths(raw))):
        raise ValueError(f"expected keys of the configuration to ignore, got {unmet[0]}, which it does not have")
    used = [inside for switch, inside in SWITCHES.items() if raw.get(switch, False)]
    _require(raw, PUBLISHED, "config", ("vis_encoder_config", "llm_config", *used))
    for path, other in EQUAL:
        part = path.partition(".")[0]
        told, wanted = at(raw, path), at(raw, other)
        if part in used and None not in (told, wanted) and told != wanted:
            raise ValueError(f"expected config.{path} to be {wanted}, as config.{other} says, got {told}")


def check_tokenizer(raw: Mapping[str, Any], path: str) -> None:
    """Check the published `tokenizer_config.json`.

    Raises:
        ValueError: As `check_published`.
    """
    check_no_code(raw, path)
    tokens = raw.get("added_tokens_decoder", {})
    if not isinstance(tokens, Mapping):
        raise ValueError(f"expected a JSON object at {path}.added_tokens_decoder, got {tokens!r}")
    apart = {f"{path}.added_tokens_decoder.{number}": token for number, token in tokens.items()}
    apart |= {f"{path}.{role}": raw[role] for role in ROLES if not isinstance(raw.get(role), str | None)}
    for place, token in apart.items():
        check_section(token, ADDED_TOKEN, place)
    check_section({k: v for k, v in raw.items() if k not in ("added_tokens_decoder", *ROLES)}, TOKENIZER, path)


def check_pictures(raw: Mapping[str, Any], path: str) -> None:
    """Check the published `preprocessor_config.json`.

    Raises:
        ValueError: As `check_published`.
    """
    check_no_code(raw, path)
    check_section(raw, PICTURES, path)


def check_no_code(raw: Any, path: str) -> None:
    """Refuse keys that choose code and values that name a file of it, at any depth.

    Raises:
        ValueError: With the full path of the first.
    """
    if isinstance(raw, Mapping):
        for key, value in raw.items():
            if key in CODE_CHOOSING:
                raise ValueError(f"expected no key that chooses code in a configuration, got {path}.{key}")
            check_no_code(value, f"{path}.{key}")
    elif isinstance(raw, list):
        for i, value in enumerate(raw):
            check_no_code(value, f"{path}[{i}]")
    elif isinstance(raw, str) and re.search(r"\.py\b", raw):
        raise ValueError(f"expected no file of code in a configuration, got {path} {raw!r}")


def check_section(raw: Any, section: Section, path: str, ignored: Collection[str] = ()) -> None:
    """Check the keys and the types of one object, and of those in it.

    Raises:
        ValueError: With the full path of the first key that does not belong.
    """
    if not isinstance(raw, Mapping):
        raise ValueError(f"expected a JSON object at {path}, got {raw!r}")
    for key, value in raw.items():
        place = f"{path}.{key}"
        fixed = section.fixed.get(key) or (PRETRAINED_FIXED.get(key) if key not in section.known else None)
        if key in section.inside:
            if value is not None:
                check_section(value, section.inside[key], place, ignored)
        elif key in section.read:
            _check_type(value, section.read[key], place)
        elif fixed is not None:
            if not any(isinstance(value, bool) == isinstance(one, bool) and value == one for one in fixed):
                built = " or ".join(map(repr, fixed))
                raise ValueError(f"expected {place} to be {built}, which is all that is built, got {value!r}")
        elif key in section.idle or key in PRETRAINED_IDLE:
            _check_plain(value, place, table=key in _TABLES)
        elif place not in ignored:
            raise ValueError(
                f"unknown key {place}; expected one of {', '.join(section.known)}, or what transformers writes "
                "everywhere; whoever knows that it has no meaning may ignore it by this name"
            )


def at(raw: Mapping[str, Any], path: str) -> Any:
    """Return the value at a path such as `llm_config.hidden_size`, or None."""
    value: Any = raw
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _require(raw: Mapping[str, Any], section: Section, path: str, used: Collection[str]) -> None:
    for key in (*section.required, *(key for key in used if key in section.inside)):
        if raw.get(key) is None:
            raise ValueError(f"expected {path}.{key}, got only {', '.join(sorted(raw)) or 'nothing'}")
    for key in used:
        _require(raw[key], section.inside[key], f"{path}.{key}", list(section.inside[key].inside))


def _paths(raw: Mapping[str, Any], path: str = "config") -> Iterator[str]:
    for key, value in raw.items():
        yield f"{path}.{key}"
        if isinstance(value, Mapping):
            yield from _paths(value, f"{path}.{key}")


def _check_type(value: Any, kind: type, place: str) -> None:
    fits = isinstance(value, int | float) if kind is float else isinstance(value, kind)
    if value is None and place.endswith("_token_id"):
        return
    if not fits or (kind in (int, float) and isinstance(value, bool)):
        raise ValueError(f"expected {kind.__name__} at {place}, got {value!r}")
    if kind is list:
        _check_plain(value, place, table=False)


def _check_plain(value: Any, place: str, *, table: bool) -> None:
    """Refuse objects in what has no meaning: nobody would see what is in them."""
    inner = value.values() if isinstance(value, Mapping) and table else value if isinstance(value, list) else [value]
    if not all(one is None or isinstance(one, str | int | float) for one in inner):
        raise ValueError(f"expected a plain value at {place}, got {value!r}")
