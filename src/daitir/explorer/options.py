"""What a config says of the explorer."""

from pydantic import Field

from daitir.options import Options


class ExplorerSettings(Options):
    """How many dialogues a set show pictures, and how large; all others show the names of their pictures."""

    thumbnails: int = Field(12, ge=0)
    size: int = Field(96, ge=16, le=512)
