"""The look-up's benchmark believes no answer: each is compared with what was written."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.bench import centre
from tests.bench.lookup import PASSES, Lookups
from tests.bench.traffic import CUSTOMERS


def test_a_wrong_answer_is_told_and_a_right_one_is_not(tmp_path: Path) -> None:
    site = centre.make(tmp_path)
    both = Lookups(site)
    assert both.round_of_zuoxi() > 0
    assert both.round_of_driver() > 0
    assert both.wrong == []
    both.close()
    with sqlite3.connect(site.database) as database:
        database.execute("UPDATE phone_numbers SET customer_id = 2 WHERE customer_id = 1")
        database.execute("DELETE FROM contact_records")
        database.execute("DELETE FROM calls WHERE customer_id = ?", (CUSTOMERS,))
    database.close()
    again = Lookups(site)
    again.round_of_zuoxi()
    again.close()
    assert len(again.wrong) == 2 * PASSES
    assert {line for line in again.wrong if "is customer 1, not [2]" in line}
    assert {line for line in again.wrong if f"customer {CUSTOMERS} has other last contacts" in line}
