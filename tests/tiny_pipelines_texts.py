"""Tiny random text encoders of diffusion pipelines, each with a tokenizer of single letters."""

import json
from pathlib import Path

from safetensors.torch import load_file, save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    Gemma2Config,
    Gemma2Model,
    GemmaTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

LETTERS = [chr(code) for code in range(33, 127)]
SPACE = "\u2581"
PUBLISHED = {
    "T5Tokenizer": "T5TokenizerFast",
    "GemmaTokenizer": "GemmaTokenizerFast",
    "CLIPImageProcessorPil": "CLIPImageProcessor",
}


def clip_tokenizer() -> CLIPTokenizer:
    tokens = ["<|startoftext|>", "<|endoftext|>", *LETTERS, *(f"{letter}</w>" for letter in LETTERS)]
    vocabulary = {token: place for place, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=40)


def clip_text(width: int, kind=CLIPTextModelWithProjection):
    config = CLIPTextConfig(
        vocab_size=190,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=40,
        projection_dim=width,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return kind(config)


def t5_tokenizer() -> T5Tokenizer:
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), (SPACE, -2.0)]
    vocabulary += [(letter, -3.0) for letter in LETTERS]
    return T5Tokenizer(vocab=vocabulary, extra_ids=0, model_max_length=40)


def t5_text(width: int) -> T5EncoderModel:
    config = T5Config(vocab_size=120, d_model=width, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
    return T5EncoderModel(config)


def gemma_tokenizer() -> GemmaTokenizer:
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", SPACE, *LETTERS, "\n"]
    vocabulary = {token: place for place, token in enumerate(tokens)}
    return GemmaTokenizer(vocab=vocabulary, merges=[], add_bos_token=True)


def gemma_text(width: int) -> Gemma2Model:
    config = Gemma2Config(
        vocab_size=100,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        query_pre_attn_scalar=8,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
    )
    return Gemma2Model(config)


def publish(folder: Path) -> Path:
    """Give a saved pipeline the names of published ones, which older versions of the libraries wrote."""
    index = (folder / "model_index.json").read_text()
    for ours, theirs in PUBLISHED.items():
        index = index.replace(f'"{ours}"', f'"{theirs}"')
    (folder / "model_index.json").write_text(index)
    for file in folder.glob("text_encoder*/model.safetensors"):
        if json.loads((file.parent / "config.json").read_text())["architectures"] == ["CLIPTextModel"]:
            weights = {f"text_model.{name}": weight for name, weight in load_file(file).items()}
            save_file(weights, file, metadata={"format": "pt"})
    return folder
