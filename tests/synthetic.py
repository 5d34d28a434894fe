"""A small results folder with known ranks: two systems and a fusion of two seeds, 12 dialogues, 3 rounds."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from daitir.dialogues import Dialogue, write_dialogues
from daitir.features import write_features
from daitir.history import write_history
from daitir.layout import Layout, shard_names
from daitir.queries import Query, picks_shard, picture_key, write_queries
from daitir.ranks import write_ranks
from daitir.seals import write_sealed
from daitir.shards import Picture, write_shard

SET, SHARDS, ROUNDS, CANDIDATES = "few", 2, 3, 40
IDS = [f"dialogue-{number:02d}" for number in range(12)]
SYSTEMS = {
    "text": {"encoder": "blip", "queries": "llm", "method": "text"},
    "dar": {"encoder": "blip", "queries": "llm", "images": "sd3", "method": "dar", "baseline": "text"},
    "adafuse": {
        "encoder": "blip",
        "queries": "llm",
        "images": "sd3",
        "method": "adafuse",
        "baseline": "text",
    },
}
FIGURE = '<svg xmlns="http://x" width="1pt" height="1pt"><g id="curve"/></svg>\n'
SEEDS = {"text": 1, "dar": 1, "adafuse": 2}


def known_ranks(system: str, seed: int) -> np.ndarray:
    """Ranks (12 x 3): text gains by round; dar loses on dialogues 0 to 2; adafuse gains on all but one."""
    text = np.array([[30 - 2 * d, 20 - d, 12 - d] for d in range(12)])
    if system == "dar":
        return text + np.where(np.arange(12)[:, None] < 3, 5, 0)
    if system == "adafuse":
        return np.maximum(1, text - 4 - seed) + np.where(np.arange(12)[:, None] == 11, 9, 0)
    return text


def picture(colour: int, size: int = 16) -> bytes:
    """PNG of one colour."""
    sink = io.BytesIO()
    Image.new("RGB", (size, size), (colour * 37 % 256, colour * 91 % 256, 120)).save(sink, "png")
    return sink.getvalue()


def made(stage: str, **options: object) -> dict[str, object]:
    """Provenance of one file."""
    return {"stage": stage, "options": options, "inputs": {}, "versions": {"daitir": "0", "torch": "9.9"}}


def make_results(folder, turn: str = "is it red? yes"):
    """Write the folder and return the config that goes with it."""
    layout, corpus = Layout(str(folder / "results")), folder / "corpus"
    (corpus / "images").mkdir(parents=True)
    keys = [f"images/{number:02d}.png" for number in range(CANDIDATES)]
    for number, key in enumerate(keys):
        (corpus / key).write_bytes(picture(number))
    (folder / "corpus.json").write_text(json.dumps(keys))
    dialogues = [Dialogue(name, keys[d], ("a caption", turn, "is it big? no")) for d, name in enumerate(IDS)]
    write_dialogues(layout.dialogues(SET), dialogues, made("import_dialogues"))
    for shard in shard_names(SHARDS):
        write_shard_files(layout, shard, dialogues)
    model = {"model": "models/blip", "kind": "blip"}
    record = made("encode", encoder=model, digests={"model": "0123456789abcdef"})
    write_features(layout.corpus_features("blip", "tiny"), keys, np.eye(CANDIDATES), record)
    facts = {"text_limit": 256, "width": 8, "preprocessing": "32 px, bicubic", "parameters": 4_938_268}
    cut = record | {"texts": {"all": 36, "truncated": 7}, "facts": facts}
    write_features(layout.query_features("blip", "llm", SET), ["one"], np.ones((1, 1)), cut)
    for system in SYSTEMS:
        fusion = {"kind": system} | ({} if system == "text" else {"images": 1})
        record = made("rank", fusion=fusion | ({"train": {"epochs": 9}} if system == "adafuse" else {}))
        if system == "adafuse":
            record["inputs"] = {f"weights of seed {seed}": "ef" for seed in range(SEEDS[system])}
        write_ranks(layout.ranks(system, SET), ranks_frame(system, keys), record)
    for seed in range(SEEDS["adafuse"]):
        write_training(layout, seed)
    return {
        "corpora": {"tiny": {"list": str(folder / "corpus.json"), "images": str(corpus)}},
        "dialogues": {SET: {"file": "few.json", "corpus": "tiny", "rounds": ROUNDS, "shards": SHARDS}},
        "systems": SYSTEMS,
        "evaluate": [SET],
        "report": {"hits": [1, 10], "rounds": [0, 2], "examples": 3, "resamples": 200, "seed": 0},
    }


def write_training(layout, seed: int) -> None:
    """Write the history of one training."""
    training = {"parameters": 1234567, "dialogues": 90, "held_out_dialogues": 10, "epoch": 7 + seed}
    training |= {"held_out": {"recall_at_10": 0.512}, "held_out_text_alone": {"recall_at_10": 0.498}}
    path = Path(layout.fusion("adafuse", "blip", "sd3", "llm", seed)) / "history.parquet"
    write_history(path, [], made("train") | {"training": training})
    write_sealed(Path(layout.figure("training-adafuse")), FIGURE)


def write_shard_files(layout, shard: str, dialogues: list[Dialogue]) -> None:
    """Write queries and generated images of one shard."""
    own = [dialogue for dialogue in dialogues if dialogue.dialogue_id in picks_shard(IDS, shard)]
    rounds = [(dialogue, round_) for dialogue in own for round_ in range(ROUNDS)]
    queries = [
        Query(d.dialogue_id, r, f"{d.dialogue_id} at {r}", ("prompt one", "prompt two")) for d, r in rounds
    ]
    pictures = [
        Picture(picture_key(d.dialogue_id, r, k), picture(r * 3 + k), "png", {"prompt": "one"})
        for d, r in rounds
        for k in (1, 2)
    ]
    llm = made(
        "reformulate", reformulator={"kind": "transformers", "model": "models/llm"}, digests={"model": "ab"}
    )
    sd3 = made("generate", generator={"model": "models/sd3", "steps": 3}, digests={"model": "cd"})
    sd3 |= {"prompts": {"all": 20, "cut": int(shard.startswith("0"))}}
    write_queries(layout.queries("llm", SET, shard), queries, llm)
    write_shard(layout.images("sd3", "llm", SET, shard), pictures, sd3)
    features = layout.image_features("blip", "sd3", "llm", SET, shard)
    write_features(features, ["one"], np.ones((1, 1)), made("encode", encoder={"kind": "blip"}))


def ranks_frame(system: str, keys: list[str]) -> pd.DataFrame:
    """Ranks table of one system, all its seeds."""
    rows = []
    for seed in range(SEEDS[system]):
        for d, ranks in enumerate(known_ranks(system, seed)):
            for round_, rank in enumerate(ranks.tolist()):
                others = [key for key in keys if key != keys[d]]
                top = others[: min(rank - 1, 10)] + [keys[d]] * (rank <= 10) + others[rank - 1 :]
                rows.append(
                    {
                        "dialogue_id": IDS[d],
                        "round": round_,
                        "seed": seed,
                        "target": keys[d],
                        "rank": rank,
                        "ties": 0,
                        "target_score": 0.5,
                        "top_keys": top[:10],
                        "top_scores": [0.9 - 0.01 * place for place in range(10)],
                        "gate": 0.4 + 0.01 * d if system == "adafuse" else None,
                        "router": None,
                        "similarity": None if system == "text" else 0.1 * round_,
                    }
                )
    return pd.DataFrame(rows)
