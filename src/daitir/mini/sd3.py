"""The parts of mini-sd3, a StableDiffusion3Pipeline so small that two CPU cores train it and draw with it."""

from __future__ import annotations

import json
import random
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from tokenizers import Tokenizer, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer

from daitir.mini.language import all_of, prompt
from daitir.mini.world import draw_scene

LATENT_SIDE, LATENT_CHANNELS = 12, 8
PROMPT_TOKENS = 34  # the longest prompt of the language with its two ends
EMPTY_TOKENS = (
    1  # rows of zeros in place of the absent third text encoder: `max_sequence_length` when drawing
)
ENCODERS = ((96, 3), (64, 2))  # width and layers; the last layer of each only serves its pooled output
WIDTH, HEADS, LAYERS = 128, 4, 4
BEGIN, END = "<|startoftext|>", "<|endoftext|>"


class Painter(nn.Module):
    """The transformer and its two text encoders: what is trained together."""

    def __init__(self, vocabulary: int):
        super().__init__()
        self.encoders = nn.ModuleList(build_encoder(width, layers, vocabulary) for width, layers in ENCODERS)
        self.transformer = build_transformer()

    def forward(self, noisy: Tensor, tokens: Tensor, timestep: Tensor) -> Tensor:
        """The velocity from picture to noise of batch x 8 x 12 x 12 latents; timesteps go from 0 to 1000."""
        words, pooled = self.read(tokens)
        return self.transformer(noisy, words, pooled, timestep, return_dict=False)[0]

    def read(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings of the words and of the whole prompt, put together as the pipeline does it."""
        outputs = [encoder(tokens, output_hidden_states=True) for encoder in self.encoders]
        words = torch.cat([output.hidden_states[-2] for output in outputs], dim=-1)
        pooled = torch.cat([output.text_embeds for output in outputs], dim=-1)
        return F.pad(words, (0, 0, 0, EMPTY_TOKENS)), pooled


def build_encoder(width: int, layers: int, vocabulary: int) -> CLIPTextModelWithProjection:
    """A text encoder whose projection is as wide as it is."""
    config = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        max_position_embeddings=PROMPT_TOKENS,
        projection_dim=width,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        initializer_factor=1.0,
    )
    return CLIPTextModelWithProjection(config)


def build_transformer() -> SD3Transformer2DModel:
    """Blocks start as the identity: their modulation is zero, and so is the output."""
    joint = sum(width for width, _ in ENCODERS)
    transformer = SD3Transformer2DModel(
        sample_size=LATENT_SIDE,
        patch_size=2,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        num_layers=LAYERS,
        attention_head_dim=WIDTH // HEADS,
        num_attention_heads=HEADS,
        joint_attention_dim=joint,
        caption_projection_dim=WIDTH,
        pooled_projection_dim=joint,
        pos_embed_max_size=LATENT_SIDE // 2,
        qk_norm="rms_norm",
    )
    modulations = [
        norm.linear for block in transformer.transformer_blocks for norm in (block.norm1, block.norm1_context)
    ]
    for layer in (*modulations, transformer.norm_out.linear, transformer.proj_out):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    return transformer


def build_tokenizer() -> CLIPTokenizer:
    """A CLIP tokenizer that has each word of the language as one token, and every other text as letters."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    blank = CLIPTokenizer(vocab={BEGIN: 0, END: 1}, merges=[])
    learner = Tokenizer.from_str(blank.backend_tokenizer.to_str())
    rng = random.Random("words")
    scenes = [draw_scene(rng, "models") for _ in range(1000)]
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        special_tokens=[BEGIN, END],
        initial_alphabet=letters,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    learner.train_from_iterator((prompt(all_of(scene), k) for scene in scenes for k in (1, 2, 3)), trainer)
    learned = json.loads(learner.to_str())["model"]
    vocabulary = learned["vocab"]
    for letter in letters:
        vocabulary.setdefault(f"{letter}</w>", len(vocabulary))
    merges = [tuple(merge) for merge in learned["merges"]]
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=PROMPT_TOKENS)


def tokens_of(tokenizer: CLIPTokenizer, prompts: list[str]) -> Tensor:
    """Token numbers as the pipeline makes them: padded to the full length."""
    return tokenizer(prompts, padding="max_length", truncation=True, return_tensors="pt").input_ids


def assemble(
    painter: Painter, tokenizer: CLIPTokenizer, autoencoder: AutoencoderKL
) -> StableDiffusion3Pipeline:
    """The pipeline that draws with these weights."""
    return StableDiffusion3Pipeline(
        transformer=painter.transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0),
        vae=autoencoder,
        text_encoder=painter.encoders[0],
        tokenizer=tokenizer,
        text_encoder_2=painter.encoders[1],
        tokenizer_2=tokenizer,
        text_encoder_3=None,
        tokenizer_3=None,
    )


def save(pipeline: StableDiffusion3Pipeline, directory: Path) -> None:
    """Write the pipeline; transformer and autoencoder in half precision, which loads as single precision."""
    pipeline.save_pretrained(directory)
    for name in ("transformer", "vae"):
        half = type(getattr(pipeline, name)).from_pretrained(directory / name, torch_dtype=torch.float16)
        half.save_pretrained(directory / name)
