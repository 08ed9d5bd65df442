"""Errors that a person can act on: what was given, what was expected, what to do."""


class FeedbackError(Exception):
    """Base of all expected failures; its message is complete without a stack trace."""


class DeclarationError(FeedbackError):
    """A `sources.yml` that cannot be used; the message names line, field and allowed values."""


class UnreadableFileError(FeedbackError):
    """A delivered file that no reader can turn into records; the delivery is refused, the rest goes on."""


class PlaceUnavailableError(FeedbackError):
    """A file or a place on the network is away for the moment; running again is the way out."""


class CheckDefinitionError(FeedbackError):
    """A suite under `expectations/` that does not say what it checks."""


class GateError(FeedbackError):
    """A gate that could not run, or a failed gate that stops publication."""


class ModelError(FeedbackError):
    """Model files that are missing, altered, or bound to another encoder."""


class StackError(FeedbackError):
    """The local stack cannot start, stop or answer."""


class WarehouseError(FeedbackError):
    """The warehouse refuses a connection, a migration or a publication."""


class WarehouseUnavailableError(WarehouseError):
    """PostgreSQL is away for the moment; running again is the way out."""
