"""What a training computes in, and on what."""

from __future__ import annotations

from typing import Any

from tfser.keras import keras, tf

AUTO = "auto"


def resolve(choice: str) -> str:
    """``auto`` as one of ``tfser.spec.PRECISIONS``: ``mixed_float16`` where there is a GPU, else ``float32``."""
    if choice != AUTO:
        return choice
    return "mixed_float16" if tf.config.list_physical_devices("GPU") else "float32"


def device_name() -> str:
    """The device that TensorFlow will train on, for people."""
    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        return "the CPU"
    return str(tf.config.experimental.get_device_details(devices[0]).get("device_name", devices[0].name))


def scaled(optimizer: Any, policy: str) -> Any:
    """``optimizer``, with a loss scale where small gradients would become 0: in float16.

    A step whose gradients are not finite is left out and halves the scale, many finite ones double it.
    """
    return keras.mixed_precision.LossScaleOptimizer(optimizer) if policy == "mixed_float16" else optimizer


def scaled_loss(optimizer: Any, loss: Any) -> Any:
    """The loss to differentiate."""
    return optimizer.get_scaled_loss(loss) if _scales(optimizer) else loss


def unscaled(optimizer: Any, gradients: list[Any]) -> list[Any]:
    """The gradients of the loss from those of :func:`scaled_loss`."""
    return optimizer.get_unscaled_gradients(gradients) if _scales(optimizer) else gradients


def scale_variables(optimizer: Any) -> list[Any]:
    """The loss scale and the finite steps since it changed, which ``optimizer.variables`` does not hold."""
    if not _scales(optimizer):
        return []
    state = optimizer._loss_scale  # the public properties are tensors, which cannot be set
    return [state.current_loss_scale, state.counter]


def _scales(optimizer: Any) -> bool:
    return hasattr(optimizer, "loss_scale")
