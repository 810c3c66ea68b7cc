"""Sentences of refusals that pages show in the reader's language; for programs they stay English.

The key is the English sentence as it is raised, here or in `crm_core`. Sentences with values in them
are not listed: they are shown as they are.
"""

from __future__ import annotations


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for "translate later"
    """Mark a message for extraction."""
    return message


SENTENCES: frozenset[str] = frozenset(
    {
        N_("There is no such thing, or you may not see it."),
        N_("Your roles do not allow this."),
        N_("Somebody else was faster: look at the present state and try again."),
        N_("A part that is needed for this is not reachable just now."),
        N_("Sign in first."),
        N_("This request comes from another site's page."),
        N_("The page is from an earlier session: load it again and repeat."),
        N_("The database is not reachable just now. Calls go on; try again."),
        N_("The database is not reachable just now. Calls go on."),
        N_("Asterisk did not answer. Use your phone."),
        N_("This call has ended, or it is not yours."),
        N_("It is still ringing: refuse it at your phone."),
        N_("Your phone does not ring."),
        N_("Your phone has no call."),
        N_("The demonstration did not answer."),
        N_("The number of this call is withheld."),
        N_("Your roles have no page of their own. Ask an administrator."),
        N_("This file belongs to another release: load the page again."),
        N_("Only a person with an agent number can take calls."),
        N_("Only a person can write a note."),
        N_("A value is not valid."),
        N_("A customer needs a name or a phone number."),
        N_("Too many attempts. Wait a while and try again."),
    }
)

TODAY, YESTERDAY, THIS_WEEK = N_("Today"), N_("Yesterday"), N_("This week")
"""The quick choices of the call list."""
