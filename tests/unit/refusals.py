"""What every refusal must be: one of our errors, with a hint, fit for a terminal."""

import contextlib

import pytest


@contextlib.contextmanager
def refuses(kind, *words):
    """The block raises exactly `kind`, its message holds all `words`, and it carries a hint."""
    with pytest.raises(kind) as caught:
        yield caught
    error = caught.value
    assert type(error) is kind
    for word in words:
        assert word in str(error)
    assert error.hint.strip()
    assert str(error).isprintable()
    assert error.hint.isprintable()
