"""A watch that remembers what it was told."""


class Notes:
    """The notes of a call, and how far it went."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.counted: dict[str, int] = {}
        self.totals: list[int] = []

    def total(self, units: int, done: int = 0) -> None:
        self.totals.append(units - done)

    def advance(self, units: int = 1, what: str = "") -> None:
        self.counted[what] = self.counted.get(what, 0) + units

    def note(self, text: str) -> None:
        self.notes.append(text)
