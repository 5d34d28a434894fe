"""Tiny random models in the standard directory formats, and dialogues and pictures to try them on."""

import json
import random
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForImageTextRetrieval,
    BlipImageProcessor,
    BlipProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from daitir.dialogues import Dialogue, write_dialogues

WORDS = [
    *("a", "red", "blue", "star", "circle", "on", "green", "large", "small", "is"),
    *("it", "there", "yes", "no", "what", "colour", "left", "right", "sky", "tree"),
]
CHAT = (
    "{% for message in messages %}{{ '<|' + message.role + '|>' + message.content + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def blip(folder: Path) -> Path:
    """A BLIP of 24 px, 32 wide, two layers; its tokenizer is BERT's with a few words."""
    torch.manual_seed(0)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: place for place, word in enumerate([*special, *WORDS, ",", "?", "."])}
    width = {"hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2, "intermediate_size": 64}
    width["initializer_range"] = 0.1  # BLIP's own default makes all images alike
    text = {"vocab_size": len(vocabulary), "max_position_embeddings": 64, "projection_dim": 16}
    tokens = {"bos_token_id": 2, "sep_token_id": 3, "eos_token_id": 3, "pad_token_id": 0}
    vision = {"image_size": 24, "patch_size": 8, "projection_dim": 16}
    config = BlipConfig(
        text_config={**width, **text, **tokens}, vision_config={**width, **vision}, image_text_hidden_size=16
    )
    BlipForImageTextRetrieval(config).save_pretrained(folder)
    tokenizer = BertTokenizer(vocab=vocabulary, model_max_length=64)
    BlipProcessor(BlipImageProcessor(size={"height": 24, "width": 24}), tokenizer).save_pretrained(folder)
    return folder


def llama(folder: Path, positions: int = 512) -> Path:
    """A chat model that writes random words; it ends an answer often, but not always in time."""
    torch.manual_seed(0)
    special = ["<|pad|>", "<|end|>", "<|user|>", "<|assistant|>"]
    letters = [chr(code) for code in range(33, 127)] + ["Ġ", "Ċ"]
    vocabulary = {token: place for place, token in enumerate([*special, *letters])}
    bpe = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        additional_special_tokens=special[2:],
        chat_template=CHAT,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=positions,
        initializer_range=0.3,
        eos_token_id=1,
        pad_token_id=0,
        bos_token_id=None,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        # Unlike a trained model's, its choices are far from sure, so that asking again helps.
        model.lm_head.weight *= 0.5
        model.lm_head.weight[1] *= 2
    model.save_pretrained(folder)
    return folder


def clip_tokenizer() -> CLIPTokenizer:
    letters = [chr(code) for code in range(33, 127)]
    tokens = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
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


def autoencoder() -> AutoencoderKL:
    """16 px pictures, latents of 8 x 8 with 4 channels."""
    return AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=2,
        sample_size=16,
        scaling_factor=1.0,
        shift_factor=0.0,
    )


def sd3(folder: Path) -> Path:
    """A Stable Diffusion 3 pipeline without its third text encoder, 16 px."""
    torch.manual_seed(0)
    transformer = SD3Transformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=4,
        out_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        joint_attention_dim=40,
        caption_projection_dim=32,
        pooled_projection_dim=40,
        pos_embed_max_size=4,
    )
    StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoder(),
        text_encoder=clip_text(24),
        tokenizer=clip_tokenizer(),
        text_encoder_2=clip_text(16),
        tokenizer_2=clip_tokenizer(),
        text_encoder_3=None,
        tokenizer_3=None,
    ).save_pretrained(folder)
    return folder


def sd2(folder: Path) -> Path:
    """A Stable Diffusion 2 pipeline, 16 px."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=24,
        attention_head_dim=4,
        norm_num_groups=2,
    )
    StableDiffusionPipeline(
        unet=unet,
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        vae=autoencoder(),
        text_encoder=clip_text(24, CLIPTextModel),
        tokenizer=clip_tokenizer(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


def dialogues(path: Path, count: int = 5, rounds: int = 3) -> list[Dialogue]:
    """Dialogues of random words; the first two are alike."""
    rng = random.Random(0)

    def turn() -> str:
        return " ".join(rng.choices(WORDS, k=rng.randint(3, 9)))

    turns = [tuple(turn() for _ in range(rounds)) for _ in range(count)]
    turns[1] = turns[0]
    made = [Dialogue(f"d{number}", f"{number}.png", said) for number, said in enumerate(turns)]
    write_dialogues(path, made, {"stage": "test"})
    return made


def corpus(folder: Path, count: int = 7) -> tuple[Path, Path]:
    """Random pictures of several sizes and a list of them; returns the list and the folder."""
    rng = random.Random(1)
    (folder / "images").mkdir(parents=True)
    names = [f"{number}.png" for number in range(count)]
    for name in names:
        size = (rng.randint(20, 40), rng.randint(20, 40))
        Image.frombytes("RGB", size, rng.randbytes(size[0] * size[1] * 3)).save(folder / "images" / name)
    (folder / "corpus.json").write_text(json.dumps(names))
    return folder / "corpus.json", folder / "images"
