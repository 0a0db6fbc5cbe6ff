"""The 80 COCO and 20 PASCAL VOC classes, their numbers, spellings and few-shot folds.

A COCO class has two numbers: its *index*, 1..80 in the order of COCO (the name of IC-VOS class folders and the value in
few-shot masks), and COCO's own *category_id*, which runs to 90 with gaps. ``index`` is the one used in icvos.
"""

from dataclasses import dataclass
from functools import cache

from icvos.errors import IcvosError
from icvos.suggestions import CATEGORY_SYNONYMS, nearest


@dataclass(frozen=True, slots=True)
class Category:
    """One COCO class: ``index`` in 1..80, ``category_id`` in 1..90, other spellings in ``aliases``."""

    index: int
    name: str
    category_id: int
    supercategory: str
    aliases: tuple[str, ...] = ()

    @property
    def fold_interleaved(self) -> int:
        """The COCO-20i fold 0..3 that tests this class when folds take every fourth class."""
        return (self.index - 1) % 4

    @property
    def fold_contiguous(self) -> int:
        """The COCO-20i fold 0..3 that tests this class when folds take 20 classes in a row."""
        return (self.index - 1) // 20


@dataclass(frozen=True, slots=True)
class PascalClass:
    """One PASCAL VOC class: ``index`` in 1..20, the COCO class of the same thing, and its two folds 0..3."""

    index: int
    name: str
    coco_index: int
    fold: int
    fold_domain_shift: int


_COCO = """
1|person|1|person|
2|bicycle|2|vehicle|
3|car|3|vehicle|
4|motorcycle|4|vehicle|motorbike
5|airplane|5|vehicle|aeroplane
6|bus|6|vehicle|
7|train|7|vehicle|
8|truck|8|vehicle|
9|boat|9|vehicle|
10|traffic light|10|outdoor|
11|fire hydrant|11|outdoor|
12|stop sign|13|outdoor|
13|parking meter|14|outdoor|
14|bench|15|outdoor|
15|bird|16|animal|
16|cat|17|animal|
17|dog|18|animal|
18|horse|19|animal|
19|sheep|20|animal|
20|cow|21|animal|
21|elephant|22|animal|
22|bear|23|animal|
23|zebra|24|animal|
24|giraffe|25|animal|
25|backpack|27|accessory|
26|umbrella|28|accessory|
27|handbag|31|accessory|
28|tie|32|accessory|
29|suitcase|33|accessory|
30|frisbee|34|sports|
31|skis|35|sports|
32|snowboard|36|sports|
33|sports ball|37|sports|
34|kite|38|sports|
35|baseball bat|39|sports|
36|baseball glove|40|sports|
37|skateboard|41|sports|
38|surfboard|42|sports|
39|tennis racket|43|sports|
40|bottle|44|kitchen|
41|wine glass|46|kitchen|
42|cup|47|kitchen|
43|fork|48|kitchen|
44|knife|49|kitchen|
45|spoon|50|kitchen|
46|bowl|51|kitchen|
47|banana|52|food|
48|apple|53|food|
49|sandwich|54|food|
50|orange|55|food|
51|broccoli|56|food|
52|carrot|57|food|
53|hot dog|58|food|
54|pizza|59|food|
55|donut|60|food|
56|cake|61|food|
57|chair|62|furniture|
58|couch|63|furniture|sofa
59|potted plant|64|furniture|pottedplant
60|bed|65|furniture|
61|dining table|67|furniture|diningtable
62|toilet|70|furniture|
63|tv|72|electronic|tvmonitor,tv/monitor
64|laptop|73|electronic|
65|mouse|74|electronic|
66|remote|75|electronic|
67|keyboard|76|electronic|
68|cell phone|77|electronic|cellphone,mobile phone
69|microwave|78|appliance|
70|oven|79|appliance|
71|toaster|80|appliance|
72|sink|81|appliance|
73|refrigerator|82|appliance|
74|book|84|indoor|
75|clock|85|indoor|
76|vase|86|indoor|
77|scissors|87|indoor|
78|teddy bear|88|indoor|
79|hair drier|89|indoor|hair dryer
80|toothbrush|90|indoor|
"""

_PASCAL = """
1|aeroplane|5|0|0
2|bicycle|2|0|1
3|bird|15|0|2
4|boat|9|0|0
5|bottle|40|0|3
6|bus|6|1|1
7|car|3|1|2
8|cat|16|1|3
9|chair|57|1|0
10|cow|20|1|3
11|diningtable|61|2|0
12|dog|17|2|0
13|horse|18|2|1
14|motorbike|4|2|3
15|person|1|2|0
16|pottedplant|59|3|2
17|sheep|19|3|2
18|sofa|58|3|1
19|train|7|3|2
20|tvmonitor|63|3|2
"""


def _coco(line: str) -> Category:
    index, name, category_id, supercategory, aliases = line.split("|")
    return Category(int(index), name, int(category_id), supercategory, tuple(filter(None, aliases.split(","))))


def _pascal(line: str) -> PascalClass:
    index, name, coco_index, fold, fold_domain_shift = line.split("|")
    return PascalClass(int(index), name, int(coco_index), int(fold), int(fold_domain_shift))


COCO: tuple[Category, ...] = tuple(map(_coco, _COCO.split("\n")[1:-1]))
PASCAL: tuple[PascalClass, ...] = tuple(map(_pascal, _PASCAL.split("\n")[1:-1]))
BY_CATEGORY_ID: dict[int, Category] = {category.category_id: category for category in COCO}


@cache
def _by_spelling() -> dict[str, Category]:
    return {spelling: category for category in COCO for spelling in (category.name, *category.aliases)}


def category(key: str | int) -> Category:
    """The class with this index (1..80, number or text) or name; raises `IcvosError` with the nearest name.

    >>> category("dog").index, category("17").name, category("aeroplane").name
    (17, 'dog', 'airplane')
    """
    text = str(key).strip().lower().replace("_", " ")
    if text.isdecimal():
        text = text[:9]  # no class is that high, and Python reads numbers of thousands of digits only in parts
        if 1 <= int(text) <= len(COCO):
            return COCO[int(text) - 1]
        raise IcvosError(f"class {text} does not exist; classes are 1..80 in COCO order (17 = dog)")
    found = _by_spelling().get(text)
    if found is None:
        near = nearest(text, _by_spelling(), CATEGORY_SYNONYMS)
        listed = f"use one of the 80 COCO class names: {', '.join(known.name for known in COCO)}"
        hint = f"did you mean {_by_spelling()[near].name}?" if near else listed
        raise IcvosError(f"unknown category {key!r}; {hint}")
    return found
