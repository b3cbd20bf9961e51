"""Where a view's pictures are from; bit i of a view's origins stands for ORIGINS[i]."""

SETS = ("nuaa", "replay", "casia")  # sets of attacks: what they give to views and what is measured on them are other people
ORIGINS = ["open", *SETS, "news"]


def names(bits: int) -> list[str]:
    return [name for i, name in enumerate(ORIGINS) if bits >> i & 1]
