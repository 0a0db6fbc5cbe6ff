"""What the server answers to whatever it does not do."""

from icvos.errors import IcvosError


class RefusedError(IcvosError):
    """A request, a submission or a change to one that is not taken; ``status`` is that of HTTP."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
