use super::*;
use crate::tokenizer::from_json;
use serde_json::Value;
use std::time::Instant;

#[path = "grammar_tools_test.rs"]
mod tools;

const END: i32 = 262;

/// Every byte, a few merges, and three control tokens.
fn engine() -> Engine {
    let alphabet: Vec<char> = (0..0x144).filter_map(char::from_u32).collect();
    let mut characters: Vec<(u8, char)> =
        alphabet.into_iter().filter_map(|c| crate::pieces::byte_of_character(c).map(|b| (b, c))).collect();
    characters.sort_unstable();
    let mut vocabulary = serde_json::Map::new();
    for (byte, c) in &characters {
        vocabulary.insert(c.to_string(), (*byte as u32).into());
    }
    for (i, piece) in ["tr", "ue", "true", "\":"].into_iter().enumerate() {
        vocabulary.insert(piece.to_owned(), (256 + i).into());
    }
    let special = |id: i32, text: &str| {
        json!({"id": id, "content": text, "special": true, "single_word": false,
        "lstrip": false, "rstrip": false, "normalized": false})
    };
    let tokenizer = json!({
        "model": {"type": "BPE", "vocab": vocabulary, "merges": ["t r", "u e", "tr ue", "\" :"]},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
        "added_tokens": [special(260, "<|call|>"), special(261, "[X]"), special(END, "<|end|>")],
    });
    let tokenizer = from_json(tokenizer.to_string().as_bytes()).unwrap();
    Engine::new(Arc::new(tokenizer), &[END]).unwrap()
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % n as u64) as usize
    }
}

fn allowed(state: &mut State) -> Vec<i32> {
    let mut bits = [0; 9];
    state.mask(&mut bits).unwrap();
    (0..288).filter(|id| bits[*id as usize / 32] >> (*id % 32) & 1 == 1).collect()
}

/// A text chosen evenly under the mask, or nothing if it does not end within 400 tokens.
fn sample(engine: &Engine, grammar: &Grammar, random: &mut Random) -> Option<String> {
    let mut state = grammar.state().unwrap();
    let mut bytes = Vec::new();
    for _ in 0..400 {
        let ids = allowed(&mut state);
        // An end as soon as there may be one, half of the time.
        let id = if ids.contains(&END) && random.below(2) == 0 { END } else { ids[random.below(ids.len())] };
        state.consume(id).unwrap();
        if id == END {
            return Some(String::from_utf8(bytes).unwrap());
        }
        bytes.extend_from_slice(engine.tokens.piece_bytes(id as usize));
    }
    None
}

fn compile(engine: &Engine, kind: Kind, text: &str) -> Grammar {
    engine.compile(kind, text, false).unwrap_or_else(|e| panic!("{text}: {}", e.message))
}

fn code(engine: &Engine, kind: Kind, text: &str) -> Code {
    engine.compile(kind, text, false).err().map_or(Code::Ok, |e| e.code)
}

/// Whether the grammar takes the text byte by byte and may end after it.
fn accepts(grammar: &Grammar, text: &str) -> bool {
    let mut state = grammar.state().unwrap();
    text.bytes().all(|byte| state.consume(byte.into()).is_ok()) && state.may_end().unwrap()
}

#[test]
fn random_objects_are_objects() {
    let engine = engine();
    let grammar = compile(&engine, Kind::JsonObject, "");
    let mut random = Random(1);
    let mut ended = 0;
    for _ in 0..300 {
        let Some(text) = sample(&engine, &grammar, &mut random) else { continue };
        match serde_json::from_str::<Value>(&text) {
            Ok(value) => assert!(value.is_object(), "{text}"),
            // JSON has numbers that no double holds.
            Err(e) => assert!(e.to_string().contains("number out of range"), "{text}: {e}"),
        }
        ended += 1;
    }
    assert!(ended > 100, "{ended}");
}

#[test]
fn random_values_fit_their_schema() {
    let engine = engine();
    let schema = json!({"type": "object", "properties": {
        "a": {"type": "integer", "minimum": -3, "maximum": 12},
        "b": {"enum": ["x", "yy", null, 7]},
        "c": {"type": "array", "items": {"type": "string", "pattern": "^a.\\d?$"}, "minItems": 1, "maxItems": 3},
        "d": {"type": "string", "format": "date"}},
        "required": ["a", "c"], "additionalProperties": false});
    let grammar = compile(&engine, Kind::JsonSchema, &schema.to_string());
    let mut random = Random(2);
    for _ in 0..300 {
        let Some(text) = sample(&engine, &grammar, &mut random) else { continue };
        let value: Value = serde_json::from_str(&text).unwrap();
        let object = value.as_object().unwrap();
        let a = object["a"].as_f64().unwrap();
        assert!((-3.0..=12.0).contains(&a) && a.fract() == 0.0, "{text}");
        assert!(object.get("b").is_none_or(|b| ["\"x\"", "\"yy\"", "null", "7"].contains(&b.to_string().as_str())));
        let items = object["c"].as_array().unwrap();
        assert!(
            (1..=3).contains(&items.len())
                && items.iter().all(|i| (2..=3).contains(&i.as_str().unwrap().chars().count()))
        );
        assert!(items
            .iter()
            .all(|i| i.as_str().unwrap().starts_with('a') && !i.as_str().unwrap().contains(['\n', '\r'])));
    }
}

/// A second spelling of a property's name would pass for an additional one.
#[test]
fn a_name_has_one_spelling() {
    let engine = engine();
    let schema = r#"{"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":{"type":"string"}}"#;
    let grammar = compile(&engine, Kind::JsonSchema, schema);
    assert!(accepts(&grammar, r#"{"a":1,"b":"x"}"#));
    assert!(!accepts(&grammar, r#"{"a":"x"}"#));
    assert!(!accepts(&grammar, r#"{"\u0061":"x"}"#));
}

#[test]
fn what_a_grammar_cannot_hold_is_refused_by_name() {
    let engine = engine();
    for (schema, name) in [
        (r#"{"not":{"type":"string"}}"#, "\"not\""),
        (r#"{"type":"array","uniqueItems":true}"#, "\"uniqueItems\""),
        (r#"{"properties":{"a":{"if":{},"then":{}}}}"#, "/properties/a"),
        (r#"{"oneOf":[{"type":"integer"},{"type":"number"}]}"#, "\"oneOf\""),
        (r#"{"type":"string","format":3}"#, "\"format\""),
        (r#"{"not":null,"uniqueItems":null,"contains":{}}"#, "\"contains\""),
        (r#"{"format":"color","not":{}}"#, "\"not\""),
        (r#"{"type":"string","pattern":"a(?=b)"}"#, "lookahead"),
        (r#"{"minProperties":2}"#, "\"minProperties\""),
        (r#"{"const":9007199254740993}"#, "\"const\""),
        (r#"{"x-guidance":{"lenient":true},"not":{}}"#, "\"not\""),
        (r##"{"$ref":"#/components/x","components":{"x":{"not":{}}}}"##, "\"not\""),
        (r#"{"$ref":"https://example.com/x.json"}"#, "another document"),
        (r#"{"$schema":"https://example.com/x.json"}"#, "\"$schema\""),
        (r#"{"enum":["a\u0000b"]}"#, "\"enum\""),
        (r##"{"items":{"$id":"x","$ref":"#/a"}}"##, "\"$ref\""),
        (r#"{"prefixItems":[{}],"additionalItems":false}"#, "\"prefixItems\""),
    ] {
        let error = engine.compile(Kind::JsonSchema, schema, false).err().unwrap();
        assert_eq!(error.code, Code::Unsupported, "{schema}: {}", error.message);
        assert!(error.message.contains(name), "{schema}: {}", error.message);
    }
    assert_eq!(code(&engine, Kind::JsonSchema, r#"{"x-guidance":{"lenient":true}}"#), Code::Unsupported);
    assert_eq!(code(&engine, Kind::JsonSchema, "{"), Code::Invalid);
    assert_eq!(code(&engine, Kind::JsonSchema, r#"{"type":"integer","minimum":3,"maximum":2}"#), Code::Invalid);
    assert_eq!(code(&engine, Kind::Lark, "start: %json {\"not\":{}}"), Code::Unsupported);
}

/// 2020-12, sections 7.2.3, 8 and 9, and what OpenAPI and editors put into schemas.
#[test]
fn remarks_stop_nothing() {
    let engine = engine();
    let formats = [
        "color",
        "regex",
        "json-pointer",
        "relative-json-pointer",
        "uri-reference",
        "uri-template",
        "iri",
        "iri-reference",
        "idn-email",
        "idn-hostname",
        "int32",
        "byte",
        "password",
        "x-mine",
        "",
        "DATE",
        "date ",
    ];
    for format in formats {
        let grammar = compile(&engine, Kind::JsonSchema, &json!({"type": "string", "format": format}).to_string());
        assert!(accepts(&grammar, "\"anything\""), "{format}");
        let [note] = grammar.notes() else { panic!("{format}: {:?}", grammar.notes()) };
        let about = format!("\"format\" at the schema's root: {format:?} was not enforced");
        assert!(note.contains(&about), "{note}");
    }
    for (keyword, value) in [
        ("contentEncoding", json!("base64")),
        ("contentMediaType", json!("application/json")),
        ("contentSchema", json!({"not": {}})),
        ("deprecated", json!(true)),
        ("readOnly", json!(true)),
        ("writeOnly", json!(true)),
        ("examples", json!([1, null])),
        ("default", json!(null)),
        ("title", json!("t")),
        ("description", json!("d")),
        ("$comment", json!("c")),
        ("$anchor", json!("here")),
        ("$dynamicAnchor", json!("here")),
        ("$recursiveAnchor", json!(true)),
        ("x-order", json!(1)),
        ("x-rule", json!({"not": {}})),
        ("nullable", json!(false)),
        ("discriminator", json!({"propertyName": "p"})),
        ("enumNames", json!(["a"])),
        ("minLenght", json!(5)),
    ] {
        for dialect in DIALECTS {
            let schema = json!({"$schema": dialect, "type": "object", "required": ["p"], "additionalProperties": false,
                "properties": {"p": {"type": "string", keyword: value}}});
            let grammar = compile(&engine, Kind::JsonSchema, &schema.to_string());
            assert!(accepts(&grammar, r#"{"p":"x"}"#) && !accepts(&grammar, r#"{"p":1}"#), "{keyword} {dialect}");
            assert!(grammar.notes().is_empty(), "{keyword}");
        }
    }
}

const DIALECTS: [&str; 4] = [
    "http://json-schema.org/draft-04/schema#",
    "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
];

#[test]
fn a_keyword_that_is_null_is_not_there() {
    let engine = engine();
    for keyword in
        crate::grammar_schema::keywords().chain(["format", "pattern", "description", "strict", "$ref", "$id"])
    {
        let schema =
            json!({"type": "object", "required": ["p"], "properties": {"p": {"type": "string", keyword: null}}});
        let grammar = compile(&engine, Kind::JsonSchema, &schema.to_string());
        assert!(accepts(&grammar, r#"{"p":"x"}"#) && !accepts(&grammar, r#"{"p":1}"#), "{keyword}");
        assert!(grammar.notes().is_empty(), "{keyword}");
    }
    let null = compile(&engine, Kind::JsonSchema, r#"{"const":null}"#);
    assert!(accepts(&null, "null") && !accepts(&null, "1"));
    let one = compile(&engine, Kind::JsonSchema, r#"{"enum":[null,1],"const":1}"#);
    assert!(accepts(&one, "1") && !accepts(&one, "null"));
    assert_eq!(code(&engine, Kind::JsonSchema, r#"{"properties":{"a":null}}"#), Code::Invalid);
    assert_eq!(code(&engine, Kind::JsonSchema, "null"), Code::Invalid);
}

#[test]
fn formats_that_are_known_stay_enforced() {
    let engine = engine();
    for (format, good, bad) in [
        ("date", "2024-02-29", "2023-02-29"),
        ("time", "12:00:00Z", "25:00:00Z"),
        ("date-time", "2024-01-01T00:00:00Z", "2024-01-01"),
        ("duration", "P1D", "1D"),
        ("email", "a@b.c", "a"),
        ("hostname", "a.b", "-a"),
        ("ipv4", "1.2.3.4", "1.2.3.400"),
        ("ipv6", "::1", ":::"),
        ("uri", "a:b", "b"),
        ("uuid", "00000000-0000-0000-0000-000000000000", "0"),
    ] {
        for schema in [
            json!({"type": "string", "format": format}),
            json!({"allOf": [{"type": "string", "format": format}, {"format": "color"}]}),
        ] {
            let grammar = compile(&engine, Kind::JsonSchema, &schema.to_string());
            assert!(accepts(&grammar, &format!("{good:?}")) && !accepts(&grammar, &format!("{bad:?}")), "{schema}");
            assert_eq!(grammar.notes().len(), usize::from(schema.get("allOf").is_some()));
        }
    }
}

#[test]
fn notes_are_few_and_short_whatever_kind_of_grammar_has_the_schema() {
    let engine = engine();
    let schema = r#"{"properties":{"a":{"format":"color"},"b":{"items":{"format":"color"}},"c":{"format":"time"}}}"#;
    let tools = json!({"tags": [{"begin": "<f>", "schema": serde_json::from_str::<Value>(schema).unwrap()}]});
    for (kind, text) in [
        (Kind::JsonSchema, schema.to_owned()),
        (Kind::Lark, format!("start: %json {schema}")),
        (Kind::Tools, tools.to_string()),
    ] {
        let grammar = compile(&engine, kind, &text);
        let [note] = grammar.notes() else { panic!("{:?}", grammar.notes()) };
        assert!(note.contains("at /properties/a: \"color\""), "{note}");
    }
    assert!(compile(&engine, Kind::Regex, "a").notes().is_empty());
    let many: Vec<Value> = (0..100).map(|i| json!({"format": format!("{i}{}", "x".repeat(9999))})).collect();
    let grammar = compile(&engine, Kind::JsonSchema, &json!({ "allOf": many }).to_string());
    assert_eq!(grammar.notes().len(), 17);
    assert_eq!(grammar.notes()[16], "JSON schema: further formats were not enforced");
    assert!(grammar.notes().iter().all(|note| note.chars().count() <= 400));
}

#[test]
fn bombs_end_soon_in_an_error_or_a_grammar() {
    let engine = engine();
    let many: Vec<String> = (0..1_000_000).map(|i| i.to_string()).collect();
    let wide: Vec<String> = (0..1000).map(|i| format!("\"p{i}\":{{}}")).collect();
    let nested = |open: &str, inner: &str, close: &str, n: usize| open.repeat(n) + inner + &close.repeat(n);
    let choices = serde_json::to_string(&many[..10_000]).unwrap();
    let bombs = [
        (Kind::JsonSchema, nested("{\"items\":", "{}", "}", 100_000)),
        (Kind::JsonSchema, nested("[", "", "]", 100_000)),
        (Kind::JsonSchema, nested("{\"items\":", "{}", "}", 60)),
        (Kind::JsonSchema, nested("{\"anyOf\":[{},", "{}", "]}", 25)),
        (Kind::JsonSchema, format!("{{\"enum\":[{}]}}", many.join(","))),
        (Kind::JsonSchema, format!("{{\"enum\":[{}]}}", many[..50_000].join(","))),
        (Kind::JsonSchema, format!("{{\"properties\":{{{}}}}}", wide.join(","))),
        (Kind::JsonSchema, r##"{"$ref":"#"}"##.to_owned()),
        (Kind::JsonSchema, r##"{"allOf":[{"$ref":"#"}]}"##.to_owned()),
        (Kind::JsonSchema, r##"{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}"##.to_owned()),
        (Kind::JsonSchema, r##"{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}"##.to_owned()),
        (Kind::JsonSchema, r#"{"type":"string","pattern":"^(a{1,9999}){1,9999}$"}"#.to_owned()),
        (Kind::JsonSchema, r#"{"type":"string","minLength":1000000000}"#.to_owned()),
        (Kind::JsonSchema, r#"{"type":"array","minItems":1000000000}"#.to_owned()),
        (Kind::Regex, "(a{1,9999}){1,9999}".to_owned()),
        (Kind::Regex, "(((a{1,99}){1,99}){1,99}){1,99}".to_owned()),
        (Kind::Regex, nested("(", "a", ")", 8000)),
        (Kind::Regex, "(a|b|ab)*c".repeat(1600)),
        (Kind::Regex, "(?:x+x+)+y".repeat(1000)),
        (Kind::Lark, nested("start: ", "\"a\"", "", 1) + &nested("(", "\"a\"", ")", 60_000)),
        (Kind::Lark, "start: start \"a\" | \"a\"".to_owned()),
        (Kind::Lark, "start: start".to_owned()),
        (Kind::Lark, "start: start start | start start start |".to_owned()),
        (Kind::Lark, "start: a*\na: b*\nb: a*".to_owned()),
        (Kind::Lark, "start: \"a\"{1,2000000000}".to_owned()),
        (Kind::Lark, format!("start: {}", "\"a\" ".repeat(8_000))),
        (Kind::Lark, format!("start: A\nA: {}", "\"a\" ".repeat(8_000))),
        (Kind::Lark, format!("start: {}", "\"a\" | ".repeat(5_000) + "\"b\"")),
        (Kind::Choice, choices),
        (Kind::Choice, serde_json::to_string(&many).unwrap()),
        (Kind::Choice, nested("[", "", "]", 100_000)),
    ];
    for (kind, text) in bombs {
        let start = Instant::now();
        let made = engine.compile(kind, &text, false);
        let head: String = text.chars().take(60).collect();
        let verdict = match made {
            Err(e) => {
                assert_ne!(e.code, Code::Internal, "{head}: {}", e.message);
                e.message
            }
            Ok(grammar) => {
                let mut state = grammar.state().unwrap();
                let mut random = Random(3);
                let mut bits = [0; 9];
                let mut n = 0;
                while n < 50 && !state.is_stopped() {
                    if state.mask(&mut bits).is_err() {
                        break;
                    }
                    let ids = allowed(&mut state);
                    if state.consume(ids[random.below(ids.len())]).is_err() {
                        break;
                    }
                    n += 1;
                }
                format!("a grammar, {n} tokens")
            }
        };
        println!("{head}: {verdict} ({:?})", start.elapsed());
    }
}

#[test]
fn choices_regexes_and_lark() {
    let engine = engine();
    let choice = compile(&engine, Kind::Choice, r#"["yes","yes, but","no\n","","a\"b"]"#);
    for text in ["yes", "yes, but", "no\n", "", "a\"b"] {
        assert!(accepts(&choice, text), "{text}");
    }
    assert!(!accepts(&choice, "yes,") && !accepts(&choice, "maybe"));
    let regex = compile(&engine, Kind::Regex, r"^\d{3}-(a|b/c)+$");
    assert!(accepts(&regex, "123-ab/c") && !accepts(&regex, "12-a"));
    let lark = compile(&engine, Kind::Lark, "start: \"(\" start \")\" | \"x\"\n");
    assert!(accepts(&lark, "((x))") && !accepts(&lark, "((x)"));
}

#[test]
fn control_tokens_come_only_where_they_are_named() {
    let engine = engine();
    let any = compile(&engine, Kind::Regex, "(?s:.)*");
    let ids = allowed(&mut any.state().unwrap());
    assert!(ids.contains(&END) && !ids.contains(&260) && !ids.contains(&261));
    let named = compile(&engine, Kind::Lark, "start: \"a\" <|call|> \"b\"");
    let mut state = named.state().unwrap();
    state.consume('a' as i32).unwrap();
    assert_eq!(allowed(&mut state), [260]);
    let text = compile(&engine, Kind::Regex, "<[|]call[|]>");
    assert!(accepts(&text, "<|call|>"));
    assert!(text.state().unwrap().consume(260).is_err());
}

#[test]
fn a_tool_call_is_free_until_its_trigger() {
    let engine = engine();
    let tools = json!({"tags": [
        {"begin": "<f=a>", "schema": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"],
            "additionalProperties": false}, "end": "</f>"},
        {"begin": "<f=b>", "end": "</f>"}], "triggers": ["<f="]});
    let grammar = compile(&engine, Kind::Tools, &tools.to_string());
    for text in ["", "hello <f", "hi <f=a>{\"x\":1}</f>", "<f=b>{}</f> and\n<f=a>\n{\"x\": 3}</f>!"] {
        assert!(accepts(&grammar, text), "{text}");
    }
    for text in ["<f=", "<f=c", "<f=a>{}", "<f=a>{\"x\":\"1\"}</f>", "<f=a>{\"x\":1}"] {
        assert!(!accepts(&grammar, text), "{text}");
    }
    let must = json!({"tags": [{"begin": "<|call|>f", "schema": {"const": 1}}], "text": false, "min_calls": 1, "max_calls": 1});
    let grammar = compile(&engine, Kind::Tools, &must.to_string());
    let mut state = grammar.state().unwrap();
    assert_eq!(allowed(&mut state), [260]);
    let lazy = json!({"tags": [{"begin": "<|call|>f", "schema": {"const": 1}}]});
    let mut state = compile(&engine, Kind::Tools, &lazy.to_string()).state().unwrap();
    assert!(allowed(&mut state).contains(&260) && allowed(&mut state).contains(&END));
    state.consume('t' as i32).unwrap();
    state.consume(260).unwrap();
    assert_eq!(allowed(&mut state), ['f' as i32]);
}

#[test]
fn tokens_are_taken_back_and_copies_go_their_own_way() {
    let engine = engine();
    let grammar = compile(&engine, Kind::Regex, "ab[cd]");
    let mut state = grammar.state().unwrap();
    assert_eq!(state.forced().unwrap(), ['a' as i32, 'b' as i32]);
    state.consume('a' as i32).unwrap();
    assert_eq!(state.consume('x' as i32).unwrap_err().code, Code::Invalid);
    assert_eq!(state.consume(-1).unwrap_err().code, Code::Invalid);
    assert_eq!(state.consume(100_000).unwrap_err().code, Code::Invalid);
    state.consume('b' as i32).unwrap();
    let mut copy = state.copy();
    state.consume('c' as i32).unwrap();
    assert!(state.is_stopped() && state.may_end().unwrap());
    assert_eq!(allowed(&mut state), [END]);
    state.consume(END).unwrap();
    state.rollback(2).unwrap();
    assert_eq!(allowed(&mut state), ['c' as i32, 'd' as i32]);
    assert_eq!(allowed(&mut copy), ['c' as i32, 'd' as i32]);
    state.rollback(2).unwrap();
    assert!(state.rollback(1).is_err());
    assert_eq!(allowed(&mut state), ['a' as i32]);
    let open = compile(&engine, Kind::Regex, "a*");
    let mut state = open.state().unwrap();
    state.consume('a' as i32).unwrap();
    state.consume(END).unwrap();
    assert!(state.is_stopped());
    state.rollback(1).unwrap();
    state.consume('a' as i32).unwrap();
}

#[test]
fn forced_text_is_spelled_as_the_tokenizer_spells_it() {
    let engine = engine();
    let grammar = compile(&engine, Kind::Regex, "true\":x");
    let mut state = grammar.state().unwrap();
    assert_eq!(state.forced().unwrap()[..2], [258, 259]);
}
