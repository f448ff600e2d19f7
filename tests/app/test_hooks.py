"""uvicorn calls what is overridden here; a release that renames a hook would leave ours uncalled without a word."""

import inspect

import pytest

from app.serving.http1 import Protocol
from app.serving.server import Server

NEW = {
    Server: ["run_app"],
    Protocol: [
        "_expect",
        "_arrived",
        "_relax",
        "_overdue",
        "_head_without_offer",
        "_limit_head",
        "_refuse",
        "_abandon",
        "_unanswered",
    ],
}


@pytest.mark.parametrize("ours", NEW)
def test_every_method_that_is_not_new_overrides_one_with_the_same_arguments(ours: type) -> None:
    theirs = ours.__base__
    methods = {name: method for name, method in vars(ours).items() if inspect.isfunction(method)}
    assert [name for name in methods if not hasattr(theirs, name)] == NEW[ours]
    for name in methods.keys() - {"__init__", *NEW[ours]}:
        mine, parent = (inspect.signature(getattr(owner, name)).parameters for owner in (ours, theirs))
        assert [*mine] == [*parent]
