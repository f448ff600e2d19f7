"""How many threads a Keras backend computes on: told in the environment, which it reads when it starts."""

NAMES = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


def environment(count: int) -> dict[str, str]:
    """The variables that say `count`."""
    return dict.fromkeys(NAMES, str(count))
