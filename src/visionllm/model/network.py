"""The whole network: a vision encoder, a language model that reads it, and decoders that read the language model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForCausalLM, Cache, PreTrainedModel
from transformers.utils.generic import ModelOutput

from visionllm.config import IMAGE_TOKEN, REGION_TOKEN, VisionLLMConfig
from visionllm.decoders.base import Decoder
from visionllm.model.layout import packed_mask, packed_positions, token_positions
from visionllm.model.parts import build_decoders, build_projector, build_region_encoder, check_language_model
from visionllm.model.pictures import EncodedPictures, as_map, drop_prefix, write_over
from visionllm.model.writing import SlotGenerationMixin
from visionllm.nn.position import grid_embedding
from visionllm.ops.pixels import pixel_shuffle
from visionllm.super_link import SuperLink, select_units, unit_places
from visionllm.types.requests import Options
from visionllm.types.results import Result
from visionllm.types.tensors import ImageBatch, ModelInputs, Queries

POSITION_TEMPERATURE = 20.0


@dataclass
class VisionLLMOutput(ModelOutput):
    """What one forward pass returns.

    Attributes:
        last_hidden_state: float[B, T, D], after the final norm.
        loss: float[]. Mean next-token loss over supervised text positions, if labels were given and any counts.
        logits: float[B, kept, V + S]. −inf at slots; None in training, unless `logits_to_keep` asks for them.
        past_key_values: The cache, if one was asked for.
        hidden_states: Of the language model, if asked for.
        attentions: Of the language model, if asked for.
    """

    last_hidden_state: Tensor
    loss: Tensor | None = None
    logits: Tensor | None = None
    past_key_values: Cache | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


class VisionLLMForConditionalGeneration(SlotGenerationMixin, PreTrainedModel):
    """A language model that sees pictures and regions, and whose routing tokens open task decoders.

    Args:
        config: What the model is made of.
        stored: Shapes of the weights that will be loaded, by name, if decoders may wait for their first use.

    Source: VisionLLM v2, arXiv:2406.08394, section 3.
    """

    config: VisionLLMConfig
    config_class = VisionLLMConfig
    base_model_prefix = ""
    main_input_name = "input_ids"
    accepts_loss_kwargs = False
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True

    def __init__(self, config: VisionLLMConfig, stored: Mapping[str, torch.Size] | None = None) -> None:
        super().__init__(config)
        check_language_model(config.text_config)
        self.vision_encoder = AutoModel.from_config(config.vision_config)
        self.language_model = AutoModelForCausalLM.from_config(config.text_config)
        self.projector = build_projector(config)
        self.region_encoder = build_region_encoder(config)
        self.super_link = SuperLink(config)
        self.decoders = build_decoders(config, stored)
        self.post_init()

    @classmethod
    def from_pretrained(cls, *args: Any, **options: Any) -> Any:
        """Load a model as transformers does; what its decoders freeze stays frozen."""
        loaded = super().from_pretrained(*args, **options)
        model: Any = loaded[0] if isinstance(loaded, tuple) else loaded
        for name in model.decoders:
            model.decoder(name).freeze()
        return loaded

    def _init_weights(self, module: nn.Module) -> None:
        """Leave every part as its own constructor made it."""

    def get_input_embeddings(self) -> nn.Module:
        """Return the vocabulary table; slots have their own rows in `super_link`."""
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the vocabulary table."""
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        """Return the language model's head, which knows text ids only."""
        return self.language_model.get_output_embeddings()

    def decoder(self, name: str) -> Decoder[Any]:
        """Return the decoder of a name.

        Raises:
            ValueError: If the model has no such decoder.
        """
        found = dict(self.decoders.items()).get(name)
        if not isinstance(found, Decoder):
            raise ValueError(f"expected a decoder among {list(self.decoders)}, got {name!r}")
        return found

    def encode_pictures(self, pixel_values: Tensor, splits: Tensor) -> EncodedPictures:
        """Run the vision encoder and the projector; an encoder that does not learn runs in evaluation mode.

        Args:
            pixel_values: float[S, 3, h, w]. All splits of all pictures.
            splits: int[P]. Number of splits of each picture; the last one shows the whole picture.

        Raises:
            ValueError: If the splits do not add up to S.
        """
        if int(splits.sum()) != len(pixel_values):
            raise ValueError(f"expected {int(splits.sum())} splits of {len(splits)} pictures, got {len(pixel_values)}")
        learns = any(p.requires_grad for p in self.vision_encoder.parameters())
        if not learns:
            self.vision_encoder.eval()  # else batch norms would go on learning the statistics of the batches
        with torch.set_grad_enabled(torch.is_grad_enabled() and learns):
            pixels = pixel_values.to(self.vision_encoder.dtype)
            hidden = self.vision_encoder(pixel_values=pixels, output_hidden_states=True).hidden_states
        whole = splits.cumsum(0) - 1
        levels = self.config.region_levels if self.region_encoder is not None else ()
        return EncodedPictures(
            tokens=self.projector(self._joined(self._placed(hidden[self.config.vision_layer]))),
            splits=splits,
            pixel_values=pixel_values[whole],
            levels=tuple(self._placed(hidden[level])[whole] for level in levels),
        )

    def _placed(self, features: Tensor) -> Tensor:
        """Return the patches of features; maps of an encoder that knows no places get them here."""
        features = drop_prefix(features, self.config.vision_prefix_tokens)
        if self.config.vision_position != "sine" or features.ndim != 4:
            return features
        cells = torch.ones(1, *features.shape[2:], dtype=torch.bool, device=features.device)
        place = grid_embedding(cells, features.shape[1], temperature=POSITION_TEMPERATURE)
        return features + place.permute(0, 3, 1, 2).to(features.dtype)

    def _joined(self, features: Tensor) -> Tensor:
        """Return float[S, N, C'] for patches float[S, N, C] or maps float[S, C, h, w]: neighbours joined."""
        if features.ndim == 3 and self.config.pixel_shuffle == 1:
            return features
        grid = as_map(features)
        return (pixel_shuffle(grid) if self.config.pixel_shuffle == 2 else grid).flatten(1, 2)

    def encode_regions(self, masks: Tensor, pictures: Tensor, encoded: EncodedPictures) -> Tensor:
        """Embed regions of encoded pictures.

        Args:
            masks: float[R, h, w]. 1 inside each region.
            pictures: int[R]. Index of the picture each region is on.
            encoded: The pictures.

        Returns:
            float[R, D].

        Raises:
            ValueError: If the model has no region encoder, or the numbers of masks and pictures differ.
        """
        if self.region_encoder is None:
            raise ValueError(f"expected a model with a region encoder for {len(masks)} regions, got one without")
        if len(masks) != len(pictures):
            raise ValueError(f"expected {len(masks)} pictures, one for each region, got {len(pictures)}")
        dtype = encoded.tokens.dtype
        return self.region_encoder(
            encoded.pixel_values[pictures].to(dtype),
            masks,
            [level[pictures] for level in encoded.levels],
        )

    def embed_prompt(
        self,
        input_ids: Tensor,
        *,
        pixel_values: Tensor | None = None,
        splits: Tensor | None = None,
        region_masks: Tensor | None = None,
        region_pictures: Tensor | None = None,
        encoded: EncodedPictures | None = None,
    ) -> Tensor:
        """Embed ids, then write image features and regions over their places.

        Args:
            input_ids: int[B, T].
            pixel_values: float[S, 3, h, w], or None.
            splits: int[P]. Number of splits of each picture; None means one split a picture.
            region_masks: float[R, h, w], or None.
            region_pictures: int[R]. Index of the picture each region is on; None where there are no regions.
            encoded: What `encode_pictures` made of the same pictures, instead of `pixel_values`.

        Returns:
            float[B, T, D].

        Raises:
            ValueError: If features and their places differ in number.
        """
        embeds = self.super_link.embed(input_ids, self.get_input_embeddings())
        if encoded is None and pixel_values is not None and len(pixel_values):
            if splits is None:
                splits = torch.ones(len(pixel_values), dtype=torch.long, device=pixel_values.device)
            encoded = self.encode_pictures(pixel_values, splits)
        ids, nothing = self.config.token_ids, embeds.new_zeros(0, embeds.shape[-1])
        if IMAGE_TOKEN in ids:
            tokens = nothing if encoded is None else encoded.tokens.flatten(0, 1)
            group = 1 if encoded is None else encoded.tokens.shape[1]
            embeds = write_over(embeds, input_ids, self.config.image_token_id, tokens, "image features", group)
        if REGION_TOKEN in ids:
            regions = nothing
            if region_masks is not None and len(region_masks):
                if encoded is None or region_pictures is None:
                    raise ValueError(f"expected the pictures of {len(region_masks)} regions, got none")
                regions = self.encode_regions(region_masks, region_pictures, encoded)
            embeds = write_over(embeds, input_ids, self.config.region_token_id, regions, "regions")
        return embeds

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        prompt_embeds: Tensor | None = None,
        *,
        turn_ids: Tensor | None = None,
        turn_images: Tensor | None = None,
        pixel_values: Tensor | None = None,
        splits: Tensor | None = None,
        region_masks: Tensor | None = None,
        region_pictures: Tensor | None = None,
        encoded: EncodedPictures | None = None,
        packed: bool = False,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor | None = None,
        **language_options: Any,
    ) -> VisionLLMOutput:
        """Read a batch; the fields of `ModelInputs` are arguments of the same names.

        Args:
            input_ids: int[B, T]. Text ids and slot ids.
            attention_mask: bool[B, past + T]. True on real tokens; None means all.
            position_ids: int[B, T]. None counts real tokens.
            past_key_values: The cache of what was read before.
            prompt_embeds: float[B, T0, D]. Embeddings of the first T0 tokens, pictures and regions in their places.
            turn_ids: int[B, T]. Needed for packed rows.
            turn_images: Not read here; see `queries`.
            pixel_values: float[S, 3, h, w].
            splits: int[P].
            region_masks: float[R, h, w].
            region_pictures: int[R].
            encoded: What `encode_pictures` made of the same pictures, instead of `pixel_values`.
            packed: Turns k ≥ 1 see turn 0 and themselves only.
            labels: int[B, T]. −100 where ignored; slots are ignored too.
            use_cache: Return a cache.
            logits_to_keep: Number of last positions to score, or their indices; 0 scores all. None scores all, or none
                where labels are given.
            language_options: Passed on to the language model.

        Raises:
            ValueError: If features and their places differ in number, or packed rows come without `turn_ids`.
        """
        language_options.pop("return_dict", None)
        if prompt_embeds is None:
            embeds = self.embed_prompt(
                input_ids,
                pixel_values=pixel_values,
                splits=splits,
                region_masks=region_masks,
                region_pictures=region_pictures,
                encoded=encoded,
            )
        else:
            written = self.super_link.embed(input_ids[:, prompt_embeds.shape[1] :], self.get_input_embeddings())
            embeds = torch.cat([prompt_embeds.to(written.dtype), written], dim=1)
        if packed:
            kind = self.language_model.config._attn_implementation
            if kind not in ("sdpa", "eager"):
                raise ValueError(f"expected sdpa or eager attention for packed rows, got {kind}")
            attention_mask, position_ids = _packed_layout(input_ids, attention_mask, turn_ids, embeds.dtype)
        elif position_ids is None and attention_mask is not None:
            position_ids = token_positions(attention_mask)[:, -input_ids.shape[1] :]
        read = self.language_model.base_model(
            inputs_embeds=embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            use_cache=bool(use_cache),
            **language_options,
        )
        hidden = read.last_hidden_state
        kept = logits_to_keep if logits_to_keep is not None or labels is not None else 0
        return VisionLLMOutput(
            loss=None if labels is None else self.text_loss(hidden, labels),
            logits=None if kept is None else self.logits(hidden, kept),
            past_key_values=read.past_key_values,
            last_hidden_state=hidden,
            hidden_states=read.hidden_states,
            attentions=read.attentions,
        )

    def logits(self, last_hidden_state: Tensor, kept: int | Tensor = 0) -> Tensor:
        """Score the id space at the last `kept` positions, or at those indices; 0 means all."""
        at = slice(-kept, None) if isinstance(kept, int) else kept
        return self.super_link.pad_logits(self.get_output_embeddings()(last_hidden_state[:, at]))

    def text_loss(self, last_hidden_state: Tensor, labels: Tensor) -> Tensor | None:
        """Return the mean next-token loss, or None where nothing is supervised.

        Args:
            last_hidden_state: float[B, T, D].
            labels: int[B, T]. Ignored where −100 or a slot.
        """
        following = labels[:, 1:]
        counts = (following >= 0) & (following < self.config.text_vocab_size)
        if not bool(counts.any()):
            return None
        with torch.autocast(last_hidden_state.device.type, enabled=False):
            states = last_hidden_state[:, :-1][counts]
            head = self.get_output_embeddings()
            logits = head(states.to(next(head.parameters()).dtype))
        return F.cross_entropy(logits.float(), following[counts])

    def read(self, inputs: ModelInputs, **options: Any) -> VisionLLMOutput:
        """Run `forward` on a batch.

        Args:
            inputs: The batch; its labels are left out, unless `options` name them.
            options: Further arguments of `forward`, such as `encoded`, `use_cache` or `logits_to_keep`.
        """
        given = {f.name: getattr(inputs, f.name) for f in fields(inputs) if f.name not in ("images", "labels")}
        return self(**given | options)

    def states(self, inputs: ModelInputs, encoded: EncodedPictures | None = None) -> Tensor:
        """Read a batch without scoring anything.

        Args:
            inputs: The batch.
            encoded: What `encode_pictures` made of its pictures, if it is at hand.

        Returns:
            float[B, T, D]. The last hidden states, after the final norm.
        """
        nothing = torch.arange(0, device=inputs.input_ids.device)
        return self.read(inputs, encoded=encoded, logits_to_keep=nothing).last_hidden_state

    def queries(self, inputs: ModelInputs, encoded: EncodedPictures | None = None) -> dict[str, Queries]:
        """Return the queries of each decoder that finished rows route to; see `states`.

        Raises:
            ValueError: If a routed turn has no decoder image.
        """
        return self.super_link.gather(self.states(inputs, encoded), inputs)

    def compute_losses(
        self,
        inputs: ModelInputs,
        targets: Mapping[str, Mapping[tuple[int, int, int], Any]],
        generator: torch.Generator | None = None,
    ) -> dict[str, Tensor]:
        """Return every loss term of a batch, already weighted; their sum is the loss.

        Args:
            inputs: The batch.
            targets: By decoder name, then by (row, turn, index in the row of the unit's first routing token). Units and
                decoders without a target learn nothing.
            generator: Source of the decoders' random draws; None means torch's global one.

        Returns:
            `"text"`, if any position is supervised, and `"<decoder>/<term>"`.

        Raises:
            ValueError: If a target belongs to no unit of its decoder, or there are no pictures to decode on.
        """
        hidden = self.states(inputs)
        text = None if inputs.labels is None else self.text_loss(hidden, inputs.labels)
        losses = {} if text is None else {"text": text}
        wanted = {name: given for name, given in targets.items() if given}
        if not wanted:
            return losses
        gathered = self.super_link.gather(hidden, inputs)
        for name, given in wanted.items():
            queries = gathered.get(name)
            units = [] if queries is None else unit_places(queries)
            if lost := sorted(set(given) - set(units)):
                raise ValueError(f"expected targets of decoder {name!r} for its units {units}, got one for {lost[0]}")
            if queries is None or (inputs.images is None and bool((queries.images >= 0).any())):
                raise ValueError(f"expected pictures for decoder {name!r}, got none")
            chosen = [i for i, place in enumerate(units) if place in given]
            aims = [given[units[i]] for i in chosen]
            images = ImageBatch.empty(self.device) if inputs.images is None else inputs.images
            seen = images.seen_by(name)
            terms = self.decoder(name).loss(select_units(queries, chosen), seen, aims, generator)
            losses |= {f"{name}/{term}": value for term, value in terms.items()}
        return losses

    @torch.no_grad()
    def decode(
        self, queries: Mapping[str, Queries], images: ImageBatch | None, options: Options | Sequence[Options]
    ) -> dict[str, list[Result]]:
        """Run the decoders.

        Args:
            queries: By decoder name, as `queries` returns them.
            images: The decoder images of the batch, or None where nobody looks at any.
            options: For all rows, or one a row.

        Returns:
            By decoder name, one result a unit.
        """
        images = ImageBatch.empty(self.device) if images is None else images
        results: dict[str, list[Result]] = {}
        for name, given in queries.items():
            rows, decoder = given.rows.tolist(), self.decoder(name)
            wished = [decoder.relevant(options if isinstance(options, Options) else options[row]) for row in rows]
            found: dict[int, Result] = {}
            for option in dict.fromkeys(wished):
                chosen = [i for i, wish in enumerate(wished) if wish == option]
                part = select_units(given, chosen)
                found |= zip(chosen, decoder.decode(part, images.seen_by(name), option), strict=True)
            results[name] = [found[i] for i in range(len(rows))]
        return results


def _packed_layout(
    input_ids: Tensor, attention_mask: Tensor | None, turn_ids: Tensor | None, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Return the mask float[B, 1, T, T] and the positions int[B, T] of packed rows."""
    if turn_ids is None:
        raise ValueError("expected turn_ids with packed rows, got none")
    real = torch.ones_like(input_ids, dtype=torch.bool) if attention_mask is None else attention_mask
    return packed_mask(real, turn_ids, dtype), packed_positions(real, turn_ids)
