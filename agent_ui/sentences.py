"""Sentences of refusals that pages show in the reader's language; for programs they stay English.

The key is the English sentence as it is raised, here or in `crm_core`. Sentences with values in them
are not listed: they are shown as they are.
"""

from __future__ import annotations

from agent_ui.words import N_

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
        N_("This agent does not talk just now."),
        N_("This is your own call."),
        N_("You have no phone to listen with: an administrator can give you an extension."),
        N_("Somebody else has signed in at your phone."),
        N_("Only a person can listen to a call."),
        N_("Asterisk did not answer: no phone rings."),
        N_("Nobody is consulted about this call any more."),
        N_("You consult somebody about this call already."),
        N_("Choose from the list where the call shall go."),
        N_("This call has ended, or your phone is not in it any more."),
        N_("This number cannot be dialled from here: it is not among those that the site allows."),
        N_("Calls cannot be sent there: look at the list again, or check the number."),
        N_("This is not a number that can be dialled."),
        N_("This phone is in a call already: end that first."),
        N_("The telephone system is not reachable just now. Dial at the phone."),
        N_("This is being dialled already."),
        N_("The demonstration cannot do this; a real Asterisk does (make lab)."),
        N_(
            "It is not known whether the phone rang, and nothing was dialled again. Look at the phone, "
            "then dial anew."
        ),
        N_("Your phone does not ring."),
        N_("Your phone has no call."),
        N_("The demonstration did not answer."),
        N_("The number of this call is withheld."),
        N_("Your roles have no page of their own. Ask an administrator."),
        N_("This file belongs to another release: load the page again."),
        N_("Only a person with an agent number can take calls."),
        N_("Only a person can write a note."),
        N_("You are not signed in at a phone. Choose one first."),
        N_("There is no such reason for a pause. Choose one of the list."),
        N_("The PBX did not answer, so the state is as it was. Try again in a moment."),
        N_("You are not signed in at a phone of this telephone system."),
        N_("You missed a call. Choose ready first."),
        N_("Only ready and paused (with a reason) can be chosen."),
        N_("There is no wrap-up to extend."),
        N_("This wrap-up has been extended already."),
        N_("A value is not valid."),
        N_("A customer needs a name or a phone number."),
        N_("Somebody has changed this file since you opened it."),
        N_("The form does not say which state of the file it changes: open it again."),
        N_("You have looked for too many numbers that nobody has. Try again in an hour."),
        N_("Too many attempts. Wait a while and try again."),
        N_("This set-up link is not valid any more: start Zuoxi again, it prints a new one."),
        N_("This is the last administrator: make somebody else one first."),
        N_("You cannot disable yourself: let another administrator do it."),
    }
)

TODAY, YESTERDAY, THIS_WEEK = N_("Today"), N_("Yesterday"), N_("This week")
"""The quick choices of the call list."""
