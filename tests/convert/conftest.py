"""A file as TensorFlow's converter leaves it, of a model with every kind of layer."""

from __future__ import annotations

from types import SimpleNamespace

import pytest


@pytest.fixture(scope="session")
def conversion() -> SimpleNamespace:
    """``model`` in the form in which it was converted, ``content`` of the converter, names of the ``layers``."""
    from random_models import clips, every_layer, randomise

    from tfser.convert.export_form import export_form
    from tfser.convert.tflite import _int8_file

    model = export_form(randomise(every_layer("batch", "swish")))
    return SimpleNamespace(model=model, content=_int8_file(model, clips(model, 8)),
                           layers=[layer.name for layer in model.layers])
