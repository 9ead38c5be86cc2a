//! Templates that try to take all of the stack, the memory or the time: each gives an error, soon.

use super::ast::Template;
use super::context::Limits;
use super::error::{Error, Kind};
use super::json::value_from_json;
use std::sync::Arc;

const LIMITS: Limits = Limits { fuel: 10_000_000, bytes: 512 << 20, recursion: 200 };

fn render(source: &str) -> Result<String, Error> {
    let template = Arc::new(Template::parse(source)?);
    template.render(LIMITS, 0, 64 << 20, |_| {
        // As deep as serde_json reads.
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        let deep = serde_json::from_str(&deep).map_err(|e| Error::value_error(e.to_string()))?;
        Ok(vec![("deep".to_owned(), value_from_json(&deep)?)])
    })
}

/// On a stack of the size that the deepest nesting may take. Frames of debug builds are several times as large.
fn render_on_small_stack(source: String) -> Result<String, Error> {
    let size = if cfg!(debug_assertions) { 16 << 20 } else { 1 << 20 };
    let thread = std::thread::Builder::new().stack_size(size).spawn(move || render(&source));
    thread.unwrap().join().unwrap()
}

/// `open` and `close` around `middle`, `count` times.
fn nested(open: &str, middle: &str, close: &str, count: usize) -> String {
    format!("{}{middle}{}", open.repeat(count), close.repeat(count))
}

#[test]
fn nothing_overflows_the_stack() {
    let recursive = |body: &str| format!("{{% macro f(x) %}}{body}{{% endmacro %}}{{{{ f(deep) }}}}");
    let cases = [
        ("parentheses", format!("{{{{ {} }}}}", nested("(", "1", ")", 100_000)), Kind::Syntax),
        ("parentheses not closed", format!("{{{{ {}", "(".repeat(100_000)), Kind::Syntax),
        ("lists", format!("{{{{ {} }}}}", nested("[", "1", "]", 100_000)), Kind::Syntax),
        ("dicts", format!("{{{{ {} }}}}", nested("{1: ", "1", "}", 100_000)), Kind::Syntax),
        ("calls", format!("{{{{ {} }}}}", nested("f(", "1", ")", 100_000)), Kind::Syntax),
        ("call chain", format!("{{{{ f{} }}}}", "()".repeat(100_000)), Kind::Syntax),
        ("attributes", format!("{{{{ a{} }}}}", ".a".repeat(100_000)), Kind::Syntax),
        ("items", format!("{{{{ a{} }}}}", nested("[a", "", "]", 100_000)), Kind::Syntax),
        ("filters", format!("{{{{ a{} }}}}", "|string".repeat(100_000)), Kind::Syntax),
        ("filter block", format!("{{% filter string{} %}}{{% endfilter %}}", "|string".repeat(100_000)), Kind::Syntax),
        ("tests", format!("{{{{ {} }}}}", nested("a is f(", "1", ")", 100_000)), Kind::Syntax),
        ("sum", format!("{{{{ 1{} }}}}", " + 1".repeat(100_000)), Kind::Syntax),
        ("or", format!("{{{{ a{} }}}}", " or a".repeat(100_000)), Kind::Syntax),
        ("not", format!("{{{{ {} a }}}}", "not ".repeat(100_000)), Kind::Syntax),
        ("minus", format!("{{{{ {}1 }}}}", "- ".repeat(100_000)), Kind::Syntax),
        ("else", format!("{{{{ {}1 }}}}", "1 if 0 else ".repeat(100_000)), Kind::Syntax),
        ("targets", format!("{{% set {} = 1 %}}", nested("(", "a", ",)", 100_000)), Kind::Syntax),
        ("if tags", nested("{% if 1 %}", "", "{% endif %}", 100_000), Kind::Syntax),
        ("with tags", nested("{% with %}", "", "{% endwith %}", 10_000), Kind::Syntax),
        ("set blocks", nested("{% set x %}", "", "{% endset %}", 10_000), Kind::Syntax),
        ("loops", nested("{% for x in 'a' %}", "", "{% endfor %}", 25), Kind::Syntax),
        ("macro tags", nested("{% macro f() %}", "", "{% endmacro %}", 10_000), Kind::Syntax),
        ("macro", recursive("{{ f(x) }}"), Kind::Limit),
        ("macro of a caller", recursive("{% call f(x) %}{% endcall %}{{ caller }}"), Kind::Limit),
        ("macro in tags", recursive(&nested("{% if 1 %}", "{{ f(x) }}", "{% endif %}", 90)), Kind::Limit),
        ("macro in parentheses", recursive(&format!("{{{{ {} }}}}", nested("[", "f(x)", "]", 60))), Kind::Limit),
        ("macro in a sum", recursive(&format!("{{{{ {}f(x) }}}}", "1 + (".repeat(40) + &")".repeat(0))), Kind::Syntax),
        ("macro as a default", "{% macro f(x=f()) %}{{ x }}{% endmacro %}{{ f() }}".to_owned(), Kind::Limit),
        ("block", "{% block a %}{{ self.a() }}{% endblock %}".to_owned(), Kind::Limit),
        ("loop", "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}".to_owned(), Kind::Limit),
        ("loop in tags", nested("{% for x in [1] recursive %}", "{{ loop([1]) }}", "{% endfor %}", 20), Kind::Limit),
        ("list of lists", "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}".into(), Kind::Limit),
        ("loop that holds loops", "{% set ns = namespace(x=1) %}{% for i in range(9999) %}{% for y in [ns.x] %}{% set ns.x = loop %}{{ loop.index }}{% endfor %}{% endfor %}".into(), Kind::Limit),
        ("loop that changed to itself", "{% for i in range(9999) %}{{ loop.changed(loop) }}{% endfor %}".into(), Kind::Limit),
    ];
    for (name, source, kind) in cases {
        let error = render_on_small_stack(source).expect_err(name);
        assert_eq!(error.kind, kind, "{name}: {}", error.message);
    }
}

#[test]
fn what_nests_less_renders() {
    let cases = [
        ("parentheses", format!("{{{{ {} }}}}", nested("(", "1", ")", 90)), "1"),
        ("sum", format!("{{{{ 1{} }}}}", " + 1".repeat(190)), "191"),
        ("concatenation", format!("{{{{ 1{} }}}}", " ~ 1".repeat(3)), "1111"),
        ("if tags", nested("{% if 1 %}", "x", "{% endif %}", 90), "x"),
        ("elif", format!("{{% if 0 %}}{}{{% else %}}x{{% endif %}}", "{% elif 0 %}".repeat(10_000)), "x"),
        (
            "recursive loop over deep data",
            "{% for x in deep recursive %}{% if x is iterable %}[{{ loop(x) }}]{% else %}{{ x }}{% endif %}{% endfor %}".into(),
            &nested("[", "1", "]", 99),
        ),
        (
            "recursive macro over deep data",
            "{% macro f(x) %}{% if x is iterable %}{% for y in x %}[{{ f(y) }}]{% endfor %}{% else %}{{ x }}{% endif %}{% endmacro %}{{ f(deep) }}".into(),
            &nested("[", "1", "]", 100),
        ),
    ];
    for (name, source, want) in cases {
        assert_eq!(render_on_small_stack(source).map_err(|e| e.message), Ok(want.to_owned()), "{name}");
    }
}

#[test]
fn nothing_takes_all_memory_or_time() {
    let names: String = (0..20_000).map(|i| format!("{{% set a{i} = 1 %}}")).collect();
    let cases = [
        ("string", "{{ 'x' * 10**9 }}".to_owned(), Kind::Limit),
        ("string of no size", "{{ 'x' * 10**30 }}".to_owned(), Kind::Runtime),
        ("list", "{{ [1] * 10**9 }}".to_owned(), Kind::Limit),
        ("power", "{{ 10 ** (10 ** 10) }}".to_owned(), Kind::Limit),
        ("range", "{{ range(10**9)|list }}".to_owned(), Kind::Runtime),
        ("loops", "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}".to_owned(), Kind::Limit),
        ("loop filter", "{% for a in range(99999) %}{% for b in range(99999) if false %}{% endfor %}{% endfor %}".to_owned(), Kind::Limit),
        ("captures", "{% set x %}{% for a in range(99999) %}{{ 'x' * 10000 }}{% endfor %}{% endset %}".to_owned(), Kind::Limit),
        ("doubling", "{% set ns = namespace(x='x') %}{% for a in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}".to_owned(), Kind::Limit),
        ("output", "{% for i in range(9999) %}{{ 'x' * 9999999 }}{% endfor %}".to_owned(), Kind::Limit),
        ("arguments", "{% macro f() %}{{ varargs|length }}{% endmacro %}{% for i in range(99999) %}{{ f(*range(99999)) }}{% endfor %}".to_owned(), Kind::Limit),
        ("large integer", format!("{{{{ {} }}}}", "9".repeat(100_000)), Kind::Syntax),
        ("blocks that see all", format!("{names}{}", (0..5000).map(|i| format!("{{% block b{i} scoped %}}{{% endblock %}}")).collect::<String>()), Kind::Syntax),
    ];
    for (name, source, kind) in cases {
        let error = render(&source).map(|text| text.len()).expect_err(name);
        assert_eq!(error.kind, kind, "{name}: {}", error.message);
    }
}

#[test]
fn large_sources_are_parsed() {
    let cases = [
        ("names", (0..60_000).map(|i| format!("{{% set a{i} = 1 %}}")).collect::<String>()),
        (
            "arguments",
            format!(
                "{{% macro f({}) %}}{{% endmacro %}}",
                (0..100_000).map(|i| format!("a{i}=1,")).collect::<String>() + "z=1"
            ),
        ),
        ("keywords", format!("{{{{ f({}) }}}}", (0..100_000).map(|i| format!("a{i}=1,")).collect::<String>())),
        ("raw", "{% raw %}{% endra".repeat(60_000)),
        ("comments", "{#-+#".repeat(200_000)),
        ("openings", format!("{{% {}", "{% ".repeat(200_000))),
        ("branches", (0..20_000).map(|i| format!("{{% if a{i} %}}{{% set a{i} = 1 %}}{{% endif %}}")).collect()),
        (
            "tags in branches",
            nested(
                "{% if 1 %}",
                &(0..50_000).map(|i| format!("{{% set a{i} = 1 %}}")).collect::<String>(),
                "{% endif %}",
                90,
            ),
        ),
        ("spaces", format!("{{{{ 1{}", " ".repeat(1_000_000))),
        ("macros", (0..20_000).map(|i| format!("{{% macro m{i}() %}}{{{{ m{i}() }}}}{{% endmacro %}}")).collect()),
        ("strings", format!("{{{{ {} }}}}", "'a' ".repeat(200_000))),
        ("escapes", format!("{{{{ '{}' }}}}", "\\n".repeat(400_000))),
    ];
    for (name, source) in cases {
        assert!(source.len() <= 5 << 20, "{name}");
        let _ = Template::parse(&source);
    }
}
