"""`zuoxi doctor`: what is wrong at one Asterisk, with the lines that cure it.

`looking` asks over AMI and reads files, with whatever rights the account has; what it saw is a `Sight`,
a plain value. The rules are pure: `accounts` (manager.conf), `queue_rules` (queues.conf and members),
`dialplan_rules` (contexts, modules, SIP) and `book_rules` (queue_log, the clock) each answer findings.
"""

from __future__ import annotations

from collections.abc import Iterator

from crm_core.findings import Finding
from telephony.doctor import accounts, book_rules, dialplan_rules, queue_rules
from telephony.doctor.sight import Sight


def findings(sight: Sight) -> Iterator[Finding]:
    """Everything that is wrong; what stops all else first."""
    if sight.trouble:
        yield from accounts.no_link(sight)
        yield from book_rules.queue_log_file(sight)
        return
    for rules in (accounts.RULES, book_rules.RULES, queue_rules.RULES, dialplan_rules.RULES):
        for rule in rules:
            yield from rule(sight)
