import json

import pytest
import sentencepiece
import torch
from safetensors.torch import load_file
from transformers import XLMRobertaTokenizer

from daitir.convert import __main__ as convert
from daitir.convert.beit3 import resize_positions
from daitir.encoders import load_encoder
from daitir.errors import DaitirError
from tests.test_encoders import pictures
from tests.tiny_encoders import BEIT3, beit3, beit3_state, options_of, spm


def test_a_converted_checkpoint_keeps_its_names_and_weights(tmp_path, capsys):
    """Sizes are those of the shapes, the card names the source, nothing else is in the folder."""
    folder = beit3(tmp_path / "model")
    assert sorted(path.name for path in folder.iterdir()) == [
        *("README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    ]
    assert json.loads((folder / "config.json").read_text()) == BEIT3.model_dump()
    weights = load_file(folder / "model.safetensors")
    assert weights.keys() == beit3_state().keys()
    assert all(torch.equal(weight, weights[name]) for name, weight in beit3_state().items())
    assert "`beit3.pth`, SHA-256" in (folder / "README.md").read_text()
    assert "2 layers of 128 at 24 px" in capsys.readouterr().out


def test_tokens_are_sentencepieces_counted_as_fairseq_does(tmp_path):
    """Begin 0, padding 1, end 2, unknown 3, then the pieces, each one further than in the file."""
    tokenizer = XLMRobertaTokenizer.from_pretrained(beit3(tmp_path / "model"))
    pieces = sentencepiece.SentencePieceProcessor(model_proto=spm())
    for text in ["a red star, is it large?", " What  \uff43olour zebra. ", "", "yes"]:
        wanted = [3 if piece == 0 else piece + 1 for piece in pieces.encode(text)]
        assert tokenizer(text).input_ids == [0, *wanted, 2]
    assert tokenizer.pad_token_id == 1


def test_positions_of_another_image_size_are_interpolated(tmp_path):
    """The rows before the patches and the texts stay; the model takes images of the new size."""
    folder = beit3(tmp_path / "model", "--image-size", "40")
    name = "beit3.encoder.embed_positions.A.weight"
    old, new = beit3_state()[name], load_file(folder / "model.safetensors")[name]
    assert torch.equal(new[:3], old[:3])
    assert new.shape == (3 + 25, 128)
    encoder = load_encoder(options_of("beit3", folder))
    assert encoder.pixels(pictures(1)[0]).shape == (3, 40, 40)
    assert encoder.facts.preprocessing.startswith("40 x 40")
    assert encoder.encode_images(pictures(2)).shape == (2, 128)


def test_interpolated_positions_keep_their_plane():
    """What grows along rows and columns still does, about the same middle."""
    plane = torch.stack(torch.meshgrid(torch.arange(4.0), torch.arange(4.0), indexing="ij"), dim=-1)
    before = torch.full((3, 2), 9.0)
    resized = resize_positions(torch.cat([before, plane.reshape(16, 2)]), 8)
    assert torch.equal(resized[:3], before)
    grid = resized[3:].reshape(8, 8, 2)
    assert (grid[1:, :, 0] > grid[:-1, :, 0]).all()
    assert (grid[:, 1:, 1] > grid[:, :-1, 1]).all()
    torch.testing.assert_close(grid.mean((0, 1)), torch.tensor([1.5, 1.5]))


def change(**changes):
    """Return an edit of a checkpoint: weights put in, or taken out where None."""

    def edit(state):
        for name, weight in changes.items():
            state.pop(name.replace("__", "."), None)
            if weight is not None:
                state[name.replace("__", ".")] = weight
        return state

    return edit


@pytest.mark.parametrize(
    ("edit", "arguments", "message"),
    [
        (
            change(mlm_head__weight=torch.zeros(2)),
            [],
            r"1 weights are left over, the first is 'mlm_head\.weight'",
        ),
        (
            change(language_head__weight=None),
            [],
            r"1 weights are missing, the first is 'language_head\.weight'",
        ),
        (change(beit3__text_embed__weight=None), [], r"0 weights called 'beit3\.text_embed\.weight'"),
        (
            change(beit3__vision_embed__proj__weight=None),
            [],
            r"no weight 'beit3\.vision_embed\.proj\.weight'",
        ),
        (
            change(vision_head__weight=torch.zeros(3, 3)),
            [],
            r"'vision_head\.weight' is 3 x 3, the model has 128",
        ),
        (change(logit_scale=torch.tensor(float("nan"))), [], "'logit_scale' is not finite"),
        (
            change(beit3__encoder__embed_positions__A__weight=torch.zeros(13, 128)),
            *([], "has 10 positions, which are no square grid"),
        ),
        (change(), ["--image-size", "30"], "--image-size 30 is no multiple of the patch of 8 pixels"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path, edit, arguments, message):
    """By the names of its weights; nothing is written."""
    torch.save({"model": edit(beit3_state())}, tmp_path / "in.pth")
    (tmp_path / "beit3.spm").write_bytes(spm())
    files = [str(tmp_path / "in.pth"), str(tmp_path / "out"), "--tokenizer", str(tmp_path / "beit3.spm")]
    with pytest.raises(DaitirError, match=message):
        convert.main(["beit3", *files, *arguments])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "does not exist: give --tokenizer"),
        (b"no sentencepiece", "cannot be loaded|gives 5 tokens"),
        (b"", "cannot be loaded|gives 5 tokens"),
    ],
)
def test_a_tokenizer_that_cannot_be_read_is_refused(tmp_path, data, message):
    """Without its pieces every text would be a row of unknowns."""
    torch.save(beit3_state(), tmp_path / "in.pth")
    if data is not None:
        (tmp_path / "beit3.spm").write_bytes(data)
    files = [str(tmp_path / "in.pth"), str(tmp_path / "out"), "--tokenizer", str(tmp_path / "beit3.spm")]
    with pytest.raises(DaitirError, match=message):
        convert.main(["beit3", *files])
    assert not (tmp_path / "out").exists()


def test_a_tokenizer_of_more_pieces_than_words_is_refused(tmp_path):
    """It is another model's."""
    size = BEIT3.model_copy(update={"vocabulary": 40})
    with pytest.raises(DaitirError, match="gives 47 tokens, the checkpoint has 40 word embeddings"):
        beit3(tmp_path / "model", size=size)
