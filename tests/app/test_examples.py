"""The pictures in `examples/`, which a newcomer tries first."""

import httpx2
import pytest

from tests.running import ROOT

EXAMPLES = {path.stem: path for path in (ROOT / "examples").iterdir()}
REGIONS = ["AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT"]


def test_there_is_one_for_each_region_and_one_stranger() -> None:
    assert sorted(EXAMPLES) == sorted([*REGIONS, "stranger"])


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_gets_the_answer_it_is_named_for(asking: httpx2.Client, name: str) -> None:
    answer = asking.post("/predict", files={"file": EXAMPLES[name].read_bytes()}).json()
    if name == "stranger":
        assert answer["label"] is None
        assert not answer["accepted"]
        assert answer["ood_score"] > 0.8
    else:
        assert (answer["label"], answer["accepted"]) == (name, True)
        assert answer["confidence"] > 0.99
        assert answer["ood_score"] < 0.05
