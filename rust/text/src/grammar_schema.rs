//! JSON schemas before llguidance sees them: bounded, and rewritten so that its grammar allows nothing that the
//! schema forbids. What it would ignore or misread is refused with its name and place.

use crate::error::{Error, Result};
use crate::grammar_formats;
use crate::grammar_notes::Notes;
use crate::grammar_pattern;
use serde_json::{json, Map, Value};
use std::collections::HashSet;

pub const MAX_SCHEMA_BYTES: usize = 1 << 20;
const MAX_NESTING: usize = 64;
const MAX_VALUES: usize = 60_000;
/// Options of one oneOf or anyOf, which are compared pairwise.
const MAX_OPTIONS: usize = 512;
/// Patterns of one patternProperties, which are compared pairwise.
const MAX_PATTERNS: usize = 16;
/// Names of one object: each costs the grammar a rule.
const MAX_PROPERTIES: usize = 1000;
/// Of an unknown format's name, as far as a note tells it.
const MAX_FORMAT_CHARACTERS: usize = 64;
/// Doubles hold integers exactly up to here.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Where schemas stand in a keyword's value.
#[derive(Clone, Copy, PartialEq)]
enum Holds {
    Schema,
    /// One per name.
    Map,
    List,
    SchemaOrList,
}

const HOLDERS: [(&str, Holds); 11] = [
    ("properties", Holds::Map),
    ("patternProperties", Holds::Map),
    ("$defs", Holds::Map),
    ("definitions", Holds::Map),
    ("additionalProperties", Holds::Schema),
    ("additionalItems", Holds::Schema),
    ("items", Holds::SchemaOrList),
    ("prefixItems", Holds::List),
    ("allOf", Holds::List),
    ("anyOf", Holds::List),
    ("oneOf", Holds::List),
];

/// What names a dialect in $schema, however the rest is written, and its URI.
const DIALECTS: [(&str, &str); 5] = [
    ("draft-04", "http://json-schema.org/draft-04/schema#"),
    ("draft-06", "http://json-schema.org/draft-06/schema#"),
    ("draft-07", "http://json-schema.org/draft-07/schema#"),
    ("2019-09", "https://json-schema.org/draft/2019-09/schema"),
    ("2020-12", "https://json-schema.org/draft/2020-12/schema"),
];

/// Our own marks in a schema while it is prepared: that it was checked, and the pattern of its format.
const CHECKED: &str = "x-quern-checked";
const FORMAT: &str = "x-quern-format";

/// Assertions that no grammar here enforces, in whatever draft.
const UNENFORCEABLE: [&str; 17] = [
    "not",
    "if",
    "then",
    "else",
    "contains",
    "minContains",
    "maxContains",
    "uniqueItems",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "$dynamicRef",
    "$recursiveRef",
    "x-guidance",
];

#[cfg(test)]
pub fn keywords() -> impl Iterator<Item = &'static str> {
    HOLDERS.iter().map(|(name, _)| *name).chain(UNENFORCEABLE)
}

fn holder(keyword: &str) -> Option<Holds> {
    HOLDERS.iter().find(|(name, _)| *name == keyword).map(|(_, holds)| *holds)
}

struct Check<'a> {
    notes: &'a mut Notes,
    values: usize,
    has_inner_id: bool,
    references: Vec<String>,
    multiples: Vec<f64>,
}

/// A place in the schema as a JSON pointer, for messages.
fn at(place: &str) -> &str {
    if place.is_empty() {
        "the schema's root"
    } else {
        place
    }
}

fn refuse(keyword: &str, place: &str, why: &str) -> Error {
    Error::unsupported(format!("JSON schema keyword \"{keyword}\" at {}: {why}", at(place)))
}

/// Depth of brackets outside strings; counted before the text is parsed, since parsing takes stack.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

pub fn check_nesting(text: &str, what: &str) -> Result<()> {
    let depth = nesting(text);
    if depth > MAX_NESTING {
        return Err(Error::limit(format!("{what} nested {depth} deep, at most {MAX_NESTING}")));
    }
    Ok(())
}

pub fn parse(text: &str) -> Result<Value> {
    if text.len() > MAX_SCHEMA_BYTES {
        return Err(Error::limit(format!("a JSON schema of {} bytes, at most {MAX_SCHEMA_BYTES}", text.len())));
    }
    check_nesting(text, "a JSON schema")?;
    serde_json::from_str(text).map_err(|e| Error::invalid(format!("the JSON schema is not JSON: {e}")))
}

/// The schema as llguidance may have it. `compact`: no white space between the parts of a value.
pub fn prepare(mut schema: Value, compact: bool, notes: &mut Notes) -> Result<Value> {
    remove_marks(&mut schema);
    let mut check = Check { notes, values: 0, has_inner_id: false, references: Vec::new(), multiples: Vec::new() };
    check.schema(&mut schema, "", true)?;
    check.references(&mut schema)?;
    check.common_multiple()?;
    finish_formats(&mut schema);
    remove_marks(&mut schema);
    if schema.is_boolean() {
        schema = if schema == Value::Bool(true) { json!({}) } else { json!({ "enum": [] }) };
    }
    let Some(root) = schema.as_object_mut() else {
        return Err(Error::invalid("a JSON schema is an object or a boolean"));
    };
    // No \uXXXX in strings: an escaped key would be another spelling of a property already there. White space
    // is bounded, or a model may write it for ever.
    let options = if compact {
        json!({ "json_allowed_escapes": "nrbtf\\\"", "whitespace_flexible": false })
    } else {
        json!({ "json_allowed_escapes": "nrbtf\\\"", "whitespace_pattern": r"[ \n\r\t]{1,64}" })
    };
    root.insert("x-guidance".to_owned(), options);
    Ok(schema)
}

impl Check<'_> {
    fn count(&mut self) -> Result<()> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(Error::limit(format!("a JSON schema of more than {MAX_VALUES} values")));
        }
        Ok(())
    }

    fn schema(&mut self, schema: &mut Value, place: &str, is_root: bool) -> Result<()> {
        self.count()?;
        let Some(object) = schema.as_object_mut() else {
            return if schema.is_boolean() {
                Ok(())
            } else {
                Err(Error::invalid(format!("{}: a JSON schema is an object or a boolean", at(place))))
            };
        };
        // A reference may lead into what was walked before.
        if object.insert(CHECKED.to_owned(), true.into()).is_some() {
            return Ok(());
        }
        remove_absent(object);
        self.dialect(object, place)?;
        self.assertions(object, place)?;
        self.items(object, place)?;
        self.sizes(object, place)?;
        self.numbers(object, place)?;
        self.literals(object, place)?;
        self.strings(object, place)?;
        let is_id = |key: &str| object.get(key).is_some_and(Value::is_string);
        let has_id = is_id("$id") || is_id("id");
        // Drafts differ on what such an id does.
        if has_id && !is_root && object.contains_key("$ref") {
            return Err(refuse("$ref", place, "cannot stand beside $id or id"));
        }
        self.has_inner_id |= !is_root && has_id;
        if let Some(Value::String(reference)) = object.get("$ref") {
            self.references.push(reference.clone());
        }
        self.inner(object, place)
    }

    fn inner(&mut self, object: &mut Map<String, Value>, place: &str) -> Result<()> {
        for (keyword, value) in object.iter_mut() {
            let place = || format!("{place}/{keyword}");
            match (holder(keyword), value) {
                (Some(Holds::Schema | Holds::SchemaOrList), value @ (Value::Object(_) | Value::Bool(_))) => {
                    self.schema(value, &place(), false)?;
                }
                (Some(Holds::List | Holds::SchemaOrList), Value::Array(list)) => {
                    for (index, value) in list.iter_mut().enumerate() {
                        self.schema(value, &format!("{}/{index}", place()), false)?;
                    }
                }
                (Some(Holds::Map), Value::Object(map)) => {
                    for (name, value) in map.iter_mut() {
                        self.schema(value, &format!("{}/{name}", place()), false)?;
                    }
                }
                (Some(_), _) => return Err(Error::invalid(format!("{}: not what the keyword takes", place()))),
                (None, _) => {}
            }
        }
        Ok(())
    }

    fn dialect(&mut self, object: &mut Map<String, Value>, place: &str) -> Result<()> {
        let Some(Value::String(uri)) = object.get_mut("$schema") else { return Ok(()) };
        match DIALECTS.iter().find(|(name, _)| uri.contains(name)) {
            Some((_, canonical)) => *uri = (*canonical).to_owned(),
            // The newest, whichever it is.
            None if uri.ends_with("json-schema.org/schema#") || uri.ends_with("json-schema.org/schema") => {
                object.shift_remove("$schema");
            }
            None => return Err(refuse("$schema", place, &format!("unknown dialect {uri:?}"))),
        }
        Ok(())
    }

    fn assertions(&mut self, object: &mut Map<String, Value>, place: &str) -> Result<()> {
        if object.get("uniqueItems") == Some(&Value::Bool(false)) {
            object.shift_remove("uniqueItems");
        }
        let at_most_one = object.get("maxItems").and_then(Value::as_u64).is_some_and(|max| max <= 1);
        if at_most_one && object.get("uniqueItems") == Some(&Value::Bool(true)) {
            object.shift_remove("uniqueItems");
        }
        match UNENFORCEABLE.iter().find(|keyword| object.contains_key(**keyword)) {
            Some(keyword) => Err(refuse(keyword, place, "a grammar cannot enforce it")),
            None => Ok(()),
        }
    }

    /// Tuples are written in two ways, and llguidance takes the one for the other where both stand.
    fn items(&mut self, object: &Map<String, Value>, place: &str) -> Result<()> {
        let old = object.contains_key("additionalItems") || object.get("items").is_some_and(Value::is_array);
        if old && object.contains_key("prefixItems") {
            return Err(refuse("prefixItems", place, "cannot stand beside additionalItems or a list in items"));
        }
        Ok(())
    }

    fn sizes(&mut self, object: &Map<String, Value>, place: &str) -> Result<()> {
        let length = |keyword: &str| match object.get(keyword) {
            Some(Value::Array(list)) => list.len(),
            Some(Value::Object(map)) => map.len(),
            _ => 0,
        };
        for (keyword, most) in [
            ("oneOf", MAX_OPTIONS),
            ("anyOf", MAX_OPTIONS),
            ("allOf", MAX_OPTIONS),
            ("patternProperties", MAX_PATTERNS),
            ("properties", MAX_PROPERTIES),
            ("required", MAX_PROPERTIES),
            ("prefixItems", MAX_PROPERTIES),
            ("items", MAX_PROPERTIES),
        ] {
            let n = length(keyword);
            let is_one = keyword == "items" && !object.get("items").is_some_and(Value::is_array);
            if n > most && !is_one {
                return Err(Error::limit(format!("{} of {keyword} at {}, at most {most}", n, at(place))));
            }
        }
        // An object may repeat a name where names are free, so only one more than the required ones is sure.
        let least = object.get("minProperties").and_then(Value::as_u64).unwrap_or(0);
        if least > length("required") as u64 + 1 {
            return Err(refuse("minProperties", place, "more than the required properties and one"));
        }
        Ok(())
    }

    fn numbers(&mut self, object: &Map<String, Value>, place: &str) -> Result<()> {
        for keyword in ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"] {
            let bound = object.get(keyword).and_then(Value::as_f64).unwrap_or(0.0);
            let digits = format!("{bound}").len();
            if bound.abs() >= MAX_EXACT || digits > 24 {
                return Err(refuse(keyword, place, "beyond what a double holds exactly"));
            }
        }
        if let Some(multiple) = object.get("multipleOf").and_then(Value::as_f64) {
            if !(1e-6..=1e9).contains(&multiple) {
                return Err(refuse("multipleOf", place, "outside 0.000001 to 1000000000"));
            }
            self.multiples.push(multiple);
        }
        Ok(())
    }

    /// Conjunctions multiply divisors, in 32 bits.
    fn common_multiple(&mut self) -> Result<()> {
        self.multiples.sort_by(f64::total_cmp);
        self.multiples.dedup();
        if self.multiples.len() < 2 {
            return Ok(());
        }
        let whole = |scale: f64| self.multiples.iter().all(|m| (m * scale).fract() == 0.0);
        let scale = [1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6].into_iter().find(|scale| whole(*scale));
        let product = scale.map(|scale| self.multiples.iter().map(|m| m * scale).product::<f64>());
        match product {
            Some(product) if product < 4e9 => Ok(()),
            _ => Err(Error::unsupported("JSON schema keyword \"multipleOf\": too many different values of it")),
        }
    }

    /// Values that must be exactly so.
    fn literals(&mut self, object: &Map<String, Value>, place: &str) -> Result<()> {
        for keyword in ["const", "enum"] {
            if let Some(value) = object.get(keyword) {
                self.literal(value, keyword, place)?;
            }
        }
        Ok(())
    }

    fn literal(&mut self, value: &Value, keyword: &str, place: &str) -> Result<()> {
        self.count()?;
        match value {
            Value::Number(number) => {
                let exact = number.as_f64().is_some_and(|value| value.abs() < MAX_EXACT);
                exact.then_some(()).ok_or_else(|| refuse(keyword, place, "a number that a double does not hold"))
            }
            Value::String(text) => {
                // Only these have an escape that is no \uXXXX.
                let has_escape = |c: char| c >= ' ' || "\u{8}\t\n\u{C}\r".contains(c);
                let writable = text.chars().all(has_escape);
                writable.then_some(()).ok_or_else(|| refuse(keyword, place, "a control character"))
            }
            Value::Array(list) => list.iter().try_for_each(|value| self.literal(value, keyword, place)),
            Value::Object(map) => map.values().try_for_each(|value| self.literal(value, keyword, place)),
            _ => Ok(()),
        }
    }

    /// Patterns and formats become patterns in the regex crate's syntax.
    fn strings(&mut self, object: &mut Map<String, Value>, place: &str) -> Result<()> {
        let in_place = |e: Error| Error { message: format!("{} at {}", e.message, at(place)), ..e };
        if let Some(Value::String(pattern)) = object.get_mut("pattern") {
            *pattern = grammar_pattern::to_rust(pattern).map_err(in_place)?;
        }
        if let Some(Value::Object(patterns)) = object.get_mut("patternProperties") {
            let mut translated = Map::new();
            for (pattern, schema) in std::mem::take(patterns) {
                if translated.insert(grammar_pattern::to_rust(&pattern).map_err(in_place)?, schema).is_some() {
                    return Err(refuse("patternProperties", place, "two patterns that are one"));
                }
            }
            *patterns = translated;
        }
        let Some(format) = object.shift_remove("format") else { return Ok(()) };
        let Some(name) = format.as_str() else { return Err(refuse("format", place, "not a string")) };
        if let Some(pattern) = grammar_formats::pattern(name) {
            object.insert(FORMAT.to_owned(), pattern.into());
            return Ok(());
        }
        let short: String = name.chars().take(MAX_FORMAT_CHARACTERS).collect();
        let known = grammar_formats::NAMES.join(", ");
        let text =
            format!("JSON schema keyword \"format\" at {}: {short:?} was not enforced, only {known} are", at(place));
        self.notes.add(name, text);
        Ok(())
    }

    /// References must lead to where the walk was.
    fn references(&mut self, root: &mut Value) -> Result<()> {
        let mut seen = HashSet::new();
        while let Some(reference) = self.references.pop() {
            if !seen.insert(reference.clone()) {
                continue;
            }
            let (document, fragment) = reference.split_once('#').unwrap_or((&reference, ""));
            let refuse = |why: &str| Error::unsupported(format!("JSON schema keyword \"$ref\": {reference:?} {why}"));
            if document.contains("json-schema.org") {
                return Err(refuse("is another document"));
            }
            if !fragment.starts_with('/') || leads_through_schemas(fragment) {
                continue;
            }
            if self.has_inner_id || !document.is_empty() {
                return Err(refuse("leads out of where schemas stand"));
            }
            let Some(target) = root.pointer_mut(&decoded(fragment)) else {
                return Err(Error::invalid(format!("JSON schema keyword \"$ref\": {reference:?} leads nowhere")));
            };
            self.schema(target, fragment, false)?;
        }
        Ok(())
    }
}

/// A keyword that is null says nothing, as programs write what they left out; but `const` may be it. Anchors of
/// references that are refused mark no place, except that $dynamicAnchor also is a plain one.
fn remove_absent(object: &mut Map<String, Value>) {
    object.retain(|keyword, value| !value.is_null() || keyword == "const");
    object.shift_remove("$recursiveAnchor");
    if let Some(anchor) = object.shift_remove("$dynamicAnchor") {
        object.entry("$anchor").or_insert(anchor);
    }
}

/// A pointer that stands in a URI: %41 is a character.
fn decoded(fragment: &str) -> String {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.as_bytes();
    while let [first, tail @ ..] = rest {
        let byte = match (first, tail) {
            (b'%', [a, b, ..]) => std::str::from_utf8(&[*a, *b]).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok()),
            _ => None,
        };
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether every step of a JSON pointer goes from a schema to one in it.
fn leads_through_schemas(pointer: &str) -> bool {
    let mut steps = pointer[1..].split('/');
    while let Some(keyword) = steps.next() {
        let is_index = |step: Option<&str>| step.is_some_and(|s| s.bytes().all(|b| b.is_ascii_digit()));
        let inside = match holder(keyword) {
            Some(Holds::Schema) => true,
            Some(Holds::Map) => steps.next().is_some(),
            Some(Holds::List) => is_index(steps.next()),
            Some(Holds::SchemaOrList) => {
                let mut ahead = steps.clone();
                if is_index(ahead.next()) {
                    steps.next();
                }
                true
            }
            None => false,
        };
        if !inside {
            return false;
        }
    }
    true
}

fn remove_marks(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(remove_marks),
        Value::Object(map) => {
            map.shift_remove(CHECKED);
            map.shift_remove(FORMAT);
            map.values_mut().for_each(remove_marks);
        }
        _ => {}
    }
}

/// The mark becomes a pattern, beside a pattern already there through allOf.
fn finish_formats(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(finish_formats),
        Value::Object(map) => {
            map.values_mut().for_each(finish_formats);
            let Some(format) = map.shift_remove(FORMAT) else { return };
            if !map.contains_key("pattern") {
                map.insert("pattern".to_owned(), format);
                return;
            }
            let mut both = Map::new();
            if let Some(kind) = map.get("type") {
                both.insert("type".to_owned(), kind.clone());
            }
            both.insert("pattern".to_owned(), format);
            match map.get_mut("allOf") {
                Some(Value::Array(list)) => list.push(Value::Object(both)),
                _ => {
                    map.insert("allOf".to_owned(), json!([both]));
                }
            }
        }
        _ => {}
    }
}
