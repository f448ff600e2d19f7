"""What an operator can set, read from BODYREGION_… variables by main and the command line only."""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.limits import Limits, usable_cores
from app.model.bundle import CURRENT, default_root
from app.model.checkpoint import default_cache

PREFIX = "BODYREGION_"
MAX_DEFAULT_WORKERS = 4  # unless asked for more

# What Kubernetes puts into a pod's environment for services whose name begins like ours.
SERVICE_LINK = re.compile(r"_SERVICE_(HOST|PORT(_\w+)?)$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$")
ORIGIN = re.compile(r"\*|https?://[^/,\s]+")
SERVICE_URL = re.compile(r"(tcp|udp|sctp)://")


class SettingsError(Exception):
    """A setting is unknown or has an impossible value; the message is one plain sentence."""


class Settings(BaseSettings, Limits):
    """Every field is a variable BODYREGION_<NAME>; sizes in bytes, times in seconds."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, validate_default=False)

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    workers: int = Field(default_factory=lambda: min(usable_cores(), MAX_DEFAULT_WORKERS), ge=1)
    bundle: Path = Field(default_factory=lambda: default_root() / CURRENT)
    cache: Path | None = Field(default_factory=default_cache)
    drain_seconds: float = Field(10, ge=0)
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(str.lower)] = "info"
    log_format: Annotated[Literal["auto", "console", "json"], BeforeValidator(str.lower)] = "auto"

    @property
    def cores(self) -> int:
        """How many each worker has to itself."""
        return max(1, usable_cores() // self.workers)

    @field_validator("port", mode="before")
    @classmethod
    def _not_a_service_link(cls, value: Any) -> Any:
        return cls.model_fields["port"].default if SERVICE_URL.match(str(value)) else value

    @property
    def unguarded(self) -> bool:
        """Whether others than this machine's own users may ask, without a key."""
        if self.api_keys or self.host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return True

    @field_validator("api_keys", mode="before")
    @classmethod
    def _list_or_file(cls, value: Any) -> Any:
        keys = _lines(value) if value.startswith(("/", ".")) else _parts(value)
        if not keys:
            raise ValueError("there is no key in it")
        return keys

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _origins(cls, value: Any) -> Any:
        origins = _parts(value)
        if not origins or not all(ORIGIN.fullmatch(origin) for origin in origins):
            raise ValueError("each origin is a scheme, a host and perhaps a port, such as https://example.org")
        return origins


def load(**overrides: Any) -> Settings:
    """The settings of this process's environment; `overrides` (None: not given) win. Raises SettingsError."""
    known = {PREFIX + field.upper() for field in Settings.model_fields}
    given = sorted(name for name in os.environ if name.startswith(PREFIX) and not SERVICE_LINK.search(name))
    if unknown := [name for name in given if name not in known]:
        raise SettingsError(f"There is no setting {unknown[0]}; the README lists those there are.")
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(f"{PREFIX}{str(first['loc'][0]).upper()}: {first['msg']}.") from error


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _lines(path: str) -> list[str]:
    """The keys of a secrets file, one a line."""
    try:
        lines = Path(path).read_text().splitlines()
    except (OSError, ValueError) as error:
        raise ValueError("the file it names cannot be read") from error
    return [line.strip() for line in lines if line.strip()]
