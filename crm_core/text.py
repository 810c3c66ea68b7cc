"""Text from outside that both databases can compare and keep."""

from __future__ import annotations

import re

# PostgreSQL takes no NUL, and neither database a half of a surrogate pair (JSON can carry one).
_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")


def storable(text: str) -> str:
    """`text` without the characters that a database answers with an error."""
    return _NOT_STORABLE.sub("", text)
