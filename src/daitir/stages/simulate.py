"""Simulate dialogues about a corpus: a caption of each target, then questions and answers, round by round."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from daitir.chat.answers import AnswerStore
from daitir.command import parse_call, stage_parser
from daitir.compute import batches
from daitir.corpora import read_corpus
from daitir.errors import DaitirError, exit_with_one_line
from daitir.files import canonical_json, digest_bytes, digest_text, write_text
from daitir.images import decode_image
from daitir.options import Options
from daitir.progress import Progress
from daitir.provenance import provenance
from daitir.readers.sources import NOT_IN_A_KEY
from daitir.roots import inside
from daitir.scratch import scratch_for
from daitir.seals import content_digest, provenance_beside, seal
from daitir.simulation import Answerer, AnswererOptions, SimulationOptions
from daitir.simulation.answerers import load_answerer, require_texts
from daitir.simulation.questioner import Questioner

if TYPE_CHECKING:
    from PIL.Image import Image

REVISION = 3
LONGEST_STEM = 80  # letters of a file name in the id of a dialogue
BATCHES_AT_ONCE = 4  # whose images are in memory together and whose answers are kept together


class SimulateOptions(Options):
    """What decides the dialogues; ``digests`` stand for models and templates."""

    code: str
    digests: dict[str, str] = Field(default_factory=dict)
    simulation: SimulationOptions


def run(
    options: SimulateOptions, corpus: Path, images: Path, scratch: Path, output: Path, record: dict[str, Any]
) -> None:
    """Write one dialogue a target as JSON Lines, sorted by id, and who made them beside."""
    targets = name_dialogues(draw_targets(read_corpus(corpus), options.simulation, corpus))
    inputs = {"images": digest_images(images, sorted(targets.values()))}
    with scratch_for(scratch, record | {"inputs": inputs}) as finished:
        turns = Simulation(options.simulation, targets, images, finished).run()
        lines = [
            canonical_json({"id": name, "target": targets[name], "turns": turns[name]})
            for name in sorted(turns)
        ]
        who = provenance("simulate", record, inputs)
        text = "\n".join(lines) + "\n"
        write_text(provenance_beside(output), seal(who, output, content_digest([text.encode()])) + "\n")
        write_text(output, text)


def draw_targets(names: list[str], options: SimulationOptions, corpus: Path) -> list[str]:
    """Return the targets: all, or some drawn by name, of which a larger number keeps the smaller."""
    if options.targets is None:
        return names
    if options.targets > len(names):
        raise DaitirError(
            f"{corpus} has {len(names)} images, fewer than `targets: {options.targets}`: lower it"
        )
    drawn = sorted(names, key=lambda name: digest_text("target", str(options.seed), name))
    return drawn[: options.targets]


def name_dialogues(targets: list[str]) -> dict[str, str]:
    """Return the targets by dialogue id: the stem of the name, with a digest where stems are alike."""
    stems = {
        target: NOT_IN_A_KEY.sub("-", Path(target).stem)[:LONGEST_STEM].lstrip("-") for target in targets
    }
    shared = Counter(stems.values())
    ids = {
        stem if stem and shared[stem] == 1 else f"{stem or 'image'}-{digest_text(target)}": target
        for target, stem in stems.items()
    }
    assert len(ids) == len(targets), "digests differ"
    return dict(sorted(ids.items()))


def digest_images(folder: Path, names: list[str]) -> str:
    """Digest of the names and the bytes of images."""
    return digest_bytes(part for name in names for part in (name.encode(), read_bytes(folder, name)))


def read_bytes(folder: Path, name: str) -> bytes:
    """Return the bytes of one image of the corpus."""
    try:
        return inside(folder, name, "corpus").read_bytes()
    except FileNotFoundError:
        raise DaitirError(
            f"image {name!r} of the corpus is not in {folder}: fetch it or remove it from the list"
        ) from None


class Simulation:
    """Holds all dialogues side by side, one round after the other; what is finished is in ``scratch``."""

    def __init__(
        self, options: SimulationOptions, targets: dict[str, str], images: Path, scratch: Path
    ) -> None:
        self.options, self.targets, self.images = options, targets, images
        self.said = AnswerStore(_folder(scratch / "seen"))
        self.questions = _folder(scratch / "questions")

    def run(self) -> dict[str, list[str]]:
        """Return the turns by dialogue: the caption, then "question? answer"."""
        options, ids = self.options, list(self.targets)
        captioner = load_answerer(options.captioner or options.answerer)
        captions = self.see(captioner, options.captioner or options.answerer, 0, {})
        turns = {name: [captions[name]] for name in ids}
        if options.rounds == 1:
            return turns
        answerer = load_answerer(options.answerer) if options.captioner else captioner
        questioner = Questioner(options.questioner, self.questions)
        for round_ in range(1, options.rounds):
            questions = questioner.ask(turns)
            answers = self.see(answerer, options.answerer, round_, questions)
            for name in ids:
                turns[name].append(f"{questions[name]} {answers[name]}")
        return turns

    def see(
        self, answerer: Answerer, options: AnswererOptions, round_: int, questions: dict[str, str]
    ) -> dict[str, str]:
        """Return captions (round 0) or answers by dialogue; what ``scratch`` lacks is made and kept."""
        keys = {name: canonical_json([name, round_]) for name in self.targets}
        waiting = [name for name, key in keys.items() if key not in self.said]
        unit, done = "answers" if round_ else "captions", len(keys) - len(waiting)
        progress = Progress(f"{unit} of round {round_}", total=len(keys), unit=unit, done=done)
        for names in batches(waiting, BATCHES_AT_ONCE * options.batch_size):
            images = [self.open(name) for name in names]
            asked = [questions[name] for name in names] if round_ else []
            places = [f"image {self.targets[name]!r} round {round_}" for name in names]
            try:
                texts = answerer.answer(images, asked) if round_ else answerer.caption(images)
            except DaitirError as error:
                more = f" and {len(names) - 1} more" if len(names) > 1 else ""
                raise DaitirError(f"{places[0]}{more}: {error}") from error
            lines = require_texts(texts, places)
            self.said.add({keys[name]: line for name, line in zip(names, lines, strict=True)})
            progress.advance(len(names))
        progress.close()
        return {name: self.said[key] for name, key in keys.items()}

    def open(self, name: str) -> "Image":
        """Return the image of a dialogue's target."""
        target = self.targets[name]
        return decode_image(read_bytes(self.images, target), f"image {target!r} in {self.images}")


def _folder(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path


def main() -> None:
    """Run the stage from the command line."""
    parser = stage_parser(__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="JSON list of the corpus")
    parser.add_argument("--images", type=Path, required=True, help="folder of its images")
    parser.add_argument(
        "--scratch", type=Path, required=True, help="folder for finished answers; removed at the end"
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="dialogues, JSON Lines; NAME.provenance.json beside it"
    )
    call = parse_call(parser, SimulateOptions)
    paths = call.arguments
    run(call.options, paths.corpus, paths.images, paths.scratch, paths.output, call.record)


if __name__ == "__main__":
    exit_with_one_line(main)
