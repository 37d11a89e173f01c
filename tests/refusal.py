"""How a refused configuration is asserted."""

import pytest

from sgan_tf.config.validation import ConfigError


def refuse(message, function):
    """Asserts that a function raises one line of `ConfigError` that holds `message`."""
    with pytest.raises(ConfigError) as error:
        function()
    assert message in str(error.value)
    assert "\n" not in str(error.value)
