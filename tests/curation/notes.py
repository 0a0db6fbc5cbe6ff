"""A watch that remembers what it was told."""


class Notes:
    """The notes of a call, and how far it went."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.counted: dict[str, int] = {}  # by stage
        self.totals: list[int] = []
        self._stage = ""

    def stage(self, name: str) -> None:
        self._stage = name

    def total(self, units: int, done: int = 0) -> None:
        self.totals.append(units - done)

    def advance(self, units: int = 1, what: str = "") -> None:  # noqa: ARG002
        self.counted[self._stage] = self.counted.get(self._stage, 0) + units

    def note(self, text: str) -> None:
        self.notes.append(text)
