"""The name that was probably meant by one that does not exist: every "did you mean" of the project asks here."""

import re
from collections.abc import Iterable, Mapping

_LEAST_WORD = 7  # letters from which on a synonym may be misspelt: rocket is no racket, plate no plane
_SEPARATORS = re.compile(r"[\s_./-]+")


def _table(text: str) -> dict[str, str]:
    """Word -> name, from lines of ``name: word, word``."""
    lines = (line.split(":") for line in text.strip().splitlines())
    return {word.strip(): name.strip() for name, words in lines for word in words.split(",")}


CATEGORY_SYNONYMS: Mapping[str, str] = _table("""
    person: people, human, humans, man, men, woman, women, child, children, kid, kids, boy, girl, baby, pedestrian
    bicycle: bike, cycle, pushbike
    car: auto, automobile, sedan, taxi, suv
    motorcycle: moped, scooter
    airplane: plane, aircraft, airliner, jet
    bus: buses, minibus
    train: locomotive, tram
    truck: lorry, pickup
    boat: ship, sailboat, yacht, ferry, canoe, kayak
    traffic light: traffic signal, stoplight
    fire hydrant: hydrant
    bench: benches
    bird: duck, goose, geese, swan, pigeon, seagull, parrot, eagle, owl, penguin
    cat: kitten, kitty
    dog: puppy, pup, doggy
    horse: pony, foal
    sheep: lamb
    cow: cattle, bull, ox, calf
    bear: polar bear, grizzly
    backpack: rucksack, knapsack
    umbrella: parasol
    handbag: bag, purse
    tie: necktie
    suitcase: luggage
    frisbee: flying disc
    sports ball: ball, football, soccer ball, basketball, tennis ball
    baseball bat: bat
    baseball glove: glove, mitt
    tennis racket: racket, racquet
    wine glass: goblet
    cup: mug, teacup
    knife: knives
    spoon: teaspoon
    sandwich: burger, hamburger
    donut: doughnut
    chair: armchair
    couch: settee
    potted plant: plant, houseplant, pot plant
    dining table: table
    toilet: lavatory
    tv: television, telly, monitor
    mouse: mice, computer mouse
    keyboard: computer keyboard
    remote: remote control
    cell phone: phone, mobile, smartphone, telephone
    oven: stove, cooker
    sink: basin, washbasin
    refrigerator: fridge
    teddy bear: teddy
    hair drier: blow dryer
""")

METHOD_SYNONYMS: Mapping[str, str] = _table("""
    lite: light, lite0, icvos lite
    oracle: ground truth, truth, gt, upper bound
    persam-f: persam finetuned, persam ft
""")

SETTING_SYNONYMS: Mapping[str, str] = _table("""
    batch: batch size
    learning_rate: lr
    weight_decay: wd
    size: image size
    epochs: max epochs
""")


def nearest(name: str, names: Iterable[str], synonyms: Mapping[str, str] | None = None) -> str | None:
    """The one of ``names`` that ``name`` was probably meant to be, or None where none is near enough to be sensible.

    In this order: the same letters in another case or with other separators; a synonym; a typing error or two; the
    first words of a longer name. Of equally near ones the first. A synonym for something not in ``names`` is ignored.

    >>> nearest("Traffic_Lihgt", ["train", "traffic light"])
    'traffic light'
    >>> nearest("automobile", ["toilet", "car"], CATEGORY_SYNONYMS)
    'car'
    >>> nearest("dc-sam", ["vrp-sam"])
    """
    known = list(names)
    spellings: dict[str, str] = {}
    for found in known:
        spellings.setdefault(_letters(found), found)
    words = {_letters(word): meant for word, meant in (synonyms or {}).items() if meant in known}
    wanted = _letters(name)
    if wanted in spellings or wanted in words:
        return spellings.get(wanted) or words[wanted]
    spellings |= {word: meant for word, meant in words.items() if len(word) >= _LEAST_WORD and word not in spellings}
    by_edits = {spelling: edits for spelling in spellings if (edits := _edits(wanted, spelling)) is not None}
    if by_edits:
        return spellings[min(by_edits, key=by_edits.__getitem__)]
    start = _words(name)
    return next((found for found in known if len(wanted) > 2 and _words(found)[: len(start)] == start), None)


def _words(name: str) -> list[str]:
    return [word for word in _SEPARATORS.split(name.casefold()) if word]


def _letters(name: str) -> str:
    return "".join(_words(name))


def _edits(typed: str, right: str) -> int | None:
    """How many typing errors turn ``right`` into ``typed``, or None for more than a name of that length allows.

    An error is a letter too many, too few or wrong, or two neighbours swapped: two errors are allowed from eight
    letters on, else one. Below eight the first letter must be right or swapped (rain is no train), and a name of three
    letters or fewer has no wrong ones (rat is no cat; hat, cap and box are words of their own).
    """
    shorter, longer = sorted((len(typed), len(right)))
    if shorter < 2 or longer - shorter > 2:
        return None
    count = _distance(typed, right)
    if count > (2 if longer >= 8 else 1):
        return None
    swapped = sorted(typed) == sorted(right)
    other_start = longer < 8 and typed[0] != right[0]
    wrong_letter = shorter == longer <= 3
    return None if (other_start or wrong_letter) and not swapped else count


def _distance(one: str, other: str) -> int:
    """Letters to add, drop, change, or swap with the next one (each pair at most once) to get from one to the other."""
    before: list[int] = []
    above = list(range(len(other) + 1))
    for y, letter in enumerate(one):
        row = [y + 1]
        for x, against in enumerate(other):
            best = min(above[x + 1] + 1, row[x] + 1, above[x] + (letter != against))
            if y and x and letter == other[x - 1] and one[y - 1] == against:
                best = min(best, before[x - 1] + 1)
            row.append(best)
        before, above = above, row
    return above[-1]
