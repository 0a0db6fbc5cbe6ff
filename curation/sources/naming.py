"""Which of COCO's 80 classes an object is, by what another data set calls it."""

from icvos.categories import COCO, Category, category
from icvos.errors import IcvosError
from icvos.suggestions import CATEGORY_SYNONYMS

# names of the very same thing
SAME = {"bike": "bicycle", "motorbike": "motorcycle", "flying disc": "frisbee"}
# names of what may be an object of a COCO class, or only sometimes is, or is one of its kinds: a person decides
PERHAPS = {"giant panda": "bear", "sign": "stop sign"}
# what only sounds like a COCO class
OTHER = {"mouse": "there it is the animal, in COCO the device"}

_BY_NAME = {kind.name: kind for kind in COCO}


def coco_class(name: str) -> tuple[Category | None, str]:
    """The COCO class of what a data set calls ``name``; where there is none or it is not sure, None and the reason.

    >>> coco_class("tennis_racket")[0].name
    'tennis racket'
    >>> coco_class("penguin")
    (None, 'perhaps a bird')
    >>> coco_class("shark")
    (None, 'no COCO class')
    """
    text = name.strip().lower().replace("_", " ")
    if text in OTHER:
        return None, OTHER[text]
    if text in SAME:
        return _BY_NAME[SAME[text]], ""
    perhaps = PERHAPS.get(text) or CATEGORY_SYNONYMS.get(text)
    if perhaps:
        return None, f"perhaps a {perhaps}"
    try:
        return (None, "no COCO class") if text.isdecimal() else (category(text), "")
    except IcvosError:
        return None, "no COCO class"
