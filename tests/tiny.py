"""A tiny random encoder and chat model in the standard formats, and dialogues and pictures to try them on."""

import json
import random
from pathlib import Path

import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForImageTextRetrieval,
    BlipImageProcessor,
    BlipProcessor,
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
