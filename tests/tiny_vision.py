"""Tiny random models that see, in the standard formats, and a chat model that asks by heart."""

from pathlib import Path

import torch
from transformers import (
    BertTokenizer,
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipForQuestionAnswering,
    BlipImageProcessor,
    BlipProcessor,
    CLIPImageProcessor,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from tests import tiny

SIDE = {"height": 24, "width": 24}
LAYERS = {"hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2, "intermediate_size": 64}
TEMPLATE = (
    "{% for message in messages %}<|user|>{% for part in message.content %}"
    "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}{% endfor %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def blip(folder: Path, answers: bool) -> Path:
    """A BLIP that answers questions, or one that writes captions; both end after few words."""
    torch.manual_seed(0)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]"]
    vocabulary = {word: place for place, word in enumerate([*special, *tiny.WORDS, "?"])}
    tokens = {"bos_token_id": 5, "sep_token_id": 3, "eos_token_id": 3, "pad_token_id": 0}
    text = {"vocab_size": len(vocabulary), "max_position_embeddings": 64, "initializer_range": 0.3}
    vision = {"image_size": 24, "patch_size": 8, "initializer_range": 0.3}
    config = BlipConfig(text_config={**LAYERS, **text, **tokens}, vision_config={**LAYERS, **vision})
    model = (BlipForQuestionAnswering if answers else BlipForConditionalGeneration)(config)
    end_soon(model.text_decoder.cls.predictions.decoder.bias, 3)
    model.save_pretrained(folder)
    tokenizer = BertTokenizer(vocab=vocabulary, model_max_length=64)
    BlipProcessor(BlipImageProcessor(size=SIDE), tokenizer).save_pretrained(folder)
    return folder


def blip2(folder: Path) -> Path:
    """A BLIP-2 with OPT: two queries of the image stand before the prompt."""
    torch.manual_seed(0)
    tokenizer = letters(folder)
    text = {"hidden_size": 32, "ffn_dim": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    text |= {"vocab_size": len(tokenizer), "max_position_embeddings": 128, "word_embed_proj_dim": 32}
    tokens = {"bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0}
    config = Blip2Config(
        vision_config={**LAYERS, "image_size": 24, "patch_size": 8, "initializer_range": 0.3},
        qformer_config={**LAYERS, "encoder_hidden_size": 32, "vocab_size": 9, "initializer_range": 0.3},
        text_config={"model_type": "opt", **text, **tokens, "init_std": 0.3},
        num_query_tokens=2,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    model = Blip2ForConditionalGeneration(config)
    torch.nn.init.normal_(model.query_tokens)
    torch.nn.init.normal_(model.language_projection.weight)  # so that the image outweighs the prompt
    end_often(model.language_model.lm_head)
    model.save_pretrained(folder)
    Blip2Processor(BlipImageProcessor(size=SIDE), tokenizer, num_query_tokens=2).save_pretrained(folder)
    return folder


def llava(folder: Path) -> Path:
    """A LLaVA: a chat model before which stand the patches of the image."""
    torch.manual_seed(0)
    tokenizer = letters(folder)
    text = {"model_type": "llama", **LAYERS, "vocab_size": len(tokenizer), "max_position_embeddings": 256}
    tokens = {"bos_token_id": None, "eos_token_id": 1, "pad_token_id": 0}
    config = LlavaConfig(
        vision_config={"model_type": "clip_vision_model", **LAYERS, "image_size": 24, "patch_size": 8},
        text_config={**text, **tokens, "initializer_range": 0.3},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    model = LlavaForConditionalGeneration(config)
    end_often(model.lm_head)
    model.save_pretrained(folder)
    LlavaProcessor(
        CLIPImageProcessor(size=SIDE, crop_size=SIDE),
        tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    ).save_pretrained(folder)
    return folder


def letters(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer of the tiny chat model, with a token for images."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tiny.llama(folder / "llama"))
    tokenizer.add_tokens(["<image>"], special_tokens=True)
    return tokenizer


@torch.no_grad()
def end_soon(bias: torch.Tensor, end: int) -> None:
    """Let a model end its text after a word or two."""
    bias[end] += 6


@torch.no_grad()
def end_often(head: torch.nn.Linear) -> None:
    """Let a model choose its end token whenever it leans to it at all."""
    head.weight[1] *= 4
