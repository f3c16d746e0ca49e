"""Mail: a cache of mails in the local file system, and the mail provider at the other end of a network.

The cache writes a file completely or not at all (a temporary file, then a rename, which POSIX makes atomic), so a crash
leaves no half of a mail. The provider puts mails into mailboxes; given an idempotency key it accepts a key once and
answers a repetition without a second mail, as mail services with such keys do. Left out: SMTP itself, bounces, fsync
(the simulated crash is that of a process, not of the machine below).
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import weakref
from collections import Counter
from pathlib import Path
from typing import Any

from .. import checks
from ..errors import StateError, UnknownNameError
from .disk import require_room

_MAIL_ID = re.compile(r"[\w-][\w.-]*")


class MailCache:
    """Mails as files in a folder of the run's own; without `folder`, a temporary one that goes when the cache goes."""

    full = False
    """Whether there is room for nothing more; a fault may set it."""

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edasim-mails-", dir=_quick_folder()) if folder is None else folder)
        if folder is None:
            weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            is_empty = not any(self.folder.iterdir())
        except (OSError, ValueError) as error:
            raise checks.refuse(
                "folder", str(self.folder), f"name one that can be made and written to ({error})"
            ) from error
        if not is_empty:
            raise checks.refuse("folder", str(self.folder), "name a folder that is empty or does not exist")
        self._prefix = str(self.folder) + os.sep

    def keep(self, mail_id: str, text: str) -> bool:
        """Writes a mail's file; False if it is there already. Raises `DiskFullError` if there is no room."""
        path = self._path(mail_id)
        if os.path.exists(path):  # noqa: PTH110 - strings cost a third of what paths cost, and a crowd writes many mails
            return False
        require_room("mail folder", full=self.full)
        unfinished = f"{path}.tmp"
        try:
            _write(unfinished, text.encode())
            os.replace(unfinished, path)  # noqa: PTH105
        except OSError as error:
            raise StateError(
                f"the mail {mail_id!r} cannot be written: {error}",
                field="folder",
                value=str(self.folder),
                remedy="leave the mail folder alone while the simulation runs",
            ) from error
        return True

    def read(self, mail_id: str) -> str:
        """The text of a cached mail; `UnknownNameError` if it was never cached."""
        try:
            with open(self._path(mail_id), "rb") as file:  # noqa: PTH123
                return file.read().decode()
        except (FileNotFoundError, NotADirectoryError):
            raise UnknownNameError("cached mail", mail_id, self.ids()[:20]) from None

    def has(self, mail_id: str) -> bool:
        """Whether the mail is cached."""
        return os.path.exists(self._path(mail_id))  # noqa: PTH110

    def ids(self) -> list[str]:
        """The ids of all cached mails, sorted."""
        names = os.listdir(self.folder) if self.folder.is_dir() else []  # noqa: PTH208
        return sorted(name.removesuffix(".eml") for name in names if name.endswith(".eml"))

    def saved(self) -> dict[str, str]:
        """The mails by id, as plain values, for a file of the run."""
        return {mail_id: self.read(mail_id) for mail_id in self.ids()}

    @classmethod
    def restored(cls, told: dict[str, str]) -> MailCache:
        """A cache in a temporary folder with the mails that `saved` told."""
        made = cls()
        for mail_id, text in told.items():
            made.keep(mail_id, text)
        return made

    def _path(self, mail_id: str) -> str:
        if not _MAIL_ID.fullmatch(mail_id):
            raise checks.refuse("mail_id", mail_id, "use letters, digits, '-', '_' and '.' only")
        return f"{self._prefix}{mail_id}.eml"


def _write(path: str, content: bytes) -> None:
    """A new file with this content; an `OSError` if there is no room for all of it."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        if os.write(file, content) < len(content):
            raise OSError("no room for the whole mail")
    finally:
        os.close(file)


class MailProvider:
    """Accepts mails and puts them into mailboxes."""

    def __init__(self) -> None:
        self.mailboxes: Counter[str] = Counter()
        self._accepted: set[str] = set()

    def accept(self, mail_id: str, address: str, *, idempotency_key: str | None = None) -> bool:
        """Takes a mail; False if its key was accepted before, and then no second mail goes out."""
        if idempotency_key is not None:
            if idempotency_key in self._accepted:
                return False
            self._accepted.add(idempotency_key)
        self.mailboxes[mail_id] += 1
        return True

    def saved(self) -> dict[str, Any]:
        """The mailboxes and the keys that were accepted, as plain values, for a file of the run."""
        return {"mailboxes": self.mailboxes, "accepted": sorted(self._accepted)}

    @classmethod
    def restored(cls, told: dict[str, Any]) -> MailProvider:
        """What `saved` told."""
        made = cls()
        made.mailboxes.update(told["mailboxes"])
        made._accepted.update(told["accepted"])
        return made


def _quick_folder() -> str | None:
    """A folder that lives in memory where the system has one (Linux), otherwise the usual one for temporary files."""
    memory = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a private folder in it
    return str(memory) if memory.is_dir() and os.access(memory, os.W_OK) else None
