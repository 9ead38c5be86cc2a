use super::{accepts, allowed, compile, engine, sample, Kind, Random};
use serde_json::json;

#[test]
fn parts_stand_in_their_order() {
    let engine = engine();
    let value = |key: &str, value: serde_json::Value, optional: bool| json!({"parts": [format!("<p={key}>"), value, "</p>"], "optional": optional});
    let tools = json!({"tags": [{"begin": "<f>", "parts": [{"list": {"items": [
        value("a", json!({"schema": {"type": "integer"}}), false),
        value("b", json!({"choice": ["x", "yy"]}), true),
        json!({"parts": ["<p=c>", {"until": "</p>"}], "optional": true})]}}], "end": "</f>"}],
        "text": false, "min_calls": 1, "max_calls": 1});
    let grammar = compile(&engine, Kind::Tools, &tools.to_string());
    for text in ["<f><p=a>1</p></f>", "<f><p=a>-2</p><p=b>yy</p><p=c>a </p </p></f>", "<f><p=a>1</p><p=c></p></f>"] {
        assert!(accepts(&grammar, text), "{text}");
    }
    for text in ["<f></f>", "<f><p=b>x</p></f>", "<f><p=a>x</p></f>", "<f><p=a>1</p><p=b>z</p></f>", "<f><p=a>1</p>"] {
        assert!(!accepts(&grammar, text), "{text}");
    }
    let mut random = Random(3);
    let ended = (0..50).filter_map(|_| sample(&engine, &grammar, &mut random)).inspect(|text| {
        assert!(accepts(&grammar, text), "{text}");
    });
    assert!(ended.count() > 5);
}

#[test]
fn lists_have_separators_between_what_is_there() {
    let engine = engine();
    let item = |text: &str, optional: bool| json!({"parts": [text], "optional": optional});
    let tools = json!({"tags": [{"begin": "f(", "end": ")", "parts": [{"list": {"separator": ", ", "items": [
        item("a", true), item("b", true), item("c", false), item("d", true)]}}]}],
        "text": false, "min_calls": 1, "section": {"open": "[", "separator": "; ", "close": "]"}});
    let grammar = compile(&engine, Kind::Tools, &tools.to_string());
    for text in ["[f(c)]", "[f(a, c)]", "[f(a, b, c, d)]", "[f(c, d); f(b, c)]"] {
        assert!(accepts(&grammar, text), "{text}");
    }
    for text in ["[f()]", "[f(a)]", "[f(, c)]", "[f(c, )]", "[f(c) f(c)]", "[]", "f(c)"] {
        assert!(!accepts(&grammar, text), "{text}");
    }
}

#[test]
fn a_section_may_follow_text() {
    let engine = engine();
    let tools = json!({"tags": [{"begin": "f", "schema": {"const": 1}}],
        "section": {"open": "<|call|>[", "separator": ",", "close": "]"}, "max_calls": 2});
    let grammar = compile(&engine, Kind::Tools, &tools.to_string());
    let mut state = grammar.state().unwrap();
    assert!(allowed(&mut state).contains(&260));
    state.consume('x' as i32).unwrap();
    state.consume(260).unwrap();
    assert_eq!(allowed(&mut state), ['[' as i32]);
    for c in "[f1,f1]".bytes() {
        state.consume(c.into()).unwrap();
    }
    assert!(state.may_end().unwrap());
}

#[test]
fn calls_without_a_mark_are_told_from_text_by_their_first_byte() {
    let engine = engine();
    let tools = json!({"tags": [{"begin": "{\"f\": ", "parts": [{"schema": {"const": 1}}], "end": "}"}],
        "section": {"separator": "; "}, "bare": true});
    let grammar = compile(&engine, Kind::Tools, &tools.to_string());
    for text in ["Hello {\"g\"}", "{\"f\": 1}", "{\"f\": 1}; {\"f\": 1}"] {
        assert!(accepts(&grammar, text), "{text}");
    }
    for text in ["{\"g\": 1}", "[1]", " x"] {
        assert!(!accepts(&grammar, text), "{text}");
    }
}

#[test]
fn reasoning_stands_before_calls() {
    let engine = engine();
    let tools = |open: bool| {
        json!({"tags": [{"begin": "f", "schema": {"const": 1}}], "text": false, "min_calls": 1, "max_calls": 1,
            "reasoning": {"start": "<t>", "end": "</t>", "open": open}})
        .to_string()
    };
    let open = compile(&engine, Kind::Tools, &tools(true));
    assert!(accepts(&open, "so f</t>\n\nf1") && !accepts(&open, "f1"));
    let closed = compile(&engine, Kind::Tools, &tools(false));
    assert!(accepts(&closed, "<t>so</t>f1") && accepts(&closed, "f1") && !accepts(&closed, "so</t>f1"));
}
