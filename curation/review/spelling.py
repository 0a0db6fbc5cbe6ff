"""How a category is typed: two letters for each of the 80, more letters for a name or another word for it."""

from typing import Any

from icvos.categories import COCO, Category
from icvos.suggestions import CATEGORY_SYNONYMS

NONE_CODE = "no"  # of things that are of no category
# in videos, the most common first: these get the letters that come to mind first
COMMON = (
    "person", "car", "dog", "bird", "bicycle", "motorcycle", "cat", "horse", "cow", "sheep", "bear", "elephant",
    "airplane", "boat", "bus", "train", "truck", "zebra", "giraffe", "skateboard", "surfboard", "umbrella",
    "sports ball", "tennis racket",
)  # fmt: skip


def ranked() -> list[Category]:
    """The 80 categories, the common ones first."""
    return sorted(COCO, key=lambda one: (COMMON.index(one.name) if one.name in COMMON else len(COMMON), one.index))


def codes() -> dict[str, str]:
    """Category -> two letters of its own.

    They are the first two of its name where no category before it has them, else the first of its words, else its
    first letter and a later one.

    >>> codes()["dog"], codes()["car"], codes()["cat"], codes()["traffic light"]
    ('do', 'ca', 'ct', 'tl')
    """
    taken, found = {NONE_CODE}, {}
    for one in ranked():
        words = one.name.split()
        letters = "".join(words)
        initials = words[0][0] + words[-1][0]
        first = [initials, letters[:2]] if len(words) > 1 else [letters[:2]]
        tries = [*first, *(letters[0] + letter for letter in letters[2:]), *(a + b for a in letters for b in letters)]
        code = next(code for code in tries if code not in taken)
        taken.add(code)
        found[one.name] = code
    return found


def spellings() -> list[dict[str, Any]]:
    """What a browser needs to read what is typed: each category's name, code and words, the common ones first."""
    given = codes()
    synonyms: dict[str, list[str]] = {}
    for word, name in CATEGORY_SYNONYMS.items():
        synonyms.setdefault(name, []).append(word)
    return [
        {
            "name": one.name,
            "code": given[one.name],
            "words": [*one.aliases, *one.name.split()[1:], *synonyms.get(one.name, [])],
        }
        for one in ranked()
    ]
