"""Convert a published checkpoint into a model directory: python -m daitir.convert LAYOUT IN OUT."""

import argparse
import importlib

from daitir.errors import exit_with_one_line

LAYOUTS = {
    "blip": "BLIP retrieval checkpoints (.pth, .ckpt) of Salesforce and ChatIR, for encoders of kind blip",
    "beit3": "BEiT-3 retrieval checkpoints (.pth), for encoders of kind beit3",
    "adafuse": "checkpoints (.pt) of ADaFuSE's own training, for fusions of kind adafuse-released",
}


def main(argv: list[str] | None = None) -> None:
    """Run a converter from the command line."""
    listed = "\n".join(f"  {name:8} {about}" for name, about in LAYOUTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m daitir.convert",
        description=f"{__doc__}\n\nlayouts:\n{listed}\n\nEach has its own --help.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("layout", choices=LAYOUTS, help="layout of the checkpoint")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="what the converter takes")
    asked = parser.parse_args(argv)
    # Only the converter that is asked for is imported: each brings its own libraries.
    converter = importlib.import_module(f"daitir.convert.{asked.layout}")
    own = argparse.ArgumentParser(
        prog=f"python -m daitir.convert {asked.layout}",
        description=converter.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    converter.add_arguments(own)
    converter.run(own.parse_args(asked.arguments))


if __name__ == "__main__":
    exit_with_one_line(main)
