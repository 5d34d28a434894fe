import math
import subprocess
import sys

import pytest
import torch

from daitir.errors import DaitirError
from daitir.fusions import PRESETS, TRAINED_KINDS, load_fusion
from daitir.fusions.base import fuse_in_blocks
from daitir.fusions.dar import text_weight
from daitir.fusions.options import AdafuseOptions, AddOptions, DarOptions, ImageOptions, TrainOptions

# One query: the text looks along the first axis, two images along the second and the third.
TEXT = torch.tensor([[1.0, 0.0, 0.0]])
IMAGES = torch.tensor([[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])


def fuse(options, round_=0, images=IMAGES):
    return load_fusion(options).fuse(TEXT, images, torch.tensor([round_])).query_BD[0]


def direction(*values):
    return torch.tensor(values) / math.sqrt(sum(value * value for value in values))


@pytest.mark.parametrize(
    ("options", "round_", "expected"),
    [
        (PRESETS["text"], 0, (1.0, 0.0, 0.0)),
        (PRESETS["image"], 0, (0.0, 1.0, 1.0)),
        (ImageOptions(images=1), 0, (0.0, 1.0, 0.0)),
        (PRESETS["add"], 0, (math.sqrt(2), 1.0, 1.0)),  # the mean image is brought to unit length first
        (AddOptions(images=1), 0, (1.0, 1.0, 0.0)),
        (PRESETS["dar"], 0, (0.7, 0.3, 0.3)),  # the sum: two images weigh twice as much as one
        (PRESETS["dar"], 1, (0.7, 0.3, 0.3)),
        (PRESETS["dar"], 2, (0.5, 0.5, 0.5)),
        (PRESETS["dar"], 10, (0.5, 0.5, 0.5)),
        (DarOptions(aggregate="mean"), 0, (0.7, 0.15, 0.15)),  # the mean is not brought to unit length
        (PRESETS["dar-released"], 1, (0.8, 0.2, 0.0)),
        (PRESETS["dar-released"], 2, (0.5, 0.5, 0.0)),
    ],
)
def test_fusions_by_hand(options, round_, expected):
    """Each fusion without training gives the direction worked out by hand."""
    torch.testing.assert_close(fuse(options, round_), direction(*expected))


def test_dar_weighs_each_round_by_itself():
    """Queries of different rounds in one batch have their own weights."""
    text_BD, images_BKD = TEXT.repeat(2, 1), IMAGES.repeat(2, 1, 1)
    query_BD = load_fusion(PRESETS["dar"]).fuse(text_BD, images_BKD, torch.tensor([0, 2])).query_BD
    torch.testing.assert_close(query_BD[0], direction(0.7, 0.3, 0.3))
    torch.testing.assert_close(query_BD[1], direction(0.5, 0.5, 0.5))


def test_released_dar_ranks_as_its_weighted_similarities():
    """Adding features ranks as the released code's weighted sum of similarities does."""
    torch.manual_seed(0)
    corpus_ND = torch.nn.functional.normalize(torch.randn(20, 3), dim=-1)
    weighted_N = 0.8 * corpus_ND @ TEXT[0] + 0.2 * corpus_ND @ IMAGES[0, 0]
    assert (corpus_ND @ fuse(PRESETS["dar-released"])).argsort().tolist() == weighted_N.argsort().tolist()


@pytest.mark.parametrize(("round_", "weight"), [(0, 0.9), (3, 0.9), (4, 0.6), (6, 0.6), (7, 0.2), (99, 0.2)])
def test_schedule(round_, weight):
    """An entry holds from its round on."""
    assert text_weight({0: 0.9, 7: 0.2, 4: 0.6}, round_) == weight


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "dar", "alpha": {2: 0.5}}, "no weight for round 0"),
        ({"kind": "dar", "alpha": {0: 1.5}}, "alpha.0: Input should be less than or equal to 1"),
        ({"kind": "dar", "beta": 0.5}, "beta: unknown key"),
    ],
)
def test_faulty_dar(options, message):
    """A schedule without a beginning, a weight above one and an unknown key are refused."""
    with pytest.raises(DaitirError, match=message):
        DarOptions.parse(options, "fusion")


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"epochs": 5, "warmup_epochs": 5}, "leaves none of 5 epochs"),
        ({"seeds": [1, 1]}, "different whole numbers"),
        ({"seeds": [-1]}, "different whole numbers"),
        ({"held_out": 1.0}, "held_out: Input should be less than 1"),
        ({"epoch": 3}, "epoch: unknown key"),
    ],
)
def test_faulty_training(train, message):
    """A recipe that cannot work is refused when the config is read."""
    with pytest.raises(DaitirError, match=message):
        TrainOptions.parse({"dialogues": "d", **train}, "train")


def test_seeds_and_device_change_no_bytes():
    """One more seed, or another device, retrains nothing."""
    few = AdafuseOptions(train=TrainOptions(dialogues="d", seeds=(0,)), device="cpu")
    many = AdafuseOptions(train=TrainOptions(dialogues="d", seeds=(0, 1)))
    assert few.only("bytes") == many.only("bytes")
    assert AdafuseOptions.parse(few.only("bytes"), "x").only("bytes") == few.only("bytes")


def test_published_recipe():
    """The defaults are the published ones."""
    options = AdafuseOptions(train=TrainOptions(dialogues="d"))
    assert (options.projection, options.hidden, options.experts, options.dropout) == (512, 2048, 4, 0.2)
    train = options.train
    assert (train.learning_rate, train.weight_decay, train.clip) == (5e-5, 0.05, 3.0)
    assert (train.epochs, train.warmup_epochs, train.batch, train.accumulation) == (50, 5, 128, 16)


@pytest.mark.parametrize(
    ("options", "images", "message"),
    [
        (PRESETS["add"], None, "give their features with --pictures"),
        (ImageOptions(images=3), IMAGES, "looks at 3 images a round but there are 2"),
    ],
)
def test_images_that_lack(options, images, message):
    """A fusion with too few images stops."""
    with pytest.raises(DaitirError, match=message):
        fuse(options, images=images)


def test_weights_and_kinds_belong_together(tmp_path):
    """A trained fusion needs weights, any other takes none."""
    assert {options.kind for options in PRESETS.values()}.isdisjoint(TRAINED_KINDS)
    with pytest.raises(DaitirError, match="takes no weights"):
        load_fusion(PRESETS["dar"], tmp_path)
    with pytest.raises(DaitirError, match="give its --weights"):
        load_fusion(AdafuseOptions(train=TrainOptions(dialogues="d")))


def test_what_a_fusion_looks_at():
    """The options say what a system must have."""
    looks = {name: (options.uses_text, options.uses_images) for name, options in PRESETS.items()}
    assert looks["text"] == (True, False)
    assert looks["image"] == (False, True)
    assert looks["dar"] == looks["add"] == looks["dar-released"] == (True, True)


def test_blocks_change_nothing():
    """A hundred queries in blocks are a hundred queries in one."""
    text_MD = torch.nn.functional.normalize(torch.arange(300.0).reshape(100, 3) + 1, dim=-1)
    images_MKD, round_M = IMAGES.repeat(100, 1, 1), torch.arange(100) % 11
    dar = load_fusion(PRESETS["dar"])
    blocks = fuse_in_blocks(dar.fuse, text_MD, images_MKD, round_M)
    torch.testing.assert_close(blocks.query_BD, dar.fuse(text_MD, images_MKD, round_M).query_BD)
    assert blocks.gate_B is None
    assert blocks.router_BE is None


def test_options_load_no_torch():
    """The config reads the options of fusions without a model library."""
    code = "import sys, daitir.fusions; sys.exit(' '.join({'torch', 'h5py'} & set(sys.modules)) or None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
