//! Small templates and what jinja2 3.1.6 renders them to, with x = 3: syntax, scopes, macros and loops.
//! tests/jinja compares many more with jinja2 itself.

use super::ast::Template;
use super::context::Limits;
use super::error::{Error, Kind};
use super::value::Value;
use std::sync::Arc;

fn render(source: &str) -> Result<String, Error> {
    let limits = Limits { fuel: 1_000_000, bytes: 1 << 20, recursion: 200 };
    let template = Arc::new(Template::parse(source)?);
    template.render(limits, 0, 1 << 20, |_| Ok(vec![("x".to_owned(), Value::int(3))]))
}

fn check(cases: &[(&str, &str)]) {
    for (source, want) in cases {
        assert_eq!(render(source).map_err(|error| error.message), Ok((*want).to_owned()), "{source}");
    }
}

#[test]
fn white_space_are_those_of_jinja2() {
    let cases = [
        ("a\r\nb\rc\n", "a\nb\nc"),
        ("a\n\n", "a\n"),
        ("  {% if 1 %}\n  x\n  {% endif %}\ny\n", "  x\ny"),
        ("{% if 1 -%}\n x \n{%- endif %}\n", "x"),
        ("a {%+ if 1 %}b{% endif +%}\nc", "a b\nc"),
        ("  {%+ if 1 %}x{% endif %}", "  x"),
        ("a\n  {# c #}\nb", "a\nb"),
        ("a {#- c -#} b", "ab"),
        ("a\n  {#+ c +#}\nb", "a\n  \nb"),
        ("{% raw %}\n{{ x }} {% if %}\n{% endraw %}\nb", "\n{{ x }} {% if %}\nb"),
        ("a\n {% raw -%}  x  {%- endraw %}\n b", "a\nx b"),
        ("{{-1}}", "1"),
        ("a {{- 1 -}} b", "a1b"),
        ("{% raw %}", ""),
        ("{#", ""),
        ("{%set y=1%}{{y}}", "1"),
        ("x\u{2028}  {% if 1 %}y{% endif %}", "x\u{2028}  y"),
        (" \u{1c}{%- if 1 %}y{% endif %}", "y"),
        ("{# a #}{# b\n #}\n{{ 1 }}", "1"),
        ("{{ {'a': {'b': 1}}}}", "{'a': {'b': 1}}"),
    ];
    check(&cases);
}

#[test]
fn literals_are_those_of_jinja2() {
    let cases = [
        ("{{ '\\x41\\u00e9\\101\\a' }}", "AéA\u{7}"),
        ("{{ '\\d\\é' }}", "\\d\\xe9"),
        ("{{ 'a\\\nb' }}", "ab"),
        ("{{ 'a' \"b\"\n'c' }}", "abc"),
        ("{{ 1_000 }},{{ 0x_ff }},{{ 0o17 }},{{ 0b11 }},{{ 00 }}", "1000,255,15,3,0"),
        ("{{ 1e3 }},{{ 1_0.5e-1 }},{{ 2.5 }}", "1000.0,1.05,2.5"),
        ("{{ [1.5e300, 123456789012345678901234567890] }}", "[1.5e+300, 123456789012345678901234567890]"),
        ("{{ 1.real }}", "1"),
        ("{{ 'a\r\nb' }}", "a\nb"),
        ("{{ (1) }}{{ (1,) }}{{ () }}{{ 1, 2 }}", "1(1,)()(1, 2)"),
        ("{{ [1, 2,] }}{{ {'a': 1,} }}", "[1, 2]{'a': 1}"),
        ("{{ true }}{{ True }}{{ none }}{{ None }}", "TrueTrueNoneNone"),
        ("{{ é is defined }}", "False"),
    ];
    check(&cases);
}

#[test]
fn precedence_are_those_of_jinja2() {
    let cases = [
        ("{{ 2 ** 3 ** 2 }}", "64"),
        ("{{ -2 ** 2 }}", "4"),
        ("{{ -2 ** x }}", "-8"),
        ("{{ (1 - 3) ** x }}", "-8"),
        ("{{ -x ** 2 }}", "9"),
        ("{{ -x|abs }}", "3"),
        ("{{ not x == 3 }}", "False"),
        ("{{ not not x }}", "True"),
        ("{{ 7 // 2 * 2 % 4 }}", "2"),
        ("{{ 1 < 2 < x }},{{ 1 < x > 5 }}", "True,False"),
        ("{{ x in [1, 3] }},{{ x not in [1, 3] }}", "True,False"),
        ("{{ x is divisibleby 3 and x is odd }}", "True"),
        ("{{ x is not none }}", "True"),
        ("{{ 'a' if x }},{{ 'a' if not x }}", "a,"),
        ("{{ 1 if x > 5 else 2 if x > 2 else 3 }}", "2"),
        ("{{ 'ab'[0:1] ~ 'abc'[::2] ~ 'abc'[-1] }}", "aacc"),
        ("{{ [1, 2, 3][1:] }}", "[2, 3]"),
        ("{{ {'a': 1}.a + {'a': 1}['a'] }}", "2"),
        ("{{ 'a' is in 'abc' }}", "True"),
        ("{{ x|string|length + 1 }}", "2"),
        ("{{ (x or missing).y is defined }}", "False"),
        ("{{ missing or 'd' }},{{ x and 'e' }}", "d,e"),
        ("{{ x is string or x is number }}", "True"),
        ("{{ [[1]].0.0 }}", "1"),
        ("{{ if is defined }}", "False"),
    ];
    check(&cases);
}

#[test]
fn scopes_are_those_of_jinja2() {
    let cases = [
        ("{% for i in [1, 2] %}{% set y = i %}{{ y }}{% endfor %}{{ y is defined }}", "12False"),
        ("{% set y = 0 %}{% for i in [1, 2] %}{{ y }}{% set y = i %}{% endfor %}{{ y }}", "000"),
        ("{% if 1 %}{% set y = 1 %}{% endif %}{{ y }}", "1"),
        ("{{ x }}{% if 0 %}{% set x = 9 %}{% endif %}{{ x }}", "33"),
        ("{% set x = x + 1 %}{{ x }}", "4"),
        ("{% macro m() %}{{ y }}{% endmacro %}{{ m() }}{% set y = 1 %}{{ m() }}", "1"),
        ("{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% set x = 1 %}{{ m() }}", "1"),
        (
            "{% with a = 1, b = x %}{{ a }}{{ b }}{% set c = 2 %}{% endwith %}{{ a is defined }}{{ c is defined }}",
            "13FalseFalse",
        ),
        ("{% with a = 1 %}{% with a = 2, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}{% endwith %}", "211"),
        ("{% set y %}{% set z = 1 %}{{ z }}{% endset %}{{ y }}{{ z is defined }}", "1False"),
        ("{% set y | upper %}ab{% endset %}{{ y }}", "AB"),
        ("{% filter upper %}{% set z = 'q' %}{{ z }}{% endfilter %}{{ z is defined }}", "QFalse"),
        ("{% set ns = namespace(n=0) %}{% for i in [1, 2, 3] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}", "6"),
        ("{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (a, b) = [b, a] %}{{ a }}{{ b }}", "1221"),
        ("{% set ns = namespace() %}{% set ns.a, y = 1, 2 %}{{ ns.a }}{{ y }}", "12"),
        ("{% for i in [1] %}{% macro q() %}{{ i }}{% endmacro %}{{ q() }}{% endfor %}", "1"),
        ("{% set y = 1 %}{% block b %}{{ y }}{% set y = 2 %}{{ y }}{% endblock %}{{ y }}", "121"),
        ("{% for i in [1] %}{% block b %}{{ i is defined }}{% endblock %}{% endfor %}", "False"),
        ("{% for i in [1] %}{% block b scoped %}{{ i }}{{ loop.index }}{% endblock %}{% endfor %}", "11"),
        ("{{ self.b() }}{% block b %}x{% endblock b %}", "xx"),
        ("{% block b %}{{ super is defined }}{% endblock %}", "False"),
        ("{% generation %}{% set y = 1 %}{{ y }}{% endgeneration %}{{ y is defined }}", "1False"),
        ("{% set y = 1 %}{% macro m(a=y, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m() }}{{ m(2) }}{{ m(b=3) }}", "112213"),
        ("{% for i in [] %}{% else %}{% set y = 1 %}{{ y }}{% endfor %}{{ y is defined }}", "1False"),
    ];
    check(&cases);
}

#[test]
fn macros_are_those_of_jinja2() {
    let cases = [
        ("{% macro m(a, b=2) %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1) }}{{ m(1, 3, 4, c=5) }}", "12(){}13(4,){'c': 5}"),
        ("{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m() }}{{ m(a=1) }}", "[][1]"),
        ("{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}x{% endcall %}", "x"),
        ("{% macro m() %}{{ caller(1, b=2) }}{% endmacro %}{% call(a, b=0, c=3) m() %}{{ a }}{{ b }}{{ c }}{% endcall %}", "123"),
        ("{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}", "False"),
        ("{% macro m(a, b=1) %}{{ varargs }}{% endmacro %}{{ m.name }}{{ m.arguments }}{{ m.catch_kwargs }}{{ m.catch_varargs }}{{ m.caller }}{{ m }}", "m('a', 'b')FalseTrueFalse<Macro 'm'>"),
        ("{% macro m() %}{% if kwargs %}{{ kwargs.a }}{% endif %}{% endmacro %}{{ m(**{'a': 1}) }}", "1"),
        ("{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1, 2]) }}{{ m(*[1], b=3) }}", "1213"),
        ("{% macro f(n) %}{{ n }}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}", "3210"),
        ("{% macro m(x) %}{{ x }}{% endmacro %}{{ m(x) }}{{ x }}", "33"),
        ("{% macro a() %}{{ loop is defined }}{% endmacro %}{% for i in [1] %}{{ a() }}{% endfor %}", "False"),
    ];
    check(&cases);
}

#[test]
fn loops_are_those_of_jinja2() {
    let cases = [
        ("{% for i in 'ab' %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }};{% endfor %}", "1021TrueFalse210;2110FalseTrue210;"),
        ("{% for i in [1, 2, 3] %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} {% endfor %}", "<1>2 1<2>3 2<3> "),
        ("{% for i in [1, 1, 2] %}{{ loop.changed(i) }}{{ loop.cycle('a', 'b') }}{% endfor %}", "TrueaFalsebTruea"),
        ("{% for i in [1, 2, 3, 4] if i is even %}{{ i }}{{ loop.index }}{{ loop.length }}{% endfor %}", "212422"),
        ("{% for i in [1, 2] %}{% break %}{% else %}e{% endfor %}", "e"),
        ("{% for i in [1, 2] %}{% continue %}{% else %}e{% endfor %}", "e"),
        ("{% for i in [1, 2, 3] %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% else %}e{% endfor %}", "1"),
        ("{% for i in [] %}x{% else %}e{% endfor %}", "e"),
        ("{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "123"),
        ("{% for i in [1, [2, [3]]] recursive %}{% if i is iterable %}[{{ loop(i) }}]{% else %}{{ i }}:{{ loop.depth }}{% endif %}{% endfor %}", "1:1[2:2[3:3]]"),
        ("{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}", "a1"),
        ("{% for i in [1, 2] %}{% for j in [1, 2] %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}", "121122"),
        ("{% for i in missing %}x{% else %}e{% endfor %}", "e"),
        ("{{ loop is defined }}", "False"),
        ("{% for i in [1, 2, 3] %}{{ loop }}{% for j in loop %}{{ j }}{% endfor %}{% endfor %}", "<LoopContext 1/3>(2, <LoopContext 2/3>)(3, <LoopContext 3/3>)"),
        ("{% set ns = namespace(n=1) %}{% for i in [1, 2, 3] if i > ns.n %}{{ i }}{% set ns.n = 3 %}{% endfor %}", "2"),
        ("{% for (a, b) in [[1, 2]] if a %}{{ loop.previtem is defined }}{{ a }}{% endfor %}", "False1"),
    ];
    check(&cases);
}

/// jinja2 gives an error for each of these.
#[test]
fn what_jinja2_refuses_is_an_error() {
    let cases = [
        "{% for i in [1] if loop.index %}{% endfor %}",
        "{{ 1 +}}",
        "{% if %}x{% endif %}",
        "{% endif %}",
        "{% unknown %}",
        "{% set true = 1 %}",
        "{% for loop in [1] %}{% endfor %}",
        "{% for i in [1] %}{% set loop = 1 %}{% endfor %}",
        "{% macro m(a, a) %}{% endmacro %}",
        "{% macro m(a=1, b) %}{% endmacro %}",
        "{{ f(a=1, a=2) }}",
        "{{ f(a=1, 2) }}",
        "{{ f(**a, b=1) }}",
        "{{ x[1:2, 3] }}",
        "{% break %}",
        "{% for i in [1] %}{% call f() %}{% break %}{% endcall %}{% endfor %}",
        "{% block a %}{% endblock %}{% block a %}{% endblock %}",
        "{% block a-b %}{% endblock %}",
        "{% block a required %}x{% endblock %}",
        "{% block a required %} {% endblock %}",
        "{% if 1 %}{% extends 'x' %}{% endif %}",
        "{% extends 'x' %}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% from 'x' import _y %}",
        "{{ 'a }}",
        "{{ 1 ! 2 }}",
        "{{ (1] }}",
        "{{ 012 }}",
        "{{ '\\x1' }}",
        "{{ '\\U00110000' }}",
        "{# x",
        "{% raw %}x",
        "{{ x is string is defined }}",
        "{% set x|upper = 1 %}",
        "{% set x.y = 1 %}",
        "{% set a, b = 1 %}",
        "{% macro m(caller) %}{{ caller() }}{% endmacro %}",
        "{% macro m() %}{% endmacro %}{% call m() %}{% endcall %}",
        "{% macro m() %}{% endmacro %}{{ m(1) }}",
        "{% macro m() %}{% endmacro %}{{ m(a=1) }}",
        "{% call x %}{% endcall %}",
        "{% filter length %}x{% endfilter %}",
        "{% set x = 1e999 %}{{ x }}",
        "{% set y | replace(q, 'a') %}b{% endset %}",
        "{% for i in 5 %}{% endfor %}",
        "{{ loop.index }}",
        "{% trans %}x{% endtrans %}",
        "{% do x %}",
        "{% debug %}",
        "{% endmacro m %}",
        "{{ 5[1:] + 1 }}",
        "{% for i in [1] %}{{ loop(i) }}{% endfor %}",
        "{% for i in [1] %}{{ loop.cycle() }}{% endfor %}",
        "{{ {[]: 1} }}",
        "{{ missing.x.y }}",
        "{{ x() }}",
        "{% with a %}{% endwith %}",
        "{{ _ }",
    ];
    for source in cases {
        assert!(render(source).is_err(), "{source}: {:?}", render(source));
    }
}

#[test]
fn errors_name_their_line() {
    let cases = [
        ("a\nb {% if %}", 2, Kind::Syntax),
        ("\n{{ 'open }}", 2, Kind::Syntax),
        ("\n{% endfor %}", 2, Kind::Syntax),
        ("{% for i in [1] %}\n{% if i %}\n{% endfor %}", 3, Kind::Syntax),
        ("{# a\nb #}\n{{ 1 ! }}", 3, Kind::Syntax),
        ("{{\n1\n+ }}", 3, Kind::Syntax),
        ("a {%- if 1 -%}\n\n{{ ( }}{% endif %}", 3, Kind::Syntax),
        ("{% raw %}\n{% endraw %}\n\n{% do %}", 4, Kind::Syntax),
        ("a\r\nb\rc {{ ] }}", 3, Kind::Syntax),
        ("\n{% set x = 1 %}\n{% for i in [1] %}\n{% set loop = 1 %}\n{% endfor %}", 4, Kind::Syntax),
        ("\n{{ 1 | frobnicate }}", 2, Kind::Unsupported),
        ("\n\n{% if x is frobnicated %}{% endif %}", 3, Kind::Unsupported),
        ("\n{{ frobnicate() }}", 2, Kind::Unsupported),
        ("{% if 1 %}\n{{ 1 + 'a' }}\n{% endif %}", 2, Kind::Runtime),
        ("{% macro m() %}\n{{ y.z.w }}\n{% endmacro %}\n\n{{ m() }}", 2, Kind::Runtime),
        ("{% for i in [1, 0] %}\n{{ 1 / i }}\n{% endfor %}", 2, Kind::Runtime),
        ("\n{% for i in 5 %}{% endfor %}", 2, Kind::Runtime),
        ("\n\n{% include 'x' %}", 3, Kind::Runtime),
        ("\n{{ [\n1,\nx.y.z] }}", 4, Kind::Runtime),
        ("\n{{ raise_exception('no') }}", 2, Kind::Raised),
    ];
    for (source, line, kind) in cases {
        let error = render(source).expect_err(source);
        assert_eq!((error.line, error.kind), (line, kind), "{source}: {}", error.message);
    }
}

/// The message says what was found, what is missing, and of which tag.
#[test]
fn errors_say_what_is_wrong() {
    let cases = [
        ("{% if x %}{% for i in x %}{% endif %}", "where {% endfor %} or {% else %} of the {% for %} of line 1"),
        ("{% if x %}", "the template ends where {% elif %} or {% else %} or {% endif %} of the {% if %} of line 1"),
        ("{% do x %}", "the tag {% do %} is not known"),
        ("{{ (1] }}", "']' stands where ')' is expected"),
        ("{{ 1 2 }}", "'}}' is expected, not an integer"),
        ("{% include 'secret' %}", "'secret'"),
        ("{{ y.z.w }}", "'y' is undefined"),
        ("{% macro m() %}{% endmacro %}{{ m(1) }}", "macro 'm' takes not more than 0 argument(s)"),
    ];
    for (source, want) in cases {
        let message = render(source).expect_err(source).message;
        assert!(message.contains(want), "{source}: {message}");
    }
}
