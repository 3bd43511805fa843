"""Build healthy models of other libraries, with the random weights that their own defaults draw.

All are untrained and intact, so a fault that `inspect` reports in one of them is a false alarm, or needs a good reason.
The libraries are no dependencies of deadrelu: each is imported where a model of it is built, and nothing is downloaded.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

N = 16
"""Number of inputs for each model."""

SIZE = 64
"""Width and height of images in pixels."""

LENGTH, VOCABULARY, WIDTH, DEPTH = 12, 200, 256, 6
"""Sizes of models of text: tokens in a sequence, tokens in the vocabulary, units, and blocks."""


class Stranger(NamedTuple):
    """A model with the inputs on which it is inspected."""

    model: Any
    inputs: Any
    """An array, or arrays by the model's names for them."""
    training: bool = False
    """Whether it has BatchNormalization that has seen no data, and so needs the statistics of the batch."""


Builder = Callable[[], Stranger]


def normal(*shape: int) -> np.ndarray:
    """Return standard normal numbers, such as images with mean and scale removed."""
    return np.random.default_rng(1).normal(size=(N, *shape)).astype(np.float32)


def pixels(size: int) -> np.ndarray:
    """Return images from 0 to 255, channels last, for models that scale their inputs themselves."""
    return np.clip(np.round(128 + 64 * normal(size, size, 3)), 0, 255)


def tokens(length: int = LENGTH, seed: int = 2) -> np.ndarray:
    """Return random tokens, except the first few, which models reserve for padding and the like."""
    return np.random.default_rng(seed).integers(10, VOCABULARY, (N, length))


def _is_new(modules: Any) -> bool:
    """Return whether any module normalizes by batches, of which an untrained model has seen none."""
    return any("BatchNorm" in type(module).__name__ for module in modules)


def _of_torch(make: Callable[[], Any], inputs: Callable[[], Any]) -> Builder:
    def build() -> Stranger:
        import torch

        torch.manual_seed(0)
        model = make()
        return Stranger(model, inputs(), _is_new(model.modules()))

    return build


_AS_THEY_ARE = (
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small"),
    *("regnet_y_400mf", "resnet18", "resnet50", "shufflenet_v2_x0_5", "squeezenet1_0", "swin_t", "vgg11"),
)
_VIT = {"num_heads": 4, "num_layers": DEPTH, "hidden_dim": WIDTH, "mlp_dim": 4 * WIDTH}
TORCHVISION: dict[str, dict[str, Any]] = {
    **{name: {} for name in _AS_THEY_ARE},
    "googlenet": {"aux_logits": False, "init_weights": True},
    "VisionTransformer": {**_VIT, "image_size": SIZE, "patch_size": 16},
}
"""Arguments of functions and classes in `torchvision.models`."""


def _torchvision(name: str, arguments: dict[str, Any]) -> Builder:
    def make() -> Any:
        import torchvision

        return getattr(torchvision.models, name)(**arguments)

    return _of_torch(make, lambda: normal(3, SIZE, SIZE))


_OF_ANY_SIZE = ("nf_regnet_b0", "poolformer_s12", "regnetx_002", "resnet26d")
_OF_PATCHES = (
    *("cait_xxs24_224", "gmlp_ti16_224", "mixer_s32_224", "resmlp_12_224", "vit_tiny_patch16_224"),
    "xcit_nano_12_p16_224",
)
TIMM: dict[str, dict[str, Any]] = {
    **{name: {} for name in _OF_ANY_SIZE},
    **{name: {"img_size": SIZE} for name in _OF_PATCHES},
    **{name: {"img_size": 2 * SIZE} for name in ("levit_128s", "mobilevit_xxs")},
}
"""Arguments of `timm.create_model`. With smaller images, the last stages of two models would have one position."""


def _timm(name: str, arguments: dict[str, Any]) -> Builder:
    def make() -> Any:
        import timm

        return timm.create_model(name, pretrained=False, **arguments)

    size = arguments.get("img_size", SIZE)
    return _of_torch(make, lambda: normal(3, size, size))


_BLOCKS = {"hidden_size": WIDTH, "num_hidden_layers": DEPTH, "num_attention_heads": 4, "intermediate_size": 4 * WIDTH}
_BERT = {**_BLOCKS, "vocab_size": VOCABULARY}
_IMAGES = {**_BLOCKS, "image_size": SIZE, "patch_size": 16}
_GPT2 = {"vocab_size": VOCABULARY, "n_embd": WIDTH, "n_layer": DEPTH, "n_head": 4, "n_positions": LENGTH}
_DISTILBERT = {"vocab_size": VOCABULARY, "dim": WIDTH, "n_layers": DEPTH, "n_heads": 4, "hidden_dim": 4 * WIDTH}
_T5 = {"vocab_size": VOCABULARY, "d_model": WIDTH, "num_layers": DEPTH, "num_heads": 4, "d_kv": 64, "d_ff": 4 * WIDTH}
_SIZES = {"layers": DEPTH, "attention_heads": 4, "ffn_dim": 4 * WIDTH}
_BOTH = {f"{part}_{what}": size for part in ("encoder", "decoder") for what, size in _SIZES.items()}
_BART = {"vocab_size": VOCABULARY, "d_model": WIDTH, **_BOTH}
_SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}  # their defaults are beyond the vocabulary
_WHISPER = {**_BART, **_SPECIAL, "decoder_start_token_id": 1, "max_source_positions": 50}


def _ids() -> dict[str, np.ndarray]:
    return {"input_ids": tokens()}


def _pairs() -> dict[str, np.ndarray]:
    return {"input_ids": tokens(), "decoder_input_ids": tokens(8, seed=3)}


def _sounds() -> dict[str, np.ndarray]:
    return {"input_features": normal(80, 100), "decoder_input_ids": tokens(8)}


TRANSFORMERS: dict[str, tuple[str, dict[str, Any], Callable[[], Any]]] = {
    "BartModel": ("BartConfig", _BART, _pairs),
    "BertForMaskedLM": ("BertConfig", _BERT, _ids),
    "CLIPVisionModel": ("CLIPVisionConfig", _IMAGES, lambda: {"pixel_values": normal(3, SIZE, SIZE)}),
    "DistilBertForSequenceClassification": ("DistilBertConfig", _DISTILBERT, _ids),
    "GPT2LMHeadModel": ("GPT2Config", {**_GPT2, **_SPECIAL}, _ids),
    "GemmaForCausalLM": ("GemmaConfig", {**_BERT, "num_key_value_heads": 4, "head_dim": 64}, _ids),
    "LlamaForCausalLM": ("LlamaConfig", _BERT, _ids),
    "MambaForCausalLM": ("MambaConfig", _BERT, lambda: {"input_ids": tokens(4)}),
    "T5ForConditionalGeneration": ("T5Config", _T5, _pairs),
    "ViTForImageClassification": ("ViTConfig", _IMAGES, lambda: normal(3, SIZE, SIZE)),
    "Wav2Vec2Model": ("Wav2Vec2Config", {**_BLOCKS, "conv_dim": (64,) * 7}, lambda: normal(4000)),
    "WhisperModel": ("WhisperConfig", _WHISPER, _sounds),
}
"""The configuration of each class, the configuration's arguments, and a function that makes inputs."""


def _transformers(name: str, config: str, arguments: dict[str, Any], inputs: Callable[[], Any]) -> Builder:
    def make() -> Any:
        import transformers

        return getattr(transformers, name)(getattr(transformers, config)(**arguments))

    return _of_torch(make, inputs)


APPLICATIONS = (
    *("ConvNeXtTiny", "DenseNet121", "EfficientNetB0", "InceptionV3", "MobileNetV2", "MobileNetV3Small"),
    *("ResNet50", "ResNet50V2", "VGG16", "Xception"),
)
"""Functions of `keras.applications`."""

SCALE_THEIR_INPUTS = ("ConvNeXtTiny", "EfficientNetB0", "MobileNetV3Small")


def _of_keras(make: Callable[[], Any], inputs: Callable[[Any], Any]) -> Builder:
    def build() -> Stranger:
        import keras

        keras.utils.set_random_seed(0)
        model = make()
        return Stranger(model, inputs(model), _is_new(model._flatten_layers()))

    return build


def _application(name: str) -> Builder:
    size = {"InceptionV3": 75, "Xception": 71}.get(name, SIZE)  # they accept no smaller images

    def make() -> Any:
        import keras

        return getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10)

    return _of_keras(make, lambda _: pixels(size) if name in SCALE_THEIR_INPUTS else normal(size, size, 3))


_TEXT = {"vocabulary_size": VOCABULARY, "num_layers": DEPTH, "hidden_dim": WIDTH, "intermediate_dim": 4 * WIDTH}
_HEADS = {**_TEXT, "num_heads": 4}
_QUERIES = {**_TEXT, "num_query_heads": 4, "num_key_value_heads": 4}
_ALIKE = ("Bert", "DistilBert", "GPT2", "OPT", "Roberta", "T5")
HUB: dict[str, dict[str, Any]] = {
    **{f"{name}Backbone": _HEADS for name in _ALIKE},
    "AlbertBackbone": {**_HEADS, "embedding_dim": 64},
    "GemmaBackbone": {**_QUERIES, "head_dim": 64},
    "LlamaBackbone": _QUERIES,
    "ViTBackbone": {**_VIT, "image_shape": (SIZE, SIZE, 3), "patch_size": (16, 16)},
}
"""Arguments of classes in `keras_hub.models`."""


def _by_name(model: Any) -> dict[str, np.ndarray]:
    """Return the inputs of a backbone: tokens, a mask that hides none of them and one segment, or images."""
    inputs = {}
    for name in [tensor.name for tensor in model.inputs]:
        if "images" in name:
            inputs[name] = normal(SIZE, SIZE, 3)
        elif "token_ids" in name:
            inputs[name] = tokens(seed=3 if "decoder" in name else 2)
        else:
            inputs[name] = np.full((N, LENGTH), "mask" in name, np.int64)
    return inputs


def _hub(name: str, arguments: dict[str, Any]) -> Builder:
    def make() -> Any:
        import keras_hub

        return getattr(keras_hub.models, name)(**arguments)

    return _of_keras(make, _by_name)


TORCH: dict[str, Builder] = {
    **{f"torchvision.{name}": _torchvision(name, arguments) for name, arguments in TORCHVISION.items()},
    **{f"timm.{name}": _timm(name, arguments) for name, arguments in TIMM.items()},
    **{f"transformers.{name}": _transformers(name, *about) for name, about in TRANSFORMERS.items()},
}
KERAS: dict[str, Builder] = {
    **{f"keras.applications.{name}": _application(name) for name in APPLICATIONS},
    **{f"keras_hub.{name}": _hub(name, arguments) for name, arguments in HUB.items()},
}
