"""A fixed number of random templates: Quern renders each as jinja2 does, or refuses it. fuzz.py runs for longer."""

import random

import fuzz
import pytest
import random_templates

TEMPLATES = 6000
MOST_REFUSED = 0.01


@pytest.fixture(scope="module")
def report():
    return fuzz.Fuzzer("fixed", templates=TEMPLATES).run()


def test_no_random_template_differs(report):
    assert not report.finds, "\n".join(find.describe() for find in report.finds)
    assert report.total == TEMPLATES


def test_few_are_refused_and_most_of_those_grown_render_a_text(report):
    assert report.refused_share <= MOST_REFUSED, report.refusals.most_common(10)
    assert report.texts > TEMPLATES * 2 / 3 / 2


class FakePair:
    """Differs where a template has both of two words."""

    def answers(self, case):
        wrong = "{{ a }}" in case["template"] and "needle" in case["template"] and "b" in case.get("kwargs", "")
        return {"text": "x"}, {"text": "y" if wrong else "x"}


def test_a_find_is_made_small():
    case = {
        "template": "{% if 1 %}needle {{ b }}{% for x in y %} {{ a }} {% endfor %}{% endif %}",
        "kwargs": '{"a": 1, "b": 2}',
        "messages": '[{"role": "user"}]',
    }
    small = fuzz.Shrinker(FakePair(), case, fuzz.engine.DIFFERS).run()
    assert small == {"template": "needle{{ a }}", "kwargs": '{"b": 2}'}


def test_a_seed_gives_the_same_case_on_every_python():
    """The fixed run shows the same differences everywhere."""
    assert random.Random("grown 1").random() == 0.7210233311133041
    assert random_templates.grown("1") == random_templates.grown("1")
    assert "".join(random_templates.tokens("{%- if x['a b']-%}é\n{# c #}{{y}}")) == "{%- if x['a b']-%}é\n{# c #}{{y}}"
