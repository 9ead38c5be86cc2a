//! Values against jinja2's renderings of them (values_test.json), and the bounds of what they may take.

use super::ast::Template;
use super::context::Limits;
use super::error::{Error, Kind};
use super::json::{self, value_from_json};
use std::sync::Arc;

const LIMITS: Limits = Limits { fuel: 10_000_000, bytes: 512 << 20, recursion: 200 };

fn render(source: &str, variables: &serde_json::Value, now: i64) -> Result<String, Error> {
    let template = Arc::new(Template::parse(source)?);
    template.render(LIMITS, now, 64 << 20, |_| {
        let fields = variables.as_object().into_iter().flatten();
        fields.map(|(name, value)| Ok((name.clone(), value_from_json(value)?))).collect()
    })
}

fn plain(source: &str) -> Result<String, Error> {
    render(source, &serde_json::Value::Null, 0)
}

#[test]
fn values_render_as_in_jinja2() {
    let rows = json::parse(include_str!("values_test.json")).unwrap();
    let rows = rows.as_array().unwrap();
    assert!(rows.len() >= 200);
    let mut wrong = Vec::new();
    for row in rows {
        let [kind, source, variables, now, want] = row.as_array().unwrap().as_slice() else { panic!("{row}") };
        let got = render(source.as_str().unwrap(), variables, now.as_i64().unwrap());
        let right = match (&got, want.as_str()) {
            (Ok(got), Some(want)) => got == want,
            (Err(error), None) => matches!(error.kind, Kind::Runtime | Kind::Unsupported),
            _ => false,
        };
        if !right {
            wrong.push(format!("{kind} {source}\n  of   {variables}\n  want {want}\n  got  {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn numbers_of_json_are_read_as_python_reads_them() {
    let cases = [
        ("12345678901234567890123", "12345678901234567890123"),
        ("-9223372036854775809", "-9223372036854775809"),
        ("18446744073709551615", "18446744073709551615"),
        ("-0", "0"),
        ("-0.0", "-0.0"),
        ("1E400", "inf"),
        ("-1e400", "-inf"),
        ("1e22", "1e+22"),
        ("0.1e1", "1.0"),
        ("-440.68323091534523", "-440.68323091534523"),
        ("[1e999, \"1e999 -0 \\\" -0\", 2]", "[inf, '1e999 -0 \" -0', 2]"),
        ("{\"-0\": -0}", "{'-0': 0}"),
    ];
    for (text, want) in cases {
        let variables = json::parse(&format!("{{\"x\": {text}}}")).unwrap();
        assert_eq!(render("{{ x }}", &variables, 0).unwrap(), want, "{text}");
    }
    for text in ["01", "-", "1.", ".5", "1e", "--1", "+1", "0x10", "{\"\\u0000number\": \"1\"}", "1 2"] {
        assert!(json::parse(text).is_err(), "{text}");
    }
}

/// On a stack of the size that the deepest values may take. Frames of debug builds are several times as large.
fn on_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let size = if cfg!(debug_assertions) { 16 << 20 } else { 1 << 20 };
    std::thread::Builder::new().stack_size(size).spawn(work).unwrap().join().unwrap()
}

/// A value in a list (or tuple, dict, filter) in a list ..., `depth` deep, as a and again as b.
fn deepest(depth: usize, first: &str, open: &str, close: &str, then: &str) -> String {
    let build = |name: &str| {
        format!(
            "{{% set n = namespace(x={first}) %}}{{% for i in range({depth}) %}}{{% set n.x = {open}n.x{close} %}}\
             {{% endfor %}}{{% set {name} = n.x %}}"
        )
    };
    format!("{}{}{{{{ {then} }}}}", build("a"), build("b"))
}

#[test]
fn the_deepest_values_need_little_stack() {
    let cases = [
        (195, "1", "[", "]", "a|string|length", "391"),
        (195, "1", "[", "]", "a|tojson|length", "391"),
        (195, "1", "[", "]", "a|tojson(indent=1)|length", "38806"),
        (195, "1", "[", "]", "a|pprint|length", "391"),
        (195, "1", "[", "]", "a == b", "True"),
        (195, "1", "[", "]", "a < b", "False"),
        (195, "1", "[", "]", "[a, b]|sort|length", "2"),
        (195, "1", "[", "]", "a in [b]", "True"),
        (195, "1", "(", ",)", "{a: 1}[b]", "1"),
        (195, "1", "(", ",)", "'%r' % a == '%r' % b", "True"),
        (195, "1", "{'k': ", "}", "a|string|length", "1366"),
        (195, "1", "{'k': ", "}", "a|tojson(sort_keys=true)|length", "1366"),
        (195, "1", "{'k': ", "}", "a|pprint|length", "1366"),
        (195, "1", "{'k': ", "}", "a == b", "True"),
        (195, "1", "{'k': ", "}.values()", "a|string|length", "2926"),
        (195, "1", "{'k': ", "}.items()", "a == b", "True"),
        (195, "'ab'", "", "|map('string')", "a|list|length", "2"),
        (195, "'ab'", "", "|select", "a|first", "a"),
        (195, "'ab'", "", "|reverse|map('upper')", "a|first", "B"),
        (195, "'ab'", "", "|unique", "a|join", "ab"),
        (195, "1", "namespace(x=", ")", "a.x is defined", "True"),
        (195, "1", "cycler(", ")", "a.next().next() is defined", "True"),
        (95, "[]", "[", "].index", "a is callable", "True"),
    ];
    for (depth, first, open, close, then, want) in cases {
        let source = deepest(depth, first, open, close, then);
        let result = on_small_stack(move || plain(&source));
        assert_eq!(result.map_err(|error| error.message).as_deref(), Ok(want), "{open}{close} {then}");
    }
    // One more than values may nest.
    let error = plain(&deepest(200, "[]", "[", "]", "a")).expect_err("deeper");
    assert_eq!(error.kind, Kind::Limit);
}

#[test]
fn what_takes_too_much_stops() {
    let shared = "{% set n = namespace(x=['a'], y=['a']) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}\
                  {% set n.y = [n.y, n.y] %}{% endfor %}";
    let cases = [
        "{{ 'a' * 10 ** 12 }}",
        "{{ [0] * 10 ** 12 }}",
        "{{ (1, 2) * 10 ** 18 }}",
        "{{ 'a'.center(10 ** 15) }}",
        "{{ 'a'.zfill(10 ** 15) }}",
        "{{ '\t'.expandtabs(2 ** 31 - 1) }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '%.999999999d' % 1 }}",
        "{{ '%*d' % (10 ** 15, 1) }}",
        "{{ '{:999999999999}'.format(1) }}",
        "{{ '{:0999999999999,}'.format(1) }}",
        "{{ 'a'|indent(10 ** 12, true) }}",
        "{{ ('a' * 10 ** 6).replace('a', 'b' * 10 ** 6) }}",
        "{{ ('b' * 10 ** 6).join('a' * 10 ** 6) }}",
        "{{ [1]|batch(10 ** 12, 0)|list }}",
        "{{ [1]|slice(10 ** 12)|list }}",
        "{{ [1]|slice(10 ** 12)|list }}",
        "{{ [1]|tojson(indent=10 ** 12) }}",
        "{{ 7 ** (10 ** 9) }}",
        "{{ (7 ** (10 ** 5)) ** (10 ** 5) % 3 }}",
        "{% set n = namespace(x=3) %}{% for i in range(99999) %}{% set n.x = n.x * n.x %}{% endfor %}",
        "{% set n = namespace(x='ab') %}{% for i in range(99999) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "{% set n = namespace(x=[1]) %}{% for i in range(99999) %}{% set n.x = n.x + n.x %}{% endfor %}",
        "{% for i in range(99999) %}{{ range(99999)|list|length }}{% endfor %}",
        "{% for i in range(99999) %}{{ 5 in range(99999)|list|reverse|list }}{% endfor %}",
        "{% set s = 'é' * 10 ** 6 %}{% for i in range(99999) %}{{ s[i] }}{% endfor %}",
        "{% set s = 'a' * 10 ** 7 %}{% for i in range(99999) %}{{ s[i] }}{% endfor %}",
        "{% set s = 'a' * 10 ** 7 %}{% for i in range(99999) %}{{ s.find('b') }}{% endfor %}",
        "{% set s = 'a' * 10 ** 7 %}{% for i in range(99999) %}{{ 'b' in s }}{{ s|length }}{% endfor %}",
    ]
    .map(str::to_owned);
    let of_shared = ["n.x == n.y", "n.x < n.y", "n.x", "n.x|tojson", "n.x|pprint", "[n.x]|unique|list"]
        .map(|end| format!("{shared}{{{{ {end} }}}}"));
    for source in cases.into_iter().chain(of_shared) {
        let result = plain(&source);
        assert!(result.is_err(), "{source}: {} bytes", result.map_or(0, |text| text.len()));
    }
}

/// By the clock, so that one conversation renders to one text; and every item comes at some time.
#[test]
fn random_gives_every_item() {
    let at = |source: &str, now: i64| render(source, &serde_json::Value::Null, now).unwrap();
    for (source, items) in [
        ("{{ [1, 'b', none]|random }}", vec!["1", "b", "None"]),
        ("{{ 'xyz'|random }}", vec!["x", "y", "z"]),
        ("{{ range(3)|random }}", vec!["0", "1", "2"]),
        ("{{ (7, )|random }}", vec!["7"]),
        ("{{ []|random }}", vec![""]),
        ("{% for i in 'ab' %}{{ [0, 1]|random }}{% endfor %}", vec!["00", "01", "10", "11"]),
    ] {
        let texts: Vec<String> = (0..200).map(|now| at(source, now)).collect();
        assert!(texts.iter().all(|text| items.contains(&text.as_str())), "{source}: {texts:?}");
        assert!(items.iter().all(|item| texts.iter().any(|text| text == item)), "{source}: {texts:?}");
        assert_eq!(at(source, 7), texts[7], "{source}");
    }
}

#[test]
fn what_no_text_could_be_right_for_is_refused() {
    let cases = [
        "{{ range }}",
        "{{ [1]|map('string') }}",
        "{{ ''.upper }}",
        "{{ namespace }}",
        "{{ lipsum() }}",
        "{{ ''.encode() }}",
        "{{ (-8) ** 0.5 }}",
        "{{ {('nan'|float): 1} }}",
        "{{ ['nan'|float] == ['nan'|float] }}",
        "{{ [2, 'nan'|float, 1]|sort }}",
        "{{ 1000 is sameas(1000) }}",
        "{{ ''.upper == ''.upper }}",
        "{{ {}.keys() - [] }}",
        "{{ '%c' % 55296 }}",
        "{{ range(2 ** 70, 2 ** 70 + 1) }}",
        "{{ '%.99999f' % 0.1 }}",
    ];
    for source in cases {
        let error = plain(source).expect_err(source);
        assert_eq!(error.kind, Kind::Unsupported, "{source}: {}", error.message);
    }
}
