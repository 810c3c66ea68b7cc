"""The shared core: the words everybody speaks (events, commands), the bus, and the records."""

from typing import Final

VERSION: Final = "0.1.0"
