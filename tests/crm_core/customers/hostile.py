"""Text that has broken other call centres: SQL, patterns, controls, broken characters, sizes."""

from __future__ import annotations

HOSTILE = [
    "' OR '1'='1",
    "'; DROP TABLE customers; --",
    '" OR ""="',
    "1; DELETE FROM users",
    "x' UNION SELECT password_hash FROM users --",
    "\\'; --",
    "') OR 1=1 --",
    "${7*7}{{7*7}}",
    "%s%n%x",
    "100% _nothing_",
    ":name :1 ?",
    "$1 $$x$$",
    "/* x */",
    "NULL",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "@SUM(A1)",
    "<script>alert(1)</script>",
    "\u202eevil\u202c",
    "a\u0000b",
    "a\r\nActor: root",
    "\x1b[31mred",
    "half \ud800 character",
    "😀" * 40,
    "x" * 20_000,
]
