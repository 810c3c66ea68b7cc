"""A person's own new password, from the form that two pages have."""

from __future__ import annotations

from agent_ui.auth import Visit
from agent_ui.auth_view import PasswordProblem
from agent_ui.deps import Deps
from crm_core.access import passwords, users
from crm_core.errors import Invalid, NotAllowed, TooMany


async def changed(deps: Deps, visit: Visit, form: dict[str, str]) -> PasswordProblem | None:
    """Changed, and all other sessions of the person have ended; or why not.

    The present password is guessed here no more often than at the sign-in.
    """
    old, new = form.get("password", ""), form.get("new_password", "")
    if new != form.get("new_password_again", ""):
        return PasswordProblem.DIFFERENT
    if new == old:
        return PasswordProblem.SAME
    if passwords.weakness(new, name=visit.who.name):
        return PasswordProblem.SHORT if len(new) < passwords.SHORTEST else PasswordProblem.WEAK
    name, address, right = visit.who.name, f"own password of {visit.who.name}", False
    try:
        deps.throttle.begin(name, address, known_address=True)
    except TooMany:
        return PasswordProblem.TOO_MANY
    try:
        await users.change_own_password(
            deps.engine, visit.who, old=old, new=new, keep_token=visit.token, now=deps.now()
        )
        right = True
    except NotAllowed:
        return PasswordProblem.WRONG
    except Invalid:
        return PasswordProblem.WEAK
    finally:
        deps.throttle.end(name, address, succeeded=right)
    if visit.who.user_id is not None:
        deps.identities.forget_person(visit.who.user_id, but=visit.token)
    return None
