"""How ``tfser build`` quantises: its options, and what they ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tfser.convert.bundle import Method

# Of tfser.convert, which is not imported for the sake of --help.
INT8, INT16 = ACTIVATIONS = ("int8", "int16")
MINMAX, PERCENTILE = CALIBRATIONS = ("minmax", "percentile")
DEFAULT_PERCENTILE = 99.99

_OPTIONS = (
    click.option("--calibration", type=click.Choice(CALIBRATIONS),
                 help="int8 ranges from the calibration clips: all values, or without the rarest.  "
                      "[default: those of quantised.npz where that lies beside the checkpoint, else minmax]"),
    click.option("--percentile", type=click.FloatRange(50, 100, min_open=True, max_open=True),
                 help=f"What --calibration percentile keeps below either end.  [default: {DEFAULT_PERCENTILE}]"),
    click.option("--activations", type=click.Choice(ACTIVATIONS), default=INT8, show_default=True,
                 help="int16: weights stay int8, for TensorFlow Lite Micro alone; without generated C."),
)


def quantisation_options(function: Any) -> Any:
    """Add the options that say how to quantise."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def method_of(calibration: str | None, percentile: float | None, activations: str) -> Method | None:
    """What was asked for; ``None`` leaves it to what lies beside the checkpoint."""
    from tfser.convert.bundle import Method

    if percentile is not None and calibration != PERCENTILE:
        raise click.UsageError("--percentile goes with --calibration percentile")
    if activations == INT16:
        if calibration == PERCENTILE:
            raise click.UsageError("--calibration percentile is for int8: 16 bits have room for every value")
        return Method(activations)
    if calibration is None:
        return None
    return Method(percentile=(percentile or DEFAULT_PERCENTILE) if calibration == PERCENTILE else None)
