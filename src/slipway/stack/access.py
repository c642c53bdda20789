"""What an account may do with files, asked before a process of that account has to."""

import grp
import os
import pwd
import stat
from dataclasses import dataclass, field
from pathlib import Path

_BITS = {os.R_OK: 0o4, os.W_OK: 0o2, os.X_OK: 0o1}


@dataclass(frozen=True, slots=True)
class Account:
    """A user, with the groups it is in."""

    name: str
    uid: int
    groups: frozenset[int] = field(default_factory=frozenset)


def own_account() -> Account:
    """Return the account of this process."""
    uid = os.geteuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        # Containers run as numbers that have no name.
        name = str(uid)
    return Account(name, uid, frozenset({os.getegid(), *os.getgroups()}))


def find_account(name: str) -> Account | None:
    """Return the account of a name; None when there is none."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    groups = {group.gr_gid for group in grp.getgrall() if name in group.gr_mem}
    return Account(name, entry.pw_uid, frozenset({entry.pw_gid, *groups}))


def barrier(account: Account, path: Path, mode: int) -> Path | None:
    """Return what keeps an account from a file: itself, or the first folder that stays closed.

    None when nothing does, or when the file is not there. `mode` is made of os.R_OK, os.W_OK and
    os.X_OK; os.F_OK asks for the folders above alone.
    """
    path = Path(os.path.realpath(path))
    for folder in reversed(path.parents):
        if os.path.exists(folder) and not _may(account, folder, os.X_OK):
            return folder
    return None if not os.path.exists(path) or _may(account, path, mode) else path


def owner_of(path: Path) -> str:
    """Return the name of the user that a file belongs to."""
    return user_name(path.stat().st_uid)


def user_name(uid: int) -> str:
    """Return what messages call a user: some have a number alone."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _may(account: Account, path: Path, mode: int) -> bool:
    if account.uid == os.geteuid():
        return os.access(path, mode)
    if account.uid == 0:
        return True
    # Another account's access lists cannot be asked for, so only the mode is looked at.
    try:
        status = path.stat()
    except OSError:
        return False
    if status.st_uid == account.uid:
        shift = 6
    elif status.st_gid in account.groups:
        shift = 3
    else:
        shift = 0
    granted = stat.S_IMODE(status.st_mode) >> shift
    return all(granted & bit for flag, bit in _BITS.items() if mode & flag)
