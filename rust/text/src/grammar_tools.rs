//! Tool calls as a grammar: free text until a trigger, then what the call's tag and schema allow.

use crate::error::{Error, Result};
use crate::grammar_notes::Notes;
use crate::grammar_schema;
use crate::grammar_tokens::Tokens;
use serde::Deserialize;
use serde_json::{json, Value};
use std::fmt::Write;

const MAX_TAGS: usize = 512;
const MAX_CALLS: usize = 1000;

fn any_object() -> Value {
    json!({ "type": "object" })
}

fn allowed() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tag {
    /// What stands before the call: "<tool_call>\n", or "<function=f>".
    begin: String,
    #[serde(default = "any_object")]
    schema: Value,
    /// What stands after it; may be empty.
    #[serde(default)]
    end: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tools {
    tags: Vec<Tag>,
    /// Beginnings of tags' begins; once one is written, a tag must follow. Default: the begins.
    #[serde(default)]
    triggers: Vec<String>,
    /// Whether there may be text outside calls.
    #[serde(default = "allowed")]
    text: bool,
    #[serde(default)]
    min_calls: usize,
    max_calls: Option<usize>,
}

pub fn parse(text: &str) -> Result<Tools> {
    if text.len() > grammar_schema::MAX_SCHEMA_BYTES {
        return Err(Error::limit(format!(
            "tools of {} bytes, at most {}",
            text.len(),
            grammar_schema::MAX_SCHEMA_BYTES
        )));
    }
    grammar_schema::check_nesting(text, "the tools")?;
    let tools: Tools = serde_json::from_str(text).map_err(|e| Error::invalid(format!("tools: {e}")))?;
    if tools.tags.is_empty() || tools.tags.len() > MAX_TAGS {
        return Err(Error::invalid(format!("{} tags, from 1 to {MAX_TAGS}", tools.tags.len())));
    }
    let most = tools.max_calls.unwrap_or(MAX_CALLS);
    if tools.min_calls > most || most == 0 || most > MAX_CALLS {
        return Err(Error::invalid(format!("{} to {most} calls, of {MAX_CALLS}", tools.min_calls)));
    }
    if tools.tags.iter().any(|tag| tag.begin.is_empty()) || tools.triggers.iter().any(String::is_empty) {
        return Err(Error::invalid("a tag's begin or a trigger is empty"));
    }
    Ok(tools)
}

/// A text as Lark has it: control tokens by id, the rest as strings.
struct Literals {
    /// (text, id) of control tokens.
    control: Vec<(String, usize)>,
}

impl Literals {
    fn new(tokens: &Tokens) -> Self {
        let mut control = Vec::new();
        tokens.control().iter_set_entries(|id| {
            let piece = String::from_utf8_lossy(tokens.piece(id)).into_owned();
            if piece.len() > 2 {
                control.push((piece, id));
            }
        });
        Self { control }
    }

    /// The first control token in the text: where it starts, and which.
    fn first(&self, text: &str) -> Option<(usize, &(String, usize))> {
        let found = self.control.iter().filter_map(|token| Some((text.find(token.0.as_str())?, token)));
        found.min_by_key(|(start, token)| (*start, usize::MAX - token.0.len()))
    }

    fn lark(&self, mut text: &str) -> String {
        let mut out = String::new();
        while let Some((start, (piece, id))) = self.first(text) {
            if start > 0 {
                let _ = write!(out, "{} ", quoted(&text[..start]));
            }
            let _ = write!(out, "<[{id}]> ");
            text = &text[start + piece.len()..];
        }
        if !text.is_empty() {
            out.push_str(&quoted(text));
        }
        out
    }
}

pub fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

impl Tools {
    /// For each trigger the tags that start with it.
    fn by_trigger(&self) -> Result<Vec<(&str, Vec<&Tag>)>> {
        let mut triggers: Vec<&str> = self.triggers.iter().map(String::as_str).collect();
        if triggers.is_empty() {
            triggers = self.tags.iter().map(|tag| tag.begin.as_str()).collect();
        }
        triggers.sort_unstable();
        triggers.dedup();
        let mut groups: Vec<(&str, Vec<&Tag>)> = triggers.iter().map(|trigger| (*trigger, Vec::new())).collect();
        for tag in &self.tags {
            let mut fitting = groups.iter_mut().filter(|(trigger, _)| tag.begin.starts_with(trigger));
            match (fitting.next(), fitting.next()) {
                (Some(group), None) => group.1.push(tag),
                (None, _) => return Err(Error::invalid(format!("no trigger starts the tag {:?}", tag.begin))),
                _ => return Err(Error::invalid(format!("two triggers start the tag {:?}", tag.begin))),
            }
        }
        if let Some((trigger, _)) = groups.iter().find(|(_, tags)| tags.is_empty()) {
            return Err(Error::invalid(format!("the trigger {trigger:?} starts no tag")));
        }
        Ok(groups)
    }

    pub fn lark(&self, tokens: &Tokens, compact: bool, notes: &mut Notes) -> Result<String> {
        let literals = Literals::new(tokens);
        let groups = self.by_trigger()?;
        let names: Vec<String> = (0..groups.len()).map(|i| format!("call_{i}")).collect();
        let calls = format!("{{{},{}}}", self.min_calls, self.max_calls.map_or(String::new(), |n| n.to_string()));
        let mut out = match self.text {
            true => format!("start: call{calls} TEXT?\n"),
            false => format!("start: (call WS?){calls}\n"),
        };
        let _ = writeln!(out, "call: {}", names.join(" | "));
        let _ = writeln!(out, "TEXT: /(?s:.)+/\nANY: /(?s:.)*/\nWS: /[ \\n\\r\\t]{{1,16}}/");
        for (i, (trigger, tags)) in groups.iter().enumerate() {
            // A control token starts a call as it is; a string does where it first ends.
            let control = literals.first(trigger).filter(|(start, _)| *start == 0);
            let consumed = match (self.text, control) {
                (true, Some((_, (piece, id)))) => {
                    let _ = writeln!(out, "call_{i}: TEXT? <[{id}]> body_{i}");
                    piece.len()
                }
                (true, None) => {
                    let plain = literals.first(trigger).map_or(trigger.len(), |(start, _)| start);
                    let _ = writeln!(out, "call_{i}: text_{i} body_{i}");
                    let _ = writeln!(out, "text_{i}[suffix={}]: ANY", quoted(&trigger[..plain]));
                    plain
                }
                (false, _) => {
                    let _ = writeln!(out, "call_{i}: body_{i}");
                    0
                }
            };
            let mut bodies = Vec::new();
            for tag in tags {
                let schema = grammar_schema::prepare(tag.schema.clone(), compact, notes)?;
                let begin = literals.lark(&tag.begin[consumed..]);
                let end = literals.lark(&tag.end);
                bodies.push(format!("{begin} WS? %json {schema} WS? {end}"));
            }
            let _ = writeln!(out, "body_{i}: {}", bodies.join("\n  | "));
        }
        Ok(out)
    }
}
