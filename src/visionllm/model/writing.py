"""What `generate` must know: pictures are read once, slots are forced, and the id space is one."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from transformers import GenerationMixin, LogitsProcessorList

from visionllm.config import VisionLLMConfig
from visionllm.super_link import SlotForcing

PICTURES = ("pixel_values", "splits", "region_masks", "region_pictures", "encoded")
PROMPT_ONLY = (*PICTURES, "turn_ids", "turn_images", "packed")


class SlotGenerationMixin(GenerationMixin):
    """The hooks of `generate`; whoever calls it, be it a pipeline or an adapter's wrapper, gets them too.

    (The type stubs bind the hooks to a protocol that names attributes of every model there is; no class has them all.)
    """

    config: VisionLLMConfig
    embed_prompt: Callable[..., Tensor]

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        """Write on; the arguments are those of Hugging Face's `generate` and of `forward`, by name.

        Pictures go in as `pixel_values` and `splits`, regions as `region_masks` and `region_pictures`.
        """
        return super().generate(*args, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]

    def _expand_inputs_for_generation(
        self,
        expand_size: int = 1,
        is_encoder_decoder: bool = False,
        input_ids: Tensor | None = None,
        **model_kwargs: Any,
    ) -> tuple[Any, dict[str, Any]]:
        """Turn pictures into embeddings of the prompt before rows are repeated for beams and samples.

        Pictures lie one after another, not one a row, so they cannot be repeated row by row.
        """
        given = {name: model_kwargs.pop(name, None) for name in PROMPT_ONLY}
        if given["packed"]:
            raise ValueError("expected one question a row for generation, got packed rows")
        pictures = {name: given[name] for name in PICTURES if given[name] is not None}
        if pictures and input_ids is not None:
            model_kwargs["prompt_embeds"] = self.embed_prompt(input_ids, **pictures)
        return super()._expand_inputs_for_generation(  # pyright: ignore[reportAttributeAccessIssue]
            expand_size=expand_size, is_encoder_decoder=is_encoder_decoder, input_ids=input_ids, **model_kwargs
        )

    def prepare_inputs_for_generation(self, input_ids: Tensor, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Hand the embedded prompt over where its tokens are read, which with a cache is only once."""
        prompt_embeds = kwargs.pop("prompt_embeds", None)
        cache = kwargs.get("past_key_values")
        inputs = super().prepare_inputs_for_generation(input_ids, *args, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]
        if prompt_embeds is not None:
            unread = prompt_embeds[:, cache.get_seq_length() if cache is not None else 0 :]
            inputs["prompt_embeds"] = unread if unread.shape[1] else None
        return inputs

    def _get_logits_processor(self, *args: Any, **kwargs: Any) -> LogitsProcessorList:
        """Put slot forcing behind every other processor."""
        processors = super()._get_logits_processor(*args, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]
        processors.append(SlotForcing(self.config))
        return processors

    def resize_token_embeddings(self, *args: Any, **kwargs: Any) -> nn.Embedding:
        """Refuse: slot ids follow the text vocabulary, so a new text id would be a slot.

        Raises:
            ValueError: Always.
        """
        raise ValueError(
            f"expected the vocabulary to keep its {self.config.text_vocab_size} ids, which slot ids follow; "
            "build a new configuration with a larger text vocabulary instead"
        )
