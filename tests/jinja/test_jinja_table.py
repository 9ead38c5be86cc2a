"""Every entry of the table, rendered by Quern and by jinja2: the same text, or an error from both."""

from collections import defaultdict

import engine
import pytest
import table

ENTRIES = list(table.entries())
TOPICS = list(dict.fromkeys(entry.topic for entry in ENTRIES))
MOST_SHOWN = 20


@pytest.fixture(scope="module")
def results():
    found = defaultdict(list)
    for result in table.run(ENTRIES):
        found[result.entry.topic].append(result)
    return found


@pytest.mark.parametrize("topic", TOPICS)
def test_entries_render_as_jinja2_renders_them(results, topic):
    declared = table.gaps()
    wrong = [(r, r.problem(declared)) for r in results[topic]]
    wrong = [(result, problem) for result, problem in wrong if problem]
    shown = "\n".join(result.describe(problem) for result, problem in wrong[:MOST_SHOWN])
    assert not wrong, f"{len(wrong)} of {len(results[topic])} entries\n{shown}"


def test_the_table_is_whole():
    """It has not lost whole files, and every declared gap is one of its entries."""
    lines = {entry.line for entry in ENTRIES}
    assert len(lines) > 10000
    assert set(table.gaps()) <= lines


def test_most_entries_render_a_text(results):
    rendered = sum("text" in result.want for part in results.values() for result in part)
    assert rendered > len(ENTRIES) / 2


def test_the_worst_templates_end_in_an_error_and_leave_the_program_running():
    loop = "{% for i in range(99999) %}" * 4 + "x" + "{% endfor %}" * 4
    hostile = [
        loop,
        "{{ 'a' * 10 ** 12 }}",
        "{{ 10 ** (10 ** 10) }}",
        "{{ '%999999999999d' % 1 }}",
        "{{ '{:999999999999}'.format(1) }}",
        "{{ 'a'.center(10 ** 13) }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m() %}{{ caller() }}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{% call m() %}x{% endcall %}",
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% block a %}{{ self.a() }}{% endblock %}",
        "{% set x = 'a' %}{% set ns = namespace(x=x) %}{% for i in range(64) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[]) %}{% for i in range(90000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x='') %}{% for i in range(90000) %}{% set ns.x = (ns.x, ns.x) %}{% endfor %}{{ ns.x == ns }}",
        "{{ " + "(" * 50000 + "1" + ")" * 50000 + " }}",
        "{{ " + "[" * 50000 + "]" * 50000 + " }}",
        "{{ " + "not " * 50000 + "1 }}",
        "{{ " + "-" * 50000 + "1 }}",
        "{% if 1 %}" * 20000 + "{% endif %}" * 20000,
        "{{ 1" + " if 1 else 1" * 50000 + " }}",
        "{{ 'a'" + "|upper" * 100000 + " + 1 }}",
        "{{ x" + ".a" * 100000 + " }}",
        "{{ " + "2 ** " * 50000 + "2 }}",
        "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns == namespace(a=ns) }}{{ ns|tojson }}",
        "{{ ('a' * 1000000)|replace('a', 'b' * 1000000) }}",
        "{{ range(99999)|map('center', 100000)|join }}",
    ]
    quern = engine.Program(engine.quern_program())
    answers = []
    for template in hostile:
        quern.send({"template": template})
        answers.append((template[:80], quern.receive()))
    quern.send({"template": "{{ 1 + 1 }}"})
    after = quern.receive()
    quern.stop()
    assert [(template, answer) for template, answer in answers if "error" not in answer] == []
    assert [(t, a) for t, a in answers if a["error"] == "internal" or engine.PANIC.search(a["message"])] == []
    assert after == {"text": "2"}
