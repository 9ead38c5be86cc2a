//! Chat templates: the engine of jinja/, set up as transformers sets up jinja2, with bounds.

use crate::error::{Error, Result};
use crate::jinja::ast::Template as Parsed;
use crate::jinja::context::{Context, Limits};
use crate::jinja::error::{Error as JinjaError, Kind, Result as JinjaResult};
use crate::jinja::json::{self, value_from_json};
use crate::jinja::value::Value;
use crate::typed;
use std::ops::Range;
use std::sync::Arc;

/// Steps one rendering may take; a long chat of a thousand messages takes some hundred thousand.
pub const FUEL: u64 = 10_000_000;
/// Nested macro calls and blocks.
pub const RECURSION_LIMIT: usize = 200;
pub const MAX_SOURCE_BYTES: usize = 1 << 20;
pub const MAX_INPUT_BYTES: usize = 64 << 20;
pub const MAX_OUTPUT_BYTES: usize = 64 << 20;
/// Strings and lists that a template makes on the way.
pub const MAX_VALUE_BYTES: u64 = 512 << 20;
/// Of the template's line that an error message shows.
const SHOWN_LINE: usize = 100;

pub struct Template {
    parsed: Arc<Parsed>,
    source: String,
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

/// The message with the template's line, quoted.
fn describe(error: &JinjaError, source: &str) -> String {
    if error.line == 0 || error.kind == Kind::Raised {
        return error.message.clone();
    }
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let line = source.split('\n').nth(error.line as usize - 1).unwrap_or("").trim();
    let shown: String = line.chars().take(SHOWN_LINE).collect();
    let cut = if shown.len() < line.len() { "..." } else { "" };
    format!("{} (line {}: {shown}{cut})", error.message, error.line)
}

fn render_error(error: &JinjaError, source: &str) -> Error {
    let message = describe(error, source);
    match error.kind {
        Kind::Syntax | Kind::Runtime | Kind::Raised => Error::invalid(message),
        Kind::Unsupported => Error::unsupported(message),
        Kind::Limit => Error::limit(message),
    }
}

fn parse_error(error: &JinjaError, source: &str) -> Error {
    let message = describe(error, source);
    match error.kind {
        Kind::Unsupported => Error::unsupported(message),
        _ => Error::corrupt(message),
    }
}

/// transformers fills a message's reasoning_content from older names for it, and thinking, which then comes
/// first, for those that read that.
fn alias_reasoning(messages: &mut serde_json::Value) {
    for message in messages.as_array_mut().into_iter().flatten() {
        let Some(fields) = message.as_object_mut() else { continue };
        let names = ["reasoning_content", "thinking", "reasoning"];
        let Some(reasoning) = names.iter().find_map(|name| fields.get(*name).filter(|v| !v.is_null())).cloned() else {
            continue;
        };
        let mut filled = serde_json::Map::new();
        filled.insert("thinking".to_owned(), reasoning.clone());
        filled.extend(std::mem::take(fields));
        filled.insert("reasoning_content".to_owned(), reasoning);
        *fields = filled;
    }
}

fn are_objects(value: &serde_json::Value) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(|item| item.is_object() && !json::is_number(item)))
}

fn parsed(text: &str, what: &str, fits: impl Fn(&serde_json::Value) -> bool) -> Result<serde_json::Value> {
    if text.len() > MAX_INPUT_BYTES {
        return Err(Error::invalid(format!("{what}: {} bytes, at most {MAX_INPUT_BYTES}", text.len())));
    }
    if text.is_empty() {
        return Ok(serde_json::Value::Null);
    }
    let value: serde_json::Value =
        json::parse(text).map_err(|e| Error::invalid(format!("{what} are not JSON: {e}")))?;
    if fits(&value) || value.is_null() {
        Ok(value)
    } else {
        Err(Error::invalid(format!("{what} have the wrong JSON type")))
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
        let parsed = Parsed::parse(source).map_err(|error| parse_error(&error, source))?;
        let special = special.into_iter().filter(|(_, text)| !text.is_empty()).collect();
        let literals = typed::literals(parsed.strings());
        Ok(Self { parsed: Arc::new(parsed), source: source.to_owned(), literals, special })
    }

    pub fn render(&self, input: &Input) -> Result<Render> {
        let mut data = Data {
            messages: parsed(input.messages, "messages", are_objects)?,
            tools: parsed(input.tools, "tools", are_objects)?,
            documents: parsed(input.documents, "documents", are_objects)?,
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
        let limits = Limits { fuel: FUEL, bytes: MAX_VALUE_BYTES, recursion: RECURSION_LIMIT };
        let variables = |_: &mut Context| self.variables(data, input);
        let rendered = self.parsed.render(limits, input.now, MAX_OUTPUT_BYTES, variables);
        rendered.map_err(|error| render_error(&error, &self.source))
    }

    /// Of equal names the last wins: further variables may replace bos_token, but not the messages.
    fn variables(&self, data: &Data, input: &Input) -> JinjaResult<Vec<(String, Value)>> {
        let mut all: Vec<(String, Value)> = Vec::new();
        all.extend(self.special.iter().map(|(name, text)| ((*name).to_owned(), Value::str(text))));
        for (name, value) in data.kwargs.as_object().into_iter().flatten() {
            all.push((name.clone(), value_from_json(value)?));
        }
        let core = [("messages", &data.messages), ("tools", &data.tools), ("documents", &data.documents)];
        for (name, value) in core {
            all.push((name.to_owned(), value_from_json(value)?));
        }
        all.push(("add_generation_prompt".to_owned(), Value::Bool(input.add_generation_prompt)));
        Ok(all)
    }
}
