"""What a batch tells of the DICOM files of one series together."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import httpx2
import numpy as np
import pytest

from app import imaging
from app.imaging import Pixels
from tests.dicoms import dicom, item
from tests.running import ROOT
from training import phantoms

CHANGE = {"first": 1, "last": 4, "label": "ChestCT"}, {"first": 5, "last": 8, "label": "AbdomenCT"}
STRANGER = imaging.decode((ROOT / "examples" / "stranger.png").read_bytes()).pixels
FLAT = [1, 0, 0, 0, 1, 0]  # ImageOrientationPatient of slices across the body


def drawn(*kinds: str) -> Iterator[Pixels]:
    return (phantoms.draw(kind, np.random.default_rng(0)) for kind in kinds)


def slices(pictures: Iterable[Pixels], series: str = "1.2.7", **header: Any) -> list[bytes]:
    """A series across the body, 5 mm apart, from the first upwards; their numbers say nothing of it."""
    header |= {"StudyInstanceUID": "1.2.6", "SeriesInstanceUID": series, "ImageOrientationPatient": FLAT}
    return [
        dicom(picture, **header, InstanceNumber=7 * at % 5, ImagePositionPatient=[-100, -100, 5 * at - 40])
        for at, picture in enumerate(pictures)
    ]


def numbered(numbers: Sequence[int | None]) -> list[bytes]:
    """A series without positions."""
    [hand] = drawn("Hand")
    return [
        dicom(hand, StudyInstanceUID="1.2.6", SeriesInstanceUID="1.2.7", InstanceNumber=number) for number in numbers
    ]


def post(client: httpx2.Client, files: Sequence[bytes]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The results and the series."""
    answer = client.post("/predict/batch", files=[("files", file) for file in files])
    assert answer.status_code == 200, answer.text
    return answer.json()["results"], answer.json()["series"]


def test_shuffled_slices_of_two_series_are_told_in_order_with_their_regions(asking: httpx2.Client, hand: bytes) -> None:
    trunk = slices(drawn(*["ChestCT"] * 4, *["AbdomenCT"] * 4), Modality="CT")
    head = slices(drawn(*["HeadCT"] * 3), "1.2.8")
    shuffled = [*(trunk[at] for at in (5, 0, 3)), hand, head[2], *(trunk[at] for at in (7, 1)), *head[:2]]
    results, series = post(asking, [*shuffled, *(trunk[at] for at in (6, 2, 4))])
    assert [each["indices"] for each in series] == [[1, 6, 10, 2, 11, 0, 9, 5], [7, 8, 4]]
    assert [each["label"] for each in series] == ["mixed", "HeadCT"]
    assert series[0]["ranges"] == [*CHANGE]
    assert series[1]["ranges"] == [{"first": 1, "last": 3, "label": "HeadCT"}]
    for each in series:
        assert set(each) == {"indices", "label", "probabilities", "ranges"}
        for name, value in each["probabilities"].items():
            alone = [results[index]["probabilities"][name] for index in each["indices"]]
            assert value == pytest.approx(np.mean(alone), abs=1e-6)


def test_a_chest_that_reaches_into_the_abdomen_is_a_chest(asking: httpx2.Client) -> None:
    _, [found] = post(asking, slices(drawn(*["AbdomenCT"] * 3, *["ChestCT"] * 9)))
    assert found["label"] == "ChestCT"
    assert [(each["last"], each["label"]) for each in found["ranges"]] == [(3, "AbdomenCT"), (12, "ChestCT")]


def test_a_slice_that_is_out_of_line_changes_no_region(asking: httpx2.Client) -> None:
    results, [found] = post(asking, slices(drawn(*["ChestCT"] * 4, "Hand", *["ChestCT"] * 4)))
    assert results[4]["label"] == "Hand"
    assert found["ranges"] == [{"first": 1, "last": 9, "label": "ChestCT"}]


def test_a_series_of_strangers_has_no_label(asking: httpx2.Client) -> None:
    _, [found] = post(asking, slices([STRANGER] * 4))
    assert found["label"] is None
    assert found["ranges"] == [{"first": 1, "last": 4, "label": None}]


def test_a_series_that_its_modality_keeps_from_being_a_class_has_no_label(asking: httpx2.Client) -> None:
    results, [found] = post(asking, slices(drawn(*["HeadCT"] * 4), Modality="MR"))
    assert {each["label"] for each in results} == {"HeadCT"}
    assert found["label"] is None


@pytest.mark.parametrize(
    ("numbers", "order"),
    [
        pytest.param([10, 9, 2], [2, 1, 0], id="by their numbers"),
        pytest.param([None, None, None], [0, 1, 2], id="without numbers"),
        pytest.param([3, None, 1], [0, 1, 2], id="one without a number"),
        pytest.param([4, 4, 1], [2, 0, 1], id="one number twice"),
    ],
)
def test_slices_without_positions_are_in_the_order_of_their_numbers_or_as_sent(
    client: httpx2.Client, numbers: list[int | None], order: list[int]
) -> None:
    _, [found] = post(client, numbered(numbers))
    assert found["indices"] == order


def test_an_enhanced_file_lies_where_its_middle_frame_does(client: httpx2.Client) -> None:
    def enhanced(*heights: float) -> bytes:
        frames = [item(PlanePositionSequence=[item(ImagePositionPatient=[0, 0, each])]) for each in heights]
        shared = [item(PlaneOrientationSequence=[item(ImageOrientationPatient=FLAT)])]
        groups: dict[str, Any] = {"PerFrameFunctionalGroupsSequence": frames, "SharedFunctionalGroupsSequence": shared}
        return dicom(np.stack([*drawn("Hand")] * len(heights)), SeriesInstanceUID="1.2.7", **groups)

    _, [found] = post(client, [enhanced(0, 9, 10), enhanced(50, 3, 60), enhanced(1, 6, 2)])
    assert found["indices"] == [1, 2, 0]


def test_a_damaged_file_is_in_no_series_and_harms_none(asking: httpx2.Client) -> None:
    files = slices(drawn(*["HeadCT"] * 5))
    files[2] = files[2][:-9]
    results, [found] = post(asking, files)
    assert results[2]["error"]["status"] == 400
    assert found["indices"] == [0, 1, 3, 4]
    assert found["ranges"] == [{"first": 1, "last": 4, "label": "HeadCT"}]


def test_a_series_is_one_of_one_study(client: httpx2.Client) -> None:
    [hand] = drawn("Hand")
    files = [dicom(hand, StudyInstanceUID=study, SeriesInstanceUID="1.2.7") for study in ("1.2.5", "1.2.6", "1.2.5")]
    assert [each["indices"] for each in post(client, files)[1]] == [[0, 2], [1]]


def test_pictures_and_dicoms_that_name_no_series_are_in_none(client: httpx2.Client, hand: bytes) -> None:
    nameless = slices(drawn("Hand"), "")
    assert post(client, [hand, hand])[1] == []
    assert [each["indices"] for each in post(client, [*nameless, hand, *nameless, *slices(drawn("Hand"))])[1]] == [[3]]


def test_a_dicom_whose_series_cannot_be_read_is_judged_all_the_same(client: httpx2.Client) -> None:
    [file] = slices(drawn("Hand"))
    broken = file.replace(b"\x20\0\x0e\0UI", b"\x20\0\x0e\0FD")  # a text said to be a number
    results, series = post(client, [broken])
    assert results == [{"index": 0} | client.post("/predict", content=broken).json()]
    assert series == []


def test_a_bundle_that_knows_no_strangers_gives_series_too(client: httpx2.Client) -> None:
    results, [found] = post(client, slices(drawn("Hand", "Hand", "Hand")))
    assert results[0]["ood_score"] is None
    assert found["label"] == "Hand"
