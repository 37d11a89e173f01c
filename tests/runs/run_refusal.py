"""What a run folder that cannot be used is answered with."""

import pytest

from sgan_tf.errors import RunError


def refuse(message, function, *arguments, **keywords):
    """Checks that a call raises `RunError` with one line that holds the message."""
    with pytest.raises(RunError) as error:
        function(*arguments, **keywords)
    assert message in str(error.value) and "\n" not in str(error.value)
