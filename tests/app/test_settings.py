"""Every BODYREGION_… variable, and the ones Kubernetes invents."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from app import settings
from app.settings import Settings, SettingsError
from tests.running import ROOT

CHANGED = {
    "HOST": ("0.0.0.0", "0.0.0.0"),
    "PORT": ("9000", 9000),
    "WORKERS": ("7", 7),
    "BUNDLE": ("/srv/bundle", Path("/srv/bundle")),
    "CACHE": ("/srv/cache", Path("/srv/cache")),
    "MAX_UPLOAD_BYTES": ("1000", 1000),
    "MAX_REQUEST_BYTES": ("2000", 2000),
    "MAX_BATCH_FILES": ("3", 3),
    "MAX_PIXELS": ("1000000", 1_000_000),
    "MAX_FRAMES": ("7", 7),
    "MAX_QUEUE": ("4", 4),
    "REQUEST_TIMEOUT_SECONDS": ("2.5", 2.5),
    "DRAIN_SECONDS": ("0", 0),
    "API_KEYS": ("one, two", (SecretStr("one"), SecretStr("two"))),
    "CORS_ORIGINS": ("https://a.org,http://b.org:81", ("https://a.org", "http://b.org:81")),
    "LOG_LEVEL": ("WARNING", "warning"),
    "LOG_FORMAT": ("JSON", "json"),
}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CHANGED:
        monkeypatch.delenv(f"BODYREGION_{name}", raising=False)


@pytest.mark.parametrize("name", CHANGED)
def test_each_variable_sets_its_field(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text, value = CHANGED[name]
    assert getattr(settings.load(), name.lower()) != value
    monkeypatch.setenv(f"BODYREGION_{name}", text)
    assert getattr(settings.load(), name.lower()) == value


def test_every_setting_is_tested_here_and_documented_in_the_readme() -> None:
    fields = {name.upper() for name in Settings.model_fields}
    documented = re.findall(r"^\| `BODYREGION_(\w+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert fields == set(CHANGED) == set(documented)


def test_an_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BODYREGION_PORT", "9000")
    assert settings.load(port=9001).port == 9001


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BODYREGION_PORT", "tcp://10.0.0.1:8000"),
        ("BODYREGION_SERVICE_HOST", "10.0.0.1"),
        ("BODYREGION_SERVICE_PORT", "8000"),
        ("BODYREGION_SERVICE_PORT_HTTP", "8000"),
        ("BODYREGION_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
        ("BODYREGION_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("BODYREGION_PORT_8000_TCP_PROTO", "tcp"),
    ],
)
def test_what_kubernetes_puts_into_a_pod_breaks_nothing(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert settings.load().port == 8000


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "99999", "must be a whole number from 0 to 65535"),
        ("WORKERS", "two", "must be a whole number of at least 1"),
        ("MAX_PIXELS", "255", "must be a whole number of at least 256"),
        ("MAX_QUEUE", "1.5", "must be a whole number of at least 1"),
        ("DRAIN_SECONDS", "-1", "must be a number of at least 0"),
        ("REQUEST_TIMEOUT_SECONDS", "0", "must be a number above 0"),
        ("LOG_LEVEL", "loud", "must be debug, info, warning or error"),
        ("API_KEYS", " , ", "there is no key in it"),
    ],
)
def test_an_impossible_value_is_told_what_it_must_be(
    name: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"BODYREGION_{name}", value)
    with pytest.raises(SettingsError, match=f"^BODYREGION_{name}: {sentence}\\.$"):
        settings.load()


def test_all_that_is_wrong_is_told_at_once_and_an_option_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("MAX_QUEU", "1"), ("SPEED", "2"), ("WORKERS", "0"), ("PORT", "9000"), ("LOG_LEVEL", "loud")):
        monkeypatch.setenv(f"BODYREGION_{name}", value)
    with pytest.raises(SettingsError) as refused:
        settings.load(port="99999")
    assert str(refused.value).splitlines() == [
        "There is no setting BODYREGION_MAX_QUEU; the README lists those there are.",
        "There is no setting BODYREGION_SPEED; the README lists those there are.",
        "--port: must be a whole number from 0 to 65535.",
        "BODYREGION_WORKERS: must be a whole number of at least 1.",
        "BODYREGION_LOG_LEVEL: must be debug, info, warning or error.",
    ]


def test_every_number_and_choice_has_words_for_what_it_must_be(monkeypatch: pytest.MonkeyPatch) -> None:
    taken_as_text = {"HOST", "BUNDLE", "CACHE"}
    for name in CHANGED.keys() - taken_as_text:
        monkeypatch.setenv(f"BODYREGION_{name}", "-")
    with pytest.raises(SettingsError) as refused:
        settings.load()
    told = str(refused.value).splitlines()
    assert {line.partition(":")[0] for line in told} == {
        f"BODYREGION_{name}" for name in CHANGED.keys() - taken_as_text - {"API_KEYS"}
    }


def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BODYREGION_MAX_QUEU", "1")
    with pytest.raises(SettingsError, match="MAX_QUEU"):
        settings.load()
