"""The errors of the hub. Each message is one line: the repository, what is wrong and a remedy."""


class HubError(Exception):
    """A repository, or a file of it, can't be had from the hub."""


class HubUnreachable(HubError):
    """The hub does not answer, or HF_HUB_OFFLINE forbids to ask it. `reason` is a few words."""

    def __init__(self, repository: str, reason: str) -> None:
        super().__init__(
            f"{repository}: the Hugging Face hub can't be reached ({reason}); connect to the "
            "network and run the command again."
        )
        self.reason = reason
