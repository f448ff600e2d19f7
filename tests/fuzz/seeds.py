"""Where fuzzing begins: the small files of the corpus, sound and hostile, of every format."""

from tests.hostile import corpus

MOST_BYTES = 16 * 1024


def seeds() -> dict[str, bytes]:
    return {case.name: case.data for case in corpus.cases() if len(case.data) <= MOST_BYTES}
