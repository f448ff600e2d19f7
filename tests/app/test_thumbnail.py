"""POST /thumbnail: a small picture of whatever is read."""

import io

import httpx2
import numpy as np
import pytest
from PIL import Image

from tests.dicoms import dicom


@pytest.mark.parametrize(("shape", "size"), [((1024, 512), (128, 256)), ((40, 30), (30, 40))])
def test_a_dicom_becomes_a_png_of_at_most_256_pixels_a_side(
    client: httpx2.Client, shape: tuple[int, int], size: tuple[int, int]
) -> None:
    ramp = np.linspace(0, 255, shape[0]).astype(np.uint8)[:, np.newaxis].repeat(shape[1], axis=1)
    answer = client.post("/thumbnail", content=dicom(ramp))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.headers["server-timing"].startswith("decode;dur=")
    image = Image.open(io.BytesIO(answer.content))
    assert (image.mode, image.size) == ("L", size)
    column = np.asarray(image)[:, 0].astype(int)
    assert (np.diff(column) >= 0).all()
    assert column[-1] - column[0] > 240


def test_what_is_no_picture_has_no_thumbnail_either(client: httpx2.Client) -> None:
    answer = client.post("/thumbnail", content=b"not a picture")
    assert (answer.status_code, answer.json()["instance"]) == (415, "/thumbnail")
