"""Dialogues about a few pictures in place of mini's: nothing is drawn or encoded that no test looks at."""

import json
from pathlib import Path
from random import Random
from typing import Any

from daitir.mini.talk import hold_dialogue
from daitir.mini.world import draw_album, render

DATA = {"mini": ("few-val", 6), "mini-train": ("few-train", 24)}  # by corpus: dialogues, and how many


def draw_few(folder: Path) -> None:
    """Draw the pictures below a folder to run in, and write dialogues about them."""
    for corpus, (dialogues, count) in DATA.items():
        (folder / "data" / corpus).mkdir(parents=True)
        lines = []
        for number, scene in enumerate(draw_album(Random(corpus), "val", count)):
            render(scene).save(folder / "data" / corpus / f"{number}.png")
            turns = [turn.text for turn in hold_dialogue(scene, Random(number), "human")]
            lines.append({"id": f"{dialogues}-{number}", "target": f"{number}.png", "turns": turns})
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / "data" / f"{dialogues}.jsonl").write_text(text)


def about_few(config: dict[str, Any]) -> dict[str, Any]:
    """Return the smoke config with these corpora, and with those of its dialogues that it names."""
    sets = dict(config["dialogues"])
    for corpus, (name, _) in DATA.items():
        if name in sets:
            kept = {key: value for key, value in sets[name].items() if key != "limit"}
            sets[name] = kept | {"file": f"data/{name}.jsonl", "format": "jsonl", "corpus": corpus}
    return config | {"corpora": {corpus: {"images": f"data/{corpus}"} for corpus in DATA}, "dialogues": sets}
