"""The OpenAPI document as others use it: examples to read, and a client that a generator writes from it."""

import importlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator

import app
from app.api.v2 import wire
from app.model import bundle
from tests.dicoms import dicom
from tests.hostile.case import HAND
from tests.running import COMMITTED, Server

GENERATOR = "openapi-python-client"


@pytest.fixture(scope="module")
def document(committed: Server) -> dict[str, Any]:
    with committed.client() as client:
        found: dict[str, Any] = client.get("/openapi.json").json()
    return found


@pytest.fixture(scope="module")
def generated(document: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The package that the generator writes, without a warning, imported."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "config.yaml").write_text(told_in(document))
    chosen = ["--path", "openapi.json", "--config", "config.yaml", "--meta", "none", "--output-path", "drawn_client"]
    done = subprocess.run(
        [GENERATOR, "generate", *chosen, "--fail-on-warning"],
        cwd=folder,
        env=os.environ | {"PATH": f"{sys.prefix}/tools/bin{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield importlib.import_module("drawn_client")
    sys.path.remove(str(folder))


@pytest.fixture
def service(generated: ModuleType, committed: Server) -> Iterator[Any]:
    with generated.Client(base_url=committed.address) as client:
        yield client


def ask(module: str, service: Any, **arguments: Any) -> Any:
    """Status and parsed answer of the function that was written for a route."""
    return importlib.import_module(f"drawn_client.api.{module}").sync_detailed(client=service, **arguments)


def model(name: str) -> Any:
    return getattr(importlib.import_module("drawn_client.models"), name)


def file(data: bytes) -> Any:
    return importlib.import_module("drawn_client.types").File(payload=io.BytesIO(data), file_name="a picture.png")


def test_a_generated_client_sends_a_file_and_reads_the_prediction(
    service: Any, asking: httpx2.Client, hand: bytes
) -> None:
    answer = ask("prediction.predict", service, body=model("PredictFilesBody")(file=file(hand)))
    assert answer.status_code == 200
    assert answer.parsed.to_dict() == asking.post("/predict", content=hand).json()


def test_a_generated_client_sends_many_files(service: Any, hand: bytes) -> None:
    body = model("PredictBatchBody")(files=[file(hand), file(b"not a picture")])
    answer = ask("prediction.predict_batch", service, body=body).parsed
    first, second = answer.results
    assert (first.index, second.index, second.error.status) == (0, 1, 415)
    assert answer.series == []


def test_a_generated_client_reads_a_series_and_what_its_header_should_say(service: Any) -> None:
    body = model("PredictBatchBody")(files=[file(dicom(HAND, SeriesInstanceUID="1.2.7"))])
    answer = ask("prediction.predict_batch", service, body=body).parsed
    [series], [result] = answer.series, answer.results
    assert (series.indices, series.label) == ([0], "Hand")
    assert series.probabilities.to_dict() == pytest.approx(result.probabilities.to_dict())
    assert [(each.first, each.last, each.label) for each in series.ranges] == [(1, 1, "Hand")]
    assert result.dicom.suggested.term == "HAND"


def test_a_generated_client_gets_the_picture_of_an_explanation(service: Any, hand: bytes) -> None:
    answer = ask("prediction.explain", service, body=model("ExplainFilesBody")(file=file(hand)))
    assert answer.parsed.payload.read().startswith(b"\x89PNG")


def test_a_generated_client_reads_health_and_model(service: Any) -> None:
    manifest = bundle.read(COMMITTED).manifest
    assert ask("operations.health", service).parsed.status == "ok"
    assert ask("operations.model", service).parsed.version == manifest.version


def test_a_generated_client_reads_a_refusal(service: Any) -> None:
    answer = ask("prediction.predict", service, body=model("PredictFilesBody")(file=file(b"not a picture")))
    assert answer.status_code == 415
    assert isinstance(answer.parsed, model("Problem"))
    assert answer.parsed.detail.startswith("The content is not")


def test_a_generated_client_speaks_the_open_inference_protocol(service: Any) -> None:
    version = bundle.read(COMMITTED).manifest.version
    told = ask("open_inference_protocol.v2_models_versions", service, name="mednist", version=version)
    assert told.parsed.versions == [version]
    request = model("InferRequest").from_dict(wire.EXAMPLE)
    judged = ask("open_inference_protocol.v2_models_infer", service, name="mednist", body=request)
    assert (judged.parsed.id, judged.parsed.outputs[0].shape) == ("42", [1, 2])
    refused = ask("open_inference_protocol.v2_models", service, name="another")
    assert (refused.status_code, refused.parsed.error) == (404, "There is no such model here.")


def test_every_answer_has_an_example_that_fits_its_shape(document: dict[str, Any]) -> None:
    for where, media_type, content in answers(document):
        if content["schema"].get("format") != "binary":
            example = content["example"] if "example" in content else declared(document, content["schema"])
            schema = content["schema"] | {"components": document["components"]}
            assert not list(Draft202012Validator(schema).iter_errors(example)), (where, media_type)


def test_every_request_in_json_has_an_example_that_fits_its_shape(document: dict[str, Any]) -> None:
    bodies = [operation.get("requestBody", {"content": {}})["content"] for _, operation in operations(document)]
    contents = [body["application/json"] for body in bodies if "application/json" in body]
    assert contents
    for content in contents:
        Draft202012Validator(content["schema"] | {"components": document["components"]}).validate(content["example"])


def test_an_example_of_a_refusal_says_what_the_service_says(asking: httpx2.Client, document: dict[str, Any]) -> None:
    refused = asking.post("/predict", content=b"\0 no picture")
    shown = document["paths"]["/predict"]["post"]["responses"]["415"]["content"]["application/problem+json"]["example"]
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json() == shown | {"request_id": refused.json()["request_id"]}


def told_in(document: dict[str, Any]) -> str:
    """The lines that the generator needs, since it knows only JSON, forms and octet streams."""
    [lines] = re.findall(r"^```yaml\n(.*?)^```", document["info"]["description"], re.MULTILINE | re.DOTALL)
    return str(lines)


def test_the_document_says_what_it_is_of(document: dict[str, Any]) -> None:
    told = document["info"]
    assert (told["version"], told["license"]) == (app.__version__, {"name": "MIT", "identifier": "MIT"})


def test_everything_in_the_document_is_described(document: dict[str, Any]) -> None:
    for where, operation in operations(document):
        for parameter in operation.get("parameters", []):
            assert parameter["description"], (where, parameter["name"])
        assert operation["summary"], where
        assert operation.get("requestBody", {"description": "none"})["description"], where
        for status, response in operation["responses"].items():
            assert response["description"] != "Successful Response", (where, status)
    bare = [f"{where}.{name}" for where, name, field in properties(document) if not field.get("description")]
    assert bare == []


def properties(part: Any, where: str = "") -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every field of every shape, wherever it stands."""
    if isinstance(part, dict):
        fields = part.get("properties", {})
        yield from ((where, name, field) for name, field in fields.items())
    inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for name, value in inner:
        yield from properties(value, f"{where}/{name}")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def answers(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            assert response["content"], (name, status)
            for media_type, content in response["content"].items():
                yield f"{name} {status}", media_type, content


def declared(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    """The example of a shape that has a name."""
    return document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["examples"][0]
