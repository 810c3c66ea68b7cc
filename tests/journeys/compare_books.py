"""An independent second look: queue_log against /api/v1/calls, with a parser of its own.

    python tests/journeys/compare_books.py QUEUE_LOG URL TOKEN FROM TO

Standard library only, and nothing of the product: it must not share a mistake with it.
"""

import json
import sys
import urllib.parse
import urllib.request
from datetime import datetime
from typing import Any

TALKED = ("COMPLETEAGENT", "COMPLETECALLER", "BLINDTRANSFER", "ATTENDEDTRANSFER")
ENDS = dict.fromkeys(TALKED, "answered")
ENDS |= {"ABANDON": "abandoned", "EXITWITHTIMEOUT": "timeout"}


def asterisk(path: str, since: float, until: float) -> dict[Any, Any]:
    """(Uniqueid, queue, nth) -> (outcome, agent, wait, talk), as the file tells it."""
    passes: dict[Any, Any] = {}
    present: dict[Any, Any] = {}
    count: dict[Any, int] = {}
    for line in open(path, encoding="utf-8", errors="replace"):  # noqa: SIM115
        parts = line.rstrip("\n").split("|")
        if len(parts) < 5:
            continue
        at, call, queue, agent, verb, *data = parts
        place = (call, queue)
        if verb == "QUEUESTART":
            for key in present.values():
                passes[key][1:] = ["unknown_end", passes[key][2], passes[key][3], None]
            present = {}
        elif verb == "ENTERQUEUE":
            count[place] = count.get(place, 0) + 1
            present[place] = (*place, count[place])
            passes[present[place]] = [int(at), None, None, None, None]
        elif verb == "CONNECT" and place in present:
            passes[present[place]][2:4] = [agent, int(data[0])]
        elif verb in ENDS and place in present:
            row = passes[present.pop(place)]
            row[1] = ENDS[verb]
            if ENDS[verb] == "answered":
                row[2:] = [agent, int(data[-3]), int(data[-2])]
            else:
                row[2:] = [None, int(data[-1]), None]
    return {k: tuple(v[1:]) for k, v in passes.items() if since <= v[0] < until}


def product(url: str, token: str, since: float, until: float) -> dict[Any, Any]:
    """The same from the interface that programs use."""
    found: dict[Any, Any] = {}
    cursor = None
    while True:
        query = {"from": stamp(since - 60), "to": stamp(until + 60), "limit": "200"}
        if cursor:
            query["cursor"] = cursor
        request = urllib.request.Request(
            f"{url}/api/v1/calls?{urllib.parse.urlencode(query)}",
            headers={"Authorization": f"Bearer {token}"},
        )
        page = json.load(urllib.request.urlopen(request))
        for call in page["items"]:
            seen: dict[Any, int] = {}
            # The file names the member that rang, the product who picked the call up.
            rung = [each["from"] for each in call["transfers"] if each["kind"] == "pickup"]
            for one in sorted(call["passes"], key=lambda one: one["entered_at"]):
                place = (one["unique_id"], one["queue"])
                seen[place] = seen.get(place, 0) + 1
                entered = datetime.fromisoformat(one["entered_at"]).timestamp()
                who = one["agent"] and (rung[0] if rung else one["agent"])
                agent = who and (who["number"] or who["name"])
                if since - 2 <= entered < until + 2:
                    end = (one["outcome"], agent, one["wait_seconds"], one["talk_seconds"])
                    found[(*place, seen[place])] = end
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def stamp(epoch: float) -> str:
    return datetime.fromtimestamp(epoch).astimezone().isoformat()


def main(path: str, url: str, token: str, since: str, until: str) -> int:
    moments = [datetime.fromisoformat(text).timestamp() for text in (since, until)]
    theirs, ours = asterisk(path, *moments), product(url, token, *moments)
    wrong = [
        f"{k}: queue_log {v}, product {ours.get(k)}" for k, v in theirs.items() if v != ours.get(k)
    ]
    wrong += [
        f"{k}: not in queue_log"
        for k in ours
        if k not in theirs and k not in asterisk(path, 0, 1e12)
    ]
    print(*wrong, f"{len(theirs)} passes, {len(wrong)} differences", sep="\n")  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
