"""Who answers sees: models of every kind say of an image what they would say of it alone."""

import json

import pytest
import torch
from PIL import Image
from transformers import BlipForQuestionAnswering, BlipProcessor

from daitir.errors import DaitirError
from daitir.options import Options
from daitir.simulation import SimulationOptions, TransformersAnswerer
from daitir.simulation.answerers import load_answerer, load_python, require_texts
from tests import tiny, tiny_vision

QUESTIONS = [
    "what colour is it?",
    "is there a star?",
    "is it large?",
    "a tree?",
    "is it red?",
    "what?",
    "is it?",
]
MAKERS = {
    "blip2": tiny_vision.blip2,
    "llava": tiny_vision.llava,
    "vqa": lambda folder: tiny_vision.blip(folder, answers=True),
    "captioner": lambda folder: tiny_vision.blip(folder, answers=False),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """One tiny model of each kind."""
    root = tmp_path_factory.mktemp("models")
    return {name: make(root / name) for name, make in MAKERS.items()}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Seven random pictures."""
    _, folder = tiny.corpus(tmp_path_factory.mktemp("corpus"))
    return [Image.open(path).convert("RGB") for path in sorted(folder.glob("*.png"))]


def load(model, **options):
    settings = {"model": str(model), "device": "cpu", "max_new_tokens": 40} | options
    return load_answerer(TransformersAnswerer(kind="transformers", **settings))


@pytest.mark.parametrize("name", ["blip2", "llava", "vqa"])
def test_an_answer_belongs_to_its_own_image_and_question(models, images, name):
    """In batches of one, three and eight the answers are the same, and images and questions both matter."""
    answers = [load(models[name], batch_size=size).answer(images, QUESTIONS) for size in (1, 3, 8)]
    assert answers[0] == answers[1] == answers[2]
    answerer = load(models[name])
    assert len(set(answerer.answer(images, QUESTIONS[:1] * 7))) > 1
    assert any(len(set(answerer.answer([image] * 7, QUESTIONS))) > 1 for image in images)


@pytest.mark.parametrize("name", ["blip2", "llava", "captioner"])
def test_a_caption_belongs_to_its_own_image(models, images, name):
    """In batches of one and eight the captions are the same, and not those of other images."""
    captions = [load(models[name], batch_size=size).caption(images) for size in (1, 8)]
    assert captions[0] == captions[1]
    assert len(set(captions[0])) > 1


@pytest.mark.parametrize("name", ["blip2", "llava"])
def test_an_answer_is_the_greedy_continuation_of_its_prompt(models, images, name):
    """Written token by token with the model's own forward pass, without padding and without the cache."""
    answerer = load(models[name])
    prompt = answerer.kind.answer.replace("{question}", QUESTIONS[0])
    if name == "llava":
        prompt = f"<|user|><image>{prompt}<|end|><|assistant|>"
    inputs = answerer.processor(images=[images[0]], text=[prompt], return_tensors="pt")
    length = inputs["input_ids"].shape[1]
    while True:
        with torch.no_grad():
            logits = answerer.model(**inputs).logits[0, -1]
        if inputs["input_ids"].shape[1] == length:
            logits[1] = -torch.inf  # an answer has one token at least
        token = int(logits.argmax())
        if token == 1:
            break
        inputs["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([[token]])], dim=1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    written = answerer.processor.tokenizer.decode(inputs["input_ids"][0, length:], skip_special_tokens=True)
    assert answerer.answer(images[:1], QUESTIONS[:1]) == [written]


def test_blip_answers_as_its_own_documentation_asks_it(models, images):
    """One image, one question, nothing padded."""
    model = BlipForQuestionAnswering.from_pretrained(models["vqa"]).eval()
    processor = BlipProcessor.from_pretrained(models["vqa"])
    inputs = processor(images=images[0], text=QUESTIONS[0], return_tensors="pt")
    tokens = model.generate(**inputs, max_new_tokens=40, min_new_tokens=1)
    wanted = processor.decode(tokens[0, 1:], skip_special_tokens=True)
    assert load(models["vqa"]).answer(images, QUESTIONS)[0] == wanted


def test_prompts_can_be_set(models, images):
    """The prompt of answers holds the question; another prompt, another text."""
    plain, other = load(models["llava"]), load(models["llava"], answer_prompt="{question} Say it.")
    assert plain.answer(images, QUESTIONS) != other.answer(images, QUESTIONS)
    with pytest.raises(DaitirError, match=r"answer_prompt: it must hold \{question\} once"):
        TransformersAnswerer.parse({"kind": "transformers", "model": "m", "answer_prompt": "what?"}, "here")


def test_a_model_is_not_asked_for_what_it_cannot_do(models, images, tmp_path):
    """A model that only answers, one that only captions, and one that does neither."""
    with pytest.raises(DaitirError, match="answers questions and writes no captions: name a `captioner`"):
        load(models["vqa"]).caption(images)
    with pytest.raises(DaitirError, match="writes captions and answers no questions"):
        load(models["captioner"]).answer(images, QUESTIONS)
    with pytest.raises(DaitirError, match="is a BlipForImageTextRetrieval, which writes no answers"):
        load(tiny.blip(tmp_path))


def test_an_answer_that_is_cut_off_is_refused(models, images):
    """What was asked, and what to raise."""
    wanted = r"cut off after max_new_tokens \(1\) at .* raise it.*: the simulation then starts anew"
    with pytest.raises(DaitirError, match=wanted):
        load(models["llava"], max_new_tokens=1).answer(images, QUESTIONS)


def test_blip2_with_a_foreign_processor_is_refused(models, tmp_path):
    """Its image tokens would be words, and the image would not be seen."""
    for path in models["blip2"].iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"image_token_index": 7}))
    with pytest.raises(DaitirError, match="looks for the image at token 7"):
        load(tmp_path)


def test_own_code_is_called_by_its_name():
    """A class with the two methods; else a line says what is wrong."""
    assert load_python("daitir.mini.answers:WorldAnswerer").caption([]) == []
    with pytest.raises(DaitirError, match=r"cannot be imported .*: mend `function:`"):
        load_python("daitir.mini.answers:Nobody")
    with pytest.raises(DaitirError, match="has no method 'caption'"):
        load_python("collections:OrderedDict")


def test_texts_of_an_answerer_are_on_one_line_and_not_empty():
    """Blanks are joined; an empty text is refused by its place."""
    assert require_texts(["a  red\nstar "], ["a.png"]) == ["a red star"]
    with pytest.raises(DaitirError, match=r"b.png: the text is empty"):
        require_texts(["a", " "], ["a.png", "b.png"])
    with pytest.raises(DaitirError, match="1 texts came back for 2 images"):
        require_texts(["a"], ["a.png", "b.png"])


def test_options_say_what_changes_bytes():
    """Batch sizes and devices do not."""
    options = SimulationOptions.parse(
        {
            "questioner": {"kind": "transformers", "model": "m", "batch_size": 2},
            "answerer": {"kind": "python", "function": "a.b:C", "batch_size": 3},
        },
        "here",
    )
    assert isinstance(options, Options)
    assert options.only("how")["answerer"] == {"batch_size": 3}
    assert options.only("bytes")["answerer"] == {"kind": "python", "function": "a.b:C"}
    again = {part: options.only("bytes")[part] for part in ("questioner", "answerer")}
    assert SimulationOptions.parse(again, "here").only("bytes") == options.only("bytes")


def too_little_memory(*_):
    raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def test_too_little_memory_is_one_line(models, images):
    """The model, and what to do."""
    answerer = load(models["llava"])
    answerer.model.register_forward_pre_hook(too_little_memory)
    with pytest.raises(DaitirError, match="llava needs more memory than cpu has: lower `batch_size`"):
        answerer.answer(images[:1], QUESTIONS[:1])
