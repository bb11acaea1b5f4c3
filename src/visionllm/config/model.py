"""The configuration of the whole model."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from transformers import CONFIG_MAPPING, AutoConfig, PreTrainedConfig

from visionllm.config.quirks import Quirks
from visionllm.config.strict import build, check_keys, check_names, check_pretrained
from visionllm.types import Route

IMAGE_TOKEN = "<im_patch>"
REGION_TOKEN = "<region>"

SubConfig = Mapping[str, Any] | PreTrainedConfig

_OWN = (
    "vision_config",
    "text_config",
    "vision_layer",
    "vision_prefix_tokens",
    "vision_position",
    "projector",
    "pixel_shuffle",
    "region_encoder",
    "region_levels",
    "tables",
    "routes",
    "token_ids",
    "sentence_end_ids",
    "never_sampled_ids",
    "decoders",
    "quirks",
)
_INHERITED = ("model_type", "architectures", "dtype", "transformers_version", "tie_word_embeddings", "return_dict")
_FROM_CALLS = ("attn_implementation", "experts_implementation", "name_or_path", "output_attentions", "_commit_hash")


class VisionLLMConfig(PreTrainedConfig):
    """What a `VisionLLMForConditionalGeneration` is made of.

    Sub-configurations of ours stay plain data here; whoever owns them builds and checks the frozen value.

    Args:
        vision_config: Any Hugging Face vision encoder.
        text_config: Any Hugging Face causal language model; its `vocab_size` V counts text ids only.
        vision_layer: Index into the encoder's hidden states whose features the language model reads.
        vision_position: `"sine"` adds a sine embedding of row and column to feature maps, for encoders that tell the
            language model nothing about places; `"none"` adds nothing.
        vision_prefix_tokens: Tokens before the patches (the class token) that are dropped; maps [B, C, H, W] have none.
        projector: Plain data of a `ProjectorConfig`; widths come from the other configurations.
        pixel_shuffle: 2 joins each square of 2×2 neighbouring features into one, 1 joins none.
        region_encoder: Plain data of a `RegionEncoderConfig`, or None for a model without region prompts.
        region_levels: Indices into the encoder's hidden states that the region encoder reads.
        tables: Slots Q of each slot table, such as `{"det": 4}` or `[("det", 4)]`; their ids follow the vocabulary, in
            this order.
        routes: The routing tokens, the table each draws from and the decoder it opens.
        token_ids: Ids of structure tokens by name; routing tokens, `<im_patch>` and `<region>` among them.
        sentence_end_ids: Ids that end a sentence, and with it a unit of query groups.
        never_sampled_ids: Text ids that generation must never write.
        decoders: Plain data of each task decoder's configuration, by decoder name.
        quirks: Faults of the published code to reproduce, by name; see `Quirks`.

    Raises:
        ValueError: If a key is unknown or the values do not fit together.
    """

    model_type = "visionllm"
    # newer versions make a property of this class attribute, and read a plain one all the same
    sub_configs: ClassVar[dict[str, type]] = {"text_config": AutoConfig, "vision_config": AutoConfig}  # pyright: ignore[reportIncompatibleMethodOverride]

    def __init__(
        self,
        *,
        vision_config: SubConfig | None = None,
        text_config: SubConfig | None = None,
        vision_layer: int = -2,
        vision_prefix_tokens: int = 1,
        vision_position: str = "none",
        projector: Mapping[str, Any] | None = None,
        pixel_shuffle: int = 1,
        region_encoder: Mapping[str, Any] | None = None,
        region_levels: Sequence[int] = (-3, -2, -1),
        tables: Mapping[str, int] | Sequence[tuple[str, int]] | None = None,
        routes: Sequence[Route | Mapping[str, str]] = (),
        token_ids: Mapping[str, int] | None = None,
        sentence_end_ids: Sequence[int] = (),
        never_sampled_ids: Sequence[int] = (),
        decoders: Mapping[str, Mapping[str, Any]] | None = None,
        quirks: Quirks | Mapping[str, bool] | None = None,
        **inherited: Any,
    ) -> None:
        check_keys(inherited, (*_INHERITED, *_FROM_CALLS), "config")
        self.vision_config = _sub_config(vision_config, "clip_vision_model", "config.vision_config")
        self.text_config = _sub_config(text_config, "llama", "config.text_config")
        self.vision_layer = vision_layer
        self.vision_prefix_tokens = vision_prefix_tokens
        self.vision_position = vision_position
        self.projector = _plain(projector, "config.projector")
        self.pixel_shuffle = pixel_shuffle
        self.region_encoder = None if region_encoder is None else _plain(region_encoder, "config.region_encoder")
        self.region_levels = list(region_levels)
        self.tables = dict(tables or {})
        self.routes = [
            r if isinstance(r, Route) else build(Route, r, f"config.routes[{i}]") for i, r in enumerate(routes)
        ]
        self.token_ids = dict(token_ids or {})
        self.sentence_end_ids = list(sentence_end_ids)
        self.never_sampled_ids = list(never_sampled_ids)
        self.decoders = {name: _plain(raw, f"config.decoders.{name}") for name, raw in (decoders or {}).items()}
        self.quirks = quirks if isinstance(quirks, Quirks) else build(Quirks, quirks or {}, "config.quirks")
        inherited.setdefault("tie_word_embeddings", bool(getattr(self.text_config, "tie_word_embeddings", False)))
        inherited.pop("model_type", None)
        super().__init__(**inherited)
        self._check()

    def _check(self) -> None:
        for table, slots in self.tables.items():
            if slots < 1:
                raise ValueError(f"expected one slot or more in table {table!r}, got {slots}")
        if self.vision_position not in ("none", "sine"):
            raise ValueError(f"expected vision_position 'none' or 'sine', got {self.vision_position!r}")
        if self.pixel_shuffle not in (1, 2):
            raise ValueError(f"expected pixel_shuffle 1 or 2, got {self.pixel_shuffle}")
        for name, token in self.token_ids.items():
            if not 0 <= token < self.text_vocab_size:
                raise ValueError(f"expected the id of {name} in [0, {self.text_vocab_size}), got {token}")
        if len({r.token for r in self.routes}) != len(self.routes):
            raise ValueError(f"expected one route a routing token, got {[r.token for r in self.routes]}")
        for route in self.routes:
            if route.table not in self.tables:
                raise ValueError(
                    f"expected a table among {list(self.tables)} for route {route.token}, got {route.table!r}"
                )
            if route.token not in self.token_ids:
                raise ValueError(
                    f"expected the id of routing token {route.token} in token_ids, got {list(self.token_ids)}"
                )

    @property
    def text_vocab_size(self) -> int:
        """Number V of text ids; slot ids start here."""
        return int(self.text_config.vocab_size)

    @property
    def id_space(self) -> int:
        """Number of all ids: text, then slots."""
        return self.text_vocab_size + sum(self.tables.values())

    @property
    def image_token_id(self) -> int:
        """Id of the token that one visual feature replaces.

        Raises:
            ValueError: If the configuration names none.
        """
        return self._structure_id(IMAGE_TOKEN)

    @property
    def region_token_id(self) -> int:
        """Id of the token that one region embedding replaces.

        Raises:
            ValueError: If the configuration names none.
        """
        return self._structure_id(REGION_TOKEN)

    def _structure_id(self, name: str) -> int:
        if name not in self.token_ids:
            raise ValueError(f"expected the id of {name} in token_ids, got {list(self.token_ids)}")
        return self.token_ids[name]

    def slot_ids(self, table: str) -> range:
        """Return the ids of a table's slots, in order.

        Raises:
            ValueError: If there is no such table.
        """
        if table not in self.tables:
            raise ValueError(f"expected a table among {list(self.tables)}, got {table!r}")
        names = list(self.tables)
        start = self.text_vocab_size + sum(self.tables[n] for n in names[: names.index(table)])
        return range(start, start + self.tables[table])

    def get_text_config(self, decoder: bool | None = None, encoder: bool | None = None) -> PreTrainedConfig:
        """Return the language model's configuration with `vocab_size` counting every id that generation handles."""
        whole = copy.copy(self.text_config)
        whole.vocab_size = self.id_space
        return whole

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: our own fields, and what differs from the defaults in the nested configurations."""
        plain: dict[str, Any] = {"model_type": self.model_type, "architectures": self.architectures}
        dtype = self.dtype
        plain["dtype"] = None if dtype is None else str(dtype).removeprefix("torch.")
        plain["tie_word_embeddings"] = self.tie_word_embeddings
        for name in _OWN:
            plain[name] = copy.deepcopy(getattr(self, name))
        for name in self.sub_configs:
            nested = getattr(self, name).to_diff_dict()
            left_out = ("transformers_version", "dtype")  # said once, for the whole
            plain[name] = {k: v for k, v in nested.items() if k not in left_out and not k.startswith("_")}
        plain["tables"] = [list(item) for item in self.tables.items()]  # JSON objects are written in alphabetical order
        plain["routes"] = [{k: v for k, v in vars(r).items() if (k, v) != ("picture", True)} for r in self.routes]
        plain["quirks"] = {name: True for name, on in vars(self.quirks).items() if on}
        return plain

    def to_diff_dict(self) -> dict[str, Any]:
        """Return the same as `to_dict`: a configuration file says everything."""
        return self.to_dict()

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Self:
        """Build the configuration from the content of a file, after checking it against the closed schema.

        Raises:
            ValueError: With the full path of the first key that is unknown, private or chooses code.
        """
        raw = {k: v for k, v in config_dict.items() if k != "_commit_hash"}  # the Hub client adds this one itself
        check_names(raw)
        check_keys(raw, (*_OWN, *_INHERITED), "config")
        return super().from_dict(raw, **kwargs)


def _sub_config(given: SubConfig | None, model_type: str, path: str) -> PreTrainedConfig:
    if isinstance(given, PreTrainedConfig):
        return given
    raw: dict[str, Any] = {"model_type": model_type} if given is None else dict(given)
    check_pretrained(raw, path)
    return CONFIG_MAPPING[raw["model_type"]](**{k: v for k, v in raw.items() if k != "model_type"})


def _plain(raw: Mapping[str, Any] | None, path: str) -> dict[str, Any]:
    plain = copy.deepcopy(dict(raw or {}))
    check_names(plain, path)
    return plain
