"""What the environment says about the hub: HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE."""

from pathlib import Path

from huggingface_hub import constants


def default_cache() -> Path:
    """Return the directory of the hub's cache."""
    return Path(constants.HF_HUB_CACHE)


def is_offline() -> bool:
    """Return whether the hub must not be asked."""
    return bool(constants.HF_HUB_OFFLINE)
