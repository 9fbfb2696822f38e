from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.documents import Dialect, read
from controller.model import ABSENT, Invalid, Position
from controller.render.oam.reporting import Report
from controller.render.types.structure import Scope, fill

PARAMETERS = {
    "image": "web:1",
    "ports": [{"port": 80}, {"port": 443, "tls": True}],
    "env": {"B": "2", "A": "1"},
    "quiet": False,
    "nothing": ABSENT,
}
CONTEXT = {"name": "web", "application": "shop", "namespace": "default"}
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab$", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner, max_size=3),
    max_leaves=10,
)


def report() -> Report:
    return Report(lambda _: Position("manifest.yaml"))


def filled(text: str) -> Any:
    found = report()
    value = read(f"v: {text}".encode(), path="m", dialect=Dialect.KUBERNETES)[0].value
    assert isinstance(value, dict)
    result = fill(value["v"], Scope(PARAMETERS, CONTEXT, found))
    found.settle()
    return result


@given(PLAIN)
def test_what_has_no_word_in_it_stays_as_it_is(value: Any) -> None:
    assert fill(value, Scope({}, CONTEXT, report())) == value


@given(PLAIN)
def test_a_parameter_is_put_in_whole_whatever_it_holds(value: Any) -> None:
    assert fill({"a": {"$param": "x"}}, Scope({"x": value}, CONTEXT, report())) == {"a": value}


@pytest.mark.parametrize(
    ("written", "comes_to"),
    [
        ("{$param: image}", "web:1"),
        ("{$param: 'ports[1].port'}", 443),
        ("{a: {$param: nothing}, b: 1}", {"b": 1}),
        ("[1, {$param: nothing}, 2]", [1, 2]),
        ("{$param: nothing, $default: {x: {$context: name}}}", {"x": "web"}),
        ("{$param: 'ports[0].tls', $default: false}", False),
        ("{$concat: [{$context: application}, -, {$param: 'ports[0].port'}]}", "shop-80"),
        ("{a: {$if: quiet, b: 1}, c: 2}", {"c": 2}),
        ("{a: {$if: image, b: 1}}", {"a": {"b": 1}}),
        ("[{$if: quiet, b: 1}, 2]", [2]),
        ("{$if: {$not: quiet}, $then: x, $else: z}", "x"),
        ("{$if: {$all: [image, quiet]}, $then: x, $else: z}", "z"),
        ("{$if: {$any: [image, quiet]}, $then: x, $else: z}", "x"),
        ("{$if: {$equals: [{$param: image}, 'web:1']}, $then: x, $else: z}", "x"),
        ("[{$each: ports, $as: p, $do: {at: {$param: p.port}}}, {at: 9}]", [{"at": 80}, {"at": 443}, {"at": 9}]),
        ("[{$each: env, $as: e, $do: {$concat: [{$param: e.key}, '=', {$param: e.value}]}}]", ["A=1", "B=2"]),
        ("[{$each: ports, $as: p, $do: {$if: p.tls, $then: {$param: p.port}}}]", [443]),
        ("[{$each: nothing, $do: 1}]", []),
    ],
)
def test_a_word_stands_for_its_value(written: str, comes_to: Any) -> None:
    assert filled(written) == comes_to


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("{$parm: image}", r'\["\$parm"\]: there is no such word. Did you mean "\$param"'),
        ("{$param: imge}", r'there is no parameter "imge". Did you mean "image"'),
        ("{$param: image, other: 1}", r"other: stands beside \$param"),
        ("{$param: []}", "this is no parameter's path"),
        ("{$context: nme}", r'there is no "nme" in the context. Did you mean "name"'),
        ("{$concat: [{$param: env}]}", "only strings and numbers"),
        ("{$default: 1}", r"\$default stands beside no \$param"),
        ("{a: {$each: ports, $do: 1}}", r"\$each makes elements of a list"),
        ("[{$each: image, $do: 1}]", "image is neither a list nor a mapping"),
        ("{$if: {$nto: image}, a: 1}", "this is no condition"),
    ],
)
def test_a_mistake_is_told_with_what_may_have_been_meant(written: str, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        filled(written)
