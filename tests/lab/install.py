"""Installs what the real tests need: Debian packages, and the pristine folder with Asterisk 22.

One command, as root on Debian: about a minute from nothing, a moment the second time. Debian 12 has
no Asterisk, so a minimal Debian with it is made in a folder of its own by debootstrap; nothing is
mounted there, and nothing outside it changes but the packages named below.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab import folder

PACKAGES = (
    "debootstrap",
    "sip-tester",
    "postgresql",
    "redis-server",
    "chromium",
    "fonts-noto-cjk",
)
# testing and unstable; a package leaves testing for a while now and then.
SUITES = ("forky", "sid")
IN_THE_FOLDER = "asterisk,asterisk-moh-opsound-gsm"

_APT = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


def why_not() -> str | None:
    """Why it cannot be installed here, or None."""
    if not Path("/etc/debian_version").exists() or shutil.which("apt-get") is None:
        return "the laboratory needs Debian (debootstrap, SIPp, Chromium come from its packages)"
    if os.geteuid() != 0:
        return "the laboratory needs root (chroot); run the tests as root on a machine of their own"
    return None


def install() -> Path:
    """Everything that is missing. Returns the pristine folder; safe when two processes do it at once."""
    reason = why_not()
    if reason is not None:
        raise RuntimeError(reason)
    with _alone():
        _install_packages()
        if not folder.base().exists():
            _make_folder()
    return folder.base()


@contextmanager
def _alone() -> Iterator[None]:
    folder.root().mkdir(parents=True, exist_ok=True)
    with (folder.root() / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install_packages() -> None:
    missing = [name for name in PACKAGES if not _is_installed(name)]
    if not missing:
        return
    _say(f"installing {', '.join(missing)} ...")
    _run(["apt-get", "update", "-qq"])
    _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing])


def _is_installed(package: str) -> bool:
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status}", package],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout == "installed"


def _make_folder() -> None:
    unfinished = folder.base().with_suffix(".tmp")
    for suite in SUITES:
        # What an interrupted run left; nothing is ever mounted below it.
        shutil.rmtree(unfinished, ignore_errors=True)
        _say(f"making a folder with Asterisk from Debian {suite} (about a minute, once) ...")
        made = subprocess.run(_debootstrap(suite, unfinished), capture_output=True, text=True)
        if made.returncode == 0 and (unfinished / "usr/sbin/asterisk").exists():
            break
        _say(f"  {suite} did not do: {(made.stderr or made.stdout).strip()[-500:]}")
    else:
        raise RuntimeError(f"debootstrap failed for {' and '.join(SUITES)}; its words are above")
    for leftover in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc"):
        shutil.rmtree(unfinished / leftover, ignore_errors=True)
    # Only a finished folder ever bears the name.
    unfinished.rename(folder.base())


def _debootstrap(suite: str, to: Path) -> list[str]:
    return [
        "debootstrap",
        "--variant=minbase",
        f"--include={IN_THE_FOLDER}",
        suite,
        str(to),
        _mirror(),
        # Debian 12's debootstrap does not know the name forky; the script is the same for all.
        "/usr/share/debootstrap/scripts/sid",
    ]


def _mirror() -> str:
    """The mirror that this machine's own apt uses for Debian itself."""
    release = _release()
    targets = _run(
        [
            "apt-get",
            "indextargets",
            "--format",
            "$(REPO_URI) $(CODENAME) $(COMPONENT)",
            "Created-By: Packages",
        ]
    )
    for line in targets.splitlines():
        uri, *rest = line.split()
        if rest == [release, "main"]:
            return uri
    raise RuntimeError(f"apt has no source for Debian {release} main: see /etc/apt")


def _release() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        name, _, value = line.partition("=")
        if name == "VERSION_CODENAME":
            return value.strip('"')
    raise RuntimeError("/etc/os-release does not say which Debian this is")


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", env=_APT, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}:\n{(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


def _say(what: str) -> None:
    print(what, flush=True)  # noqa: T201
