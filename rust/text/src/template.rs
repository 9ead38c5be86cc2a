//! Chat templates: minijinja, set up so that it renders as transformers does, with bounds.

use crate::error::{Error, Result};
use crate::python;
use crate::typed;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{merge_maps, Value, ValueKind};
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use std::fmt::Write as _;
use std::ops::Range;

/// Instructions one rendering may take; a long chat of a thousand messages takes some hundred thousand.
pub const FUEL: u64 = 10_000_000;
/// Nested macro calls and blocks.
pub const RECURSION_LIMIT: usize = 200;
pub const MAX_SOURCE_BYTES: usize = 1 << 20;
pub const MAX_INPUT_BYTES: usize = 64 << 20;
pub const MAX_OUTPUT_BYTES: usize = 64 << 20;

const NAME: &str = "chat_template";

pub struct Template {
    environment: Environment<'static>,
    /// The strings the template itself names, for typed.rs.
    literals: Vec<String>,
    /// bos_token and its like; a token that is not there is undefined, as in transformers.
    special: Vec<(&'static str, String)>,
}

pub struct Input<'a> {
    pub messages: &'a str,
    pub tools: &'a str,
    pub documents: &'a str,
    pub kwargs: &'a str,
    pub now: i64,
    pub add_generation_prompt: bool,
}

pub struct Render {
    pub text: String,
    pub typed: Vec<Range<usize>>,
}

/// The request's own data, as parsed.
#[derive(Clone)]
pub struct Data {
    pub messages: serde_json::Value,
    pub tools: serde_json::Value,
    pub documents: serde_json::Value,
    pub kwargs: serde_json::Value,
}

/// What raise_exception said; kept apart from minijinja's own complaints.
#[derive(Debug)]
struct Raised(String);

impl std::fmt::Display for Raised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for Raised {}

fn raise_exception(message: String) -> std::result::Result<Value, minijinja::Error> {
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, message.clone()).with_source(Raised(message)))
}

/// In Jinja a string and a mapping are sequences and iterable too.
fn is_sequence(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::String | ValueKind::Map | ValueKind::Undefined)
}
fn is_iterable(value: &Value) -> bool {
    matches!(
        value.kind(),
        ValueKind::Seq | ValueKind::String | ValueKind::Map | ValueKind::Iterable | ValueKind::Undefined
    )
}

fn environment() -> Result<Environment<'static>> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.map_err(|e| Error::internal(describe(&e)))?);
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_unknown_method_callback(python::method);
    environment.set_formatter(python::write_value);
    environment.set_recursion_limit(RECURSION_LIMIT);
    environment.set_fuel(Some(FUEL));
    environment.add_filter("tojson", python::tojson);
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("cycler", minijinja_contrib::globals::cycler);
    environment.add_function("joiner", minijinja_contrib::globals::joiner);
    environment.add_test("sequence", is_sequence);
    environment.add_test("iterable", is_iterable);
    Ok(environment)
}

/// transformers' {% generation %} marks what a model said; it renders its body in a scope of its own.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at + 2);
        out.push_str(before);
        rest = tag;
        let word_at = tag.find(|c: char| !c.is_whitespace() && !"-+".contains(c)).unwrap_or(tag.len());
        for (name, instead) in [("generation", "with"), ("endgeneration", "endwith")] {
            let Some(after) = tag[word_at..].strip_prefix(name) else { continue };
            if after.trim_start().trim_start_matches(['-', '+']).starts_with("%}") {
                out.push_str(&tag[..word_at]);
                out.push_str(instead);
                rest = after;
            }
        }
    }
    out + rest
}

fn describe(e: &minijinja::Error) -> String {
    let mut text = e.detail().map_or_else(|| e.kind().to_string(), |detail| format!("{}: {detail}", e.kind()));
    if let Some(line) = e.line() {
        let _ = write!(text, " (line {line})");
    }
    text
}

fn render_error(e: &minijinja::Error) -> Error {
    let mut cause: Option<&dyn std::error::Error> = Some(e);
    while let Some(one) = cause {
        if let Some(Raised(message)) = one.downcast_ref() {
            return Error::invalid(message.clone());
        }
        cause = one.source();
    }
    match e.kind() {
        ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction | ErrorKind::UnknownMethod => {
            Error::unsupported(describe(e))
        }
        ErrorKind::OutOfFuel => Error::limit(format!("the template took more than {FUEL} steps")),
        ErrorKind::WriteFailure => Error::limit(format!("the rendered text is longer than {MAX_OUTPUT_BYTES} bytes")),
        _ if e.detail().is_some_and(|detail| detail.contains("recursion limit")) => {
            Error::limit(format!("the template nests deeper than {RECURSION_LIMIT}"))
        }
        _ => Error::invalid(describe(e)),
    }
}

/// A buffer that refuses to grow without end.
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT_BYTES {
            return Err(std::io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// transformers fills a message's reasoning_content from older names for it, and thinking for those that read that.
fn alias_reasoning(messages: &mut serde_json::Value) {
    for message in messages.as_array_mut().into_iter().flatten() {
        let Some(fields) = message.as_object_mut() else { continue };
        let names = ["reasoning_content", "thinking", "reasoning"];
        let Some(reasoning) = names.iter().find_map(|name| fields.get(*name).filter(|v| !v.is_null())).cloned() else {
            continue;
        };
        fields.entry("thinking").or_insert_with(|| reasoning.clone());
        fields.insert("reasoning_content".to_owned(), reasoning);
    }
}

fn parsed(text: &str, what: &str, fits: impl Fn(&serde_json::Value) -> bool) -> Result<serde_json::Value> {
    if text.len() > MAX_INPUT_BYTES {
        return Err(Error::invalid(format!("{what}: {} bytes, at most {MAX_INPUT_BYTES}", text.len())));
    }
    if text.is_empty() {
        return Ok(serde_json::Value::Null);
    }
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|e| Error::invalid(format!("{what} are not JSON: {e}")))?;
    if fits(&value) || value.is_null() {
        Ok(value)
    } else {
        Err(Error::invalid(format!("{what} have the wrong JSON type")))
    }
}

/// JSON as template values. serde_json itself bounds the depth (128).
fn value_of(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(value) => Value::from(*value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Value::from(value),
            (None, Some(value)) => Value::from(value),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(items) => items.iter().map(value_of).collect(),
        serde_json::Value::Object(fields) => {
            Value::from_pairs(fields.iter().map(|(key, field)| (key.as_str(), value_of(field))))
        }
    }
}

impl Template {
    pub fn parse(source: &str, special: Vec<(&'static str, String)>) -> Result<Self> {
        if source.len() > MAX_SOURCE_BYTES {
            return Err(Error::corrupt(format!(
                "a chat template of {} bytes, at most {MAX_SOURCE_BYTES}",
                source.len()
            )));
        }
        let mut environment = environment()?;
        environment
            .add_template_owned(NAME, without_generation_tags(source))
            .map_err(|e| Error::corrupt(describe(&e)))?;
        let special = special.into_iter().filter(|(_, text)| !text.is_empty()).collect();
        Ok(Self { environment, literals: typed::literals(source), special })
    }

    pub fn render(&self, input: &Input) -> Result<Render> {
        let mut data = Data {
            messages: parsed(input.messages, "messages", serde_json::Value::is_array)?,
            tools: parsed(input.tools, "tools", serde_json::Value::is_array)?,
            documents: parsed(input.documents, "documents", serde_json::Value::is_array)?,
            kwargs: parsed(input.kwargs, "template variables", serde_json::Value::is_object)?,
        };
        if data.messages.is_null() {
            return Err(Error::invalid("messages must be a JSON array"));
        }
        if data.kwargs.is_null() {
            data.kwargs = serde_json::json!({});
        }
        alias_reasoning(&mut data.messages);
        let text = self.text(&data, input)?;
        let typed = typed::ranges(&text, &data, &self.literals, |marked| self.text(marked, input).ok());
        Ok(Render { text, typed })
    }

    fn text(&self, data: &Data, input: &Input) -> Result<String> {
        let now = input.now;
        let core = Value::from_pairs([
            ("messages", value_of(&data.messages)),
            ("tools", value_of(&data.tools)),
            ("documents", value_of(&data.documents)),
            ("add_generation_prompt", Value::from(input.add_generation_prompt)),
            ("strftime_now", Value::from_function(move |format: &str| python::strftime(format, now))),
        ]);
        let special = Value::from_pairs(self.special.iter().map(|(name, text)| (*name, text.as_str())));
        // Of equal names the last wins: further variables may replace bos_token, but not the messages.
        let all = merge_maps([special, value_of(&data.kwargs), core]);
        let template = self.environment.get_template(NAME).map_err(|e| render_error(&e))?;
        let mut out = Bounded(Vec::new());
        template.render_captured_to(all, &mut out).map_err(|e| render_error(&e))?;
        String::from_utf8(out.0).map_err(|_| Error::internal("a rendered text that is not UTF-8"))
    }
}
