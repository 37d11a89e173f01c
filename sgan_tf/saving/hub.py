"""Saved stacks on the Hugging Face Hub: `hf://user/name`."""

import os
import re

from sgan_tf.errors import UserError
from sgan_tf.saving.stack_folder import FILES

SCHEME = "hf://"


class HubError(UserError):
    """A saved stack that the Hub does not give or take; the message says why."""


def download(address: str) -> str:
    """Fetches the files of a saved stack, those that have changed, and nothing else.

    Args:
        address: `hf://user/name`, a repository of models.

    Returns:
        Their folder, in the cache of huggingface_hub.

    Raises:
        HubError: when the address is none or the Hub does not answer with them.
    """
    repository, client = _repository(address), _client()
    try:
        return client.snapshot_download(repository, allow_patterns=list(FILES))
    except Exception as error:  # it passes on whatever its network stack raises
        raise HubError(f"{address} cannot be fetched: {_reason(error)}") from error


def upload(folder: str | os.PathLike, address: str) -> None:
    """Uploads a folder that `save` wrote; the repository is made where there is none.

    Args:
        folder: The folder.
        address: `hf://user/name`.

    Raises:
        HubError: when the address is none or the Hub does not take it.
    """
    repository, client = _repository(address), _client()
    try:
        client.create_repo(repository, exist_ok=True)
        client.upload_folder(
            repo_id=repository,
            folder_path=folder,
            allow_patterns=list(FILES),
            commit_message="A stack saved by sgan_tf",
        )
    except Exception as error:
        raise HubError(f"{address} cannot be written: {_reason(error)}") from error


def _repository(address):
    match = re.fullmatch(rf"{SCHEME}([\w.-]+/[\w.-]+)", address)
    if not match:
        raise HubError(f"{address} is not an address of the form {SCHEME}user/name")
    return match[1]


def _client():
    try:
        import huggingface_hub
    except ImportError as error:
        raise HubError(f"{SCHEME} needs huggingface_hub: pip install sgan-tf[hub]") from error
    return huggingface_hub


def _reason(error):
    """What an error of the client says, in a line."""
    from huggingface_hub.errors import RepositoryNotFoundError

    if isinstance(error, RepositoryNotFoundError):
        return "there is no such repository, or this token may not see it"
    return next((line for line in str(error).splitlines() if line), type(error).__name__)
