"""Long and deep templates. jinja2 and Python have limits of their own, and so has Quern; up to
MOST of everything, which no real template comes near, both render the same."""

import engine
import pytest

MOST = 40

CHAINS = ["~ 1", "+ 1", "and 1", "or 1", "** 1", "< 2 > 1", "if 0 else 1", "in [1] == true", "is odd and 1"]
BRACKETS = {
    "round": ("(", "1", ")"),
    "square": ("[", "", "]"),
    "curly": ("{1: ", "2", "}"),
    "not": ("not ", "1", ""),
    "minus": ("- ", "1", ""),
    "calls": ("dict(a=", "1", ")"),
    "conditions": ("(1 if 0 else ", "2", ")"),
    "gets": ("", "{}", ".get('a', {})"),
    "methods": ("", "'a'", ".upper()"),
    "filters": ("", "'a'", "|upper|lower"),
    "indexes": ("", "'a'", "[0]"),
}
BLOCKS = {
    "if": ("{% if 1 %}", "{% endif %}"),
    "else": ("{% if 0 %}{% else %}", "{% endif %}"),
    "with": ("{% with x = 1 %}", "{% endwith %}"),
    "filter": ("{% filter upper %}", "{% endfilter %}"),
    "set": ("{% set x %}", "{% endset %}{{ x }}"),
    "macro": ("{% macro m() %}", "{% endmacro %}{{ m() }}"),
    "call": ("{% call c() %}", "{% endcall %}"),
    "generation": ("{% generation %}", "{% endgeneration %}"),
}


def many(count):
    """Things one after the other."""
    yield "{% if 0 %}" + "{% elif 0 %}x" * count + "{% else %}y{% endif %}"
    yield "{{ [" + "1, " * count + "]|length }}"
    yield "{{ {" + ", ".join(f"{i}: {i}" for i in range(count)) + "} }}"
    yield "{{ dict(" + ", ".join(f"a{i}={i}" for i in range(count)) + ") }}"
    yield "{% set x = 1 %}{{ x }}\n" * count
    yield "{{ " + "'a' " * count + "}}"
    yield "{{ '" + "a" * count + "'|length }}"
    yield "{% set " + ", ".join(f"a{i}" for i in range(count)) + f" = range({count}) %}}{{{{ a{count - 1} }}}}"


def templates():
    for chain in CHAINS:
        yield f"chain {chain}", "{{ 1" + f" {chain}" * MOST + " }}"
    for name, (before, middle, after) in BRACKETS.items():
        yield f"brackets {name}", "{{ " + before * MOST + middle + after * MOST + " }}"
    for name, (before, after) in BLOCKS.items():
        start = "{% macro c() %}{{ caller() }}{% endmacro %}"
        yield f"blocks {name}", start + before * (MOST // 2) + "x" + after * (MOST // 2)
    yield "loops", "{% for i in [1] %}" * 19 + "{{ loop.index }}" + "{% endfor %}" * 19
    for i, template in enumerate(many(1000)):
        yield f"many {i}", template
    deep = "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{% endif %}x{% endmacro %}{{ m(150) }}"
    yield "calls of a macro by itself", deep
    yield "a list in a list", (
        "{% set ns = namespace(x=[]) %}{% for i in range(150) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}"
    )


@pytest.fixture(scope="module")
def pair():
    with engine.Pair() as both:
        yield both


@pytest.mark.parametrize("template", [pytest.param(text, id=name) for name, text in templates()])
def test_long_and_deep_templates_render_as_jinja2_renders_them(pair, template):
    want, got = pair.answers({"template": template})
    assert "text" in want, want
    assert got == want
