"""What the paper says of the content of IC-VOS, to be shown beside a build's own counts."""

VIDEOS = 369
CLIPS = 437  # read from the paper's figure 2(c): one (video, category) pair each
FRAMES = 99_549
CATEGORIES = 30
SOURCE_SHARES_PERCENT = {"lvos": 63.7, "mose": 27.9, "davis": 8.4}  # of the videos; section 3.3
SOURCE_VIDEOS = {"lvos": 235, "mose": 103, "davis": 31}  # 369 times the shares, rounded

# Class index -> (clips, frames): clips are exact readings of the figure (person 206 or 207), frames are within about 40
# (person 100).
CATEGORY_COUNTS: dict[int, tuple[int, int]] = {
    1: (207, 51376),  # person
    17: (37, 7691),  # dog
    3: (30, 4322),  # car
    9: (15, 7141),  # boat
    16: (13, 3768),  # cat
    6: (11, 1433),  # bus
    22: (11, 1708),  # bear
    34: (10, 6386),  # kite
    20: (9, 1913),  # cow
    4: (9, 950),  # motorcycle
    15: (8, 745),  # bird
    38: (7, 5419),  # surfboard
    24: (7, 1292),  # giraffe
    18: (7, 3701),  # horse
    2: (7, 607),  # bicycle
    19: (6, 1846),  # sheep
    5: (6, 7070),  # airplane
    21: (6, 1775),  # elephant
    8: (5, 399),  # truck
    42: (5, 1087),  # cup
    33: (4, 1913),  # sports ball
    26: (4, 1292),  # umbrella
    37: (3, 883),  # skateboard
    39: (2, 607),  # tennis racket
    68: (2, 399),  # cell phone
    30: (2, 950),  # frisbee
    23: (1, 332),  # zebra
    40: (1, 262),  # bottle
    41: (1, 332),  # wine glass
    52: (1, 124),  # carrot
}
