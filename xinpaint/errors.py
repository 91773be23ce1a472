"""One family of errors; each says what was found, what was wanted, and what to change."""


class XinpaintError(Exception):
    """Base of every error that xinpaint raises on purpose."""


class SchemaError(XinpaintError, ValueError):
    """The cube's dims, coordinates, dtype or mask are not what a method needs."""


class MethodError(XinpaintError, ValueError):
    """An unknown method, or an option a method cannot take."""


class WeightsError(XinpaintError, ValueError):
    """A weights file is missing, unknown, damaged or does not fit its net."""


class DeviceError(XinpaintError, RuntimeError):
    """The compute device asked for is not at hand."""


class RecipeError(XinpaintError, ValueError):
    """A training recipe that cannot be run as written."""


class DataError(XinpaintError, OSError):
    """Data that is missing, unreadable or damaged."""


class RefusedError(DataError):
    """An address, file or size that the guard does not let through; never retried."""


class TrainingError(XinpaintError, RuntimeError):
    """Training stopped: the message names the last good checkpoint."""


class JobError(XinpaintError, RuntimeError):
    """A fill job that cannot start, go on, or be trusted as it is."""
