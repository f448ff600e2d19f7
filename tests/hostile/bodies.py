"""What schemathesis sends where the OpenAPI document asks for a picture: no schema can say what a picture is."""

from hypothesis import strategies
from schemathesis import openapi

from tests.hostile.containers import files

pictures = strategies.sampled_from(list(files().values()))
openapi.format("binary", pictures)
openapi.media_type("image/*", pictures, aliases=["application/dicom", "application/octet-stream"])
