"""Saved stacks on the Hugging Face Hub: `hf://user/name`."""

import os
import re

from sgan_tf.errors import UserError
from sgan_tf.saving.stack_folder import FILES

SCHEME = "hf://"


class HubError(UserError):
    """Raised if the Hub does not provide or accept a saved stack. The message says why."""


def download(address: str) -> str:
    """Downloads the files of a saved stack that have changed, and no other files.

    Args:
        address: String. `hf://user/name`, a model repository.

    Returns:
        String. The folder of the files, in the cache of huggingface_hub.

    Raises:
        HubError: If the address is not valid, or the Hub does not return the files.
    """
    repository, client = _repository(address), _client()
    try:
        return client.snapshot_download(repository, allow_patterns=list(FILES))
    except Exception as error:  # the client passes on any error of its network stack
        raise HubError(f"{address} cannot be fetched: {_reason(error)}") from error


def upload(folder: str | os.PathLike, address: str) -> None:
    """Uploads a folder that `save` wrote, and creates the repository if it does not exist.

    Args:
        folder: String or path. The folder.
        address: String. `hf://user/name`.

    Raises:
        HubError: If the address is not valid, or the Hub does not accept the files.
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
    """Returns the message of a client error as one line."""
    from huggingface_hub.errors import RepositoryNotFoundError

    if isinstance(error, RepositoryNotFoundError):
        return "there is no such repository, or this token may not see it"
    return next((line for line in str(error).splitlines() if line), type(error).__name__)
