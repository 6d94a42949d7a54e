"""Names of repositories on the Hugging Face hub: OWNER/NAME, and hf://OWNER/NAME[@REVISION]."""

import re
from dataclasses import dataclass

SCHEME = "hf://"
DEFAULT_REVISION = "main"

_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
_REFERENCE = re.compile(rf"{SCHEME}({_ID.pattern})(?:@([\w./-]+))?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class HubReference:
    """A repository and a revision of it: branch, tag or commit; None is its main branch."""

    repository: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> "HubReference":
        """Parse hf://OWNER/NAME[@REVISION]. Raises ValueError with a reason for any other text."""
        found = _REFERENCE.fullmatch(text)
        if found is None:
            raise ValueError(f"{text} is not of the form {SCHEME}OWNER/NAME or with @REVISION")
        return cls(found[1], found[2])

    @property
    def is_commit(self) -> bool:
        """Return whether the revision is a commit, whose files never change."""
        return self.revision is not None and _COMMIT.fullmatch(self.revision) is not None

    def __str__(self) -> str:
        return SCHEME + self.repository + (f"@{self.revision}" if self.revision else "")


def is_hub_id(text: str) -> bool:
    """Return whether `text` has the form OWNER/NAME."""
    return _ID.fullmatch(text) is not None
