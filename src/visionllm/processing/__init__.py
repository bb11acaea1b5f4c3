"""Requests and samples → tensors: text and chat, image splits, regions, decoder images."""

from visionllm.processing.chat import TINY, VICUNA_V1, ChatTemplate
from visionllm.processing.checks import ContextLengthExceeded
from visionllm.processing.configuration import ROUTES, TABLES, ProcessorConfig
from visionllm.processing.decoder_images import DecoderImageConfig, MadePictureConfig
from visionllm.processing.opening import PictureError, PictureLimits, open_picture, picture_files, picture_size
from visionllm.processing.processor import VisionLLMProcessor
from visionllm.processing.prompts import (
    PUBLISHED,
    Prompts,
    known_class_answer,
    known_class_question,
    made_answer,
    made_question,
    point_answer,
    point_question,
    pose_answer,
    pose_question,
    refer_answer,
)
from visionllm.processing.targets import TrainBatch, Unit
from visionllm.processing.tiles import VisionImageConfig
from visionllm.processing.tokenizer import Vocabulary, train_tokenizer

__all__ = [
    "PUBLISHED",
    "ROUTES",
    "TABLES",
    "TINY",
    "VICUNA_V1",
    "ChatTemplate",
    "ContextLengthExceeded",
    "DecoderImageConfig",
    "MadePictureConfig",
    "PictureError",
    "PictureLimits",
    "ProcessorConfig",
    "Prompts",
    "TrainBatch",
    "Unit",
    "VisionImageConfig",
    "VisionLLMProcessor",
    "Vocabulary",
    "known_class_answer",
    "known_class_question",
    "made_answer",
    "made_question",
    "open_picture",
    "picture_files",
    "picture_size",
    "point_answer",
    "point_question",
    "pose_answer",
    "pose_question",
    "refer_answer",
    "train_tokenizer",
]
