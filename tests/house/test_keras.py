"""The one import of TensorFlow."""

from __future__ import annotations

import gc

import pytest

from tfser.keras import _garbage_left


@pytest.mark.parametrize("collects", [True, False])
def test_garbage_is_collected_after_it_as_before(collects):
    assert gc.isenabled()
    try:
        (gc.enable if collects else gc.disable)()
        with pytest.raises(ImportError), _garbage_left():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled() == collects and gc.get_freeze_count() > 0
    finally:
        gc.enable()
