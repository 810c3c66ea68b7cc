"""Tables of people and rights: users, roles, permissions, sessions, tokens, audit entries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text

from crm_core.access.permissions import DataScope
from crm_core.db import Column, Instant, Json, ShortText, Table, column, stored


class User(Table):
    """A person. `agent_number` (工号) is the person's for good; `extension` the usual device."""

    __tablename__ = "users"

    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(String(64), unique=True)
    """The sign-in name."""
    full_name: Column[str] = column(String(128))
    agent_number: Column[str | None] = column(String(16), unique=True)
    password_hash: Column[str] = column(String(256))
    must_change_password: Column[bool] = column(default=False)
    team_id: Column[int | None] = column(ForeignKey("teams.id"))
    pbx: Column[str | None] = column(ShortText)
    extension: Column[str | None] = column(String(32))
    language: Column[str | None] = column(String(8))
    disabled_at: Column[datetime | None] = column(Instant)
    created_at: Column[datetime] = column(Instant)


class Role(Table):
    """A named, editable set of permissions with a data scope; four ship as presets."""

    __tablename__ = "roles"
    __table_args__ = (stored(DataScope, "data_scope"),)

    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(String(64), unique=True)
    data_scope: Column[str] = column(ShortText)
    preset: Column[bool] = column(default=False)


class RolePermission(Table):
    """One permission of one role."""

    __tablename__ = "role_permissions"

    role_id: Column[int] = column(ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True)
    permission: Column[str] = column(ShortText, primary_key=True)


class UserRole(Table):
    """A person may hold several roles."""

    __tablename__ = "user_roles"

    user_id: Column[int] = column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role_id: Column[int] = column(ForeignKey("roles.id"), primary_key=True)


class UserProject(Table):
    """Which projects a person belongs to, beside that of the team."""

    __tablename__ = "user_projects"

    user_id: Column[int] = column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    project_id: Column[int] = column(ForeignKey("projects.id"), primary_key=True)


class UserQueue(Table):
    """Which queues an agent takes calls of, once signed in."""

    __tablename__ = "user_queues"

    user_id: Column[int] = column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    queue_id: Column[int] = column(ForeignKey("queues.id"), primary_key=True)
    penalty: Column[int] = column(default=0)


class Session(Table):
    """A sign-in. The cookie holds a random token, the row only its SHA-256."""

    __tablename__ = "sessions"

    id: Column[int] = column(primary_key=True)
    token_hash: Column[str] = column(String(64), unique=True)
    csrf_token: Column[str] = column(String(64))
    user_id: Column[int] = column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Column[datetime] = column(Instant)
    seen_at: Column[datetime] = column(Instant)
    expires_at: Column[datetime] = column(Instant)
    address: Column[str] = column(String(64))
    user_agent: Column[str] = column(String(256))


class Token(Table):
    """A bearer token for a program: `user_id` set: it sees what that person sees."""

    __tablename__ = "tokens"

    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(String(64), unique=True)
    token_hash: Column[str] = column(String(64), unique=True)
    role_id: Column[int] = column(ForeignKey("roles.id"))
    user_id: Column[int | None] = column(ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Column[datetime] = column(Instant)
    revoked_at: Column[datetime | None] = column(Instant)


class SetupLink(Table):
    """A one-time set-up link that nobody has used yet: only the SHA-256 of its secret."""

    __tablename__ = "setup_links"

    id: Column[int] = column(primary_key=True)
    token_hash: Column[str] = column(String(64), unique=True)
    expires_at: Column[datetime] = column(Instant)


class AuditEntry(Table):
    """Who did what to whom, append-only."""

    __tablename__ = "audit_entries"

    id: Column[int] = column(primary_key=True)
    at: Column[datetime] = column(Instant, index=True)
    actor: Column[str] = column(String(64))
    """A sign-in name, a token's name, or `command line`."""
    act: Column[str] = column(ShortText)
    subject: Column[str] = column(Text)
    detail: Column[dict[str, Any] | None] = column(Json)
