//! Tool calls as a grammar: free text until a trigger, then what the call's tag and schema allow.

use crate::error::{Error, Result};
use crate::grammar_notes::Notes;
use crate::grammar_parts::{Part, Rules};
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
    /// In place of the schema, and of white space around it.
    parts: Option<Vec<Part>>,
    /// What stands after it; may be empty.
    #[serde(default)]
    end: String,
}

/// Around all calls of an answer, of which there is one such list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    #[serde(default)]
    open: String,
    #[serde(default)]
    separator: String,
    #[serde(default)]
    close: String,
}

/// Reasoning before anything else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reasoning {
    start: String,
    end: String,
    /// The answer begins inside it. Else it may begin with it.
    #[serde(default)]
    open: bool,
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
    section: Option<Section>,
    reasoning: Option<Reasoning>,
    /// Nothing tells calls from text but how the answer begins: text does not begin with a bracket.
    #[serde(default)]
    bare: bool,
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
    let may_be_empty = tools.section.is_some();
    if tools.tags.iter().any(|tag| tag.begin.is_empty() && !may_be_empty) || tools.triggers.iter().any(String::is_empty)
    {
        return Err(Error::invalid("a tag's begin or a trigger is empty"));
    }
    Ok(tools)
}

const ENDS: &str = "TEXT: /(?s:.)+/\nANY: /(?s:.)*/\nWS: /[ \\n\\r\\t]{1,16}/\n";

/// A text as Lark has it: control tokens by id, the rest as strings.
pub struct Literals {
    /// (text, id) of control tokens.
    control: Vec<(String, usize)>,
}

impl Literals {
    pub fn new(tokens: &Tokens) -> Self {
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
    pub fn first(&self, text: &str) -> Option<(usize, &(String, usize))> {
        let found = self.control.iter().filter_map(|token| Some((text.find(token.0.as_str())?, token)));
        found.min_by_key(|(start, token)| (*start, usize::MAX - token.0.len()))
    }

    pub fn lark(&self, mut text: &str) -> String {
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

    /// What is written of a tag whose first `consumed` bytes are written already.
    fn body(tag: &Tag, consumed: usize, rules: &mut Rules) -> Result<String> {
        let begin = rules.literals.lark(&tag.begin[consumed..]);
        let end = rules.literals.lark(&tag.end);
        if let Some(parts) = &tag.parts {
            return Ok(format!("{begin} {} {end}", rules.parts(parts)?));
        }
        let schema = grammar_schema::prepare(tag.schema.clone(), rules.compact, rules.notes)?;
        Ok(format!("{begin} WS? %json {schema} WS? {end}"))
    }

    /// Text up to a trigger, and the trigger's bytes that this takes: a control token starts a call as it is; a
    /// string does where it first ends.
    fn up_to(trigger: &str, rules: &mut Rules) -> (String, usize) {
        match rules.literals.first(trigger) {
            Some((0, (piece, id))) => (format!("TEXT? <[{id}]>"), piece.len()),
            first => {
                let plain = first.map_or(trigger.len(), |(start, _)| start);
                let name = format!("text_{}", rules.n);
                rules.n += 1;
                let _ = writeln!(rules.text, "{name}[suffix={}]: ANY", quoted(&trigger[..plain]));
                (name, plain)
            }
        }
    }

    fn reasoning(&self, rules: &mut Rules) -> Result<&'static str> {
        let Some(reasoning) = &self.reasoning else { return Ok("") };
        let rest = rules.until(&reasoning.end)?;
        let start = if reasoning.open { String::new() } else { rules.literals.lark(&reasoning.start) };
        let _ = writeln!(rules.text, "reasoning: {start} {rest} WS?");
        Ok(if reasoning.open { "reasoning" } else { "reasoning?" })
    }

    /// Calls wherever a trigger stands, or one behind the other.
    fn separate_calls(&self, reasoning: &str, rules: &mut Rules) -> Result<String> {
        let groups = self.by_trigger()?;
        let names: Vec<String> = (0..groups.len()).map(|i| format!("call_{i}")).collect();
        let calls = format!("{{{},{}}}", self.min_calls, self.max_calls.map_or(String::new(), |n| n.to_string()));
        for (i, (trigger, tags)) in groups.iter().enumerate() {
            let (before, consumed) = if self.text { Self::up_to(trigger, rules) } else { (String::new(), 0) };
            let _ = writeln!(rules.text, "call_{i}: {before} body_{i}");
            let bodies: Result<Vec<String>> = tags.iter().map(|tag| Self::body(tag, consumed, rules)).collect();
            let _ = writeln!(rules.text, "body_{i}: {}", bodies?.join("\n  | "));
        }
        let _ = writeln!(rules.text, "call: {}", names.join(" | "));
        Ok(match self.text {
            true => format!("start: {reasoning} call{calls} TEXT?\n"),
            false => format!("start: {reasoning} (call WS?){calls}\n"),
        })
    }

    /// Calls in one list.
    fn section(&self, section: &Section, reasoning: &str, rules: &mut Rules) -> Result<String> {
        let bodies: Result<Vec<String>> = self.tags.iter().map(|tag| Self::body(tag, 0, rules)).collect();
        let _ = writeln!(rules.text, "call: {}", bodies?.join("\n  | "));
        let separator = rules.literals.lark(&section.separator);
        let least = self.min_calls.saturating_sub(1);
        let most = self.max_calls.map_or(String::new(), |n| (n - 1).to_string());
        let close = rules.literals.lark(&section.close);
        let calls = format!("call ({separator} call){{{least},{most}}} {close}");
        if self.bare && self.text {
            // Text first: it is told by its first byte.
            let other = "OTHER: /[^ \\n\\r\\t\\[{](?s:.)*/";
            let open = rules.literals.lark(&section.open);
            let _ = writeln!(rules.text, "calls: {open} {calls}\n{other}");
            return Ok(format!("start: {reasoning} (calls | OTHER)\n"));
        }
        if !self.text {
            return Ok(format!("start: {reasoning} {} {calls}\n", rules.literals.lark(&section.open)));
        }
        if section.open.is_empty() {
            return Err(Error::invalid("a section within text has no beginning"));
        }
        let (before, consumed) = Self::up_to(&section.open, rules);
        let open = rules.literals.lark(&section.open[consumed..]);
        let _ = writeln!(rules.text, "calls: {before} {open} {calls}");
        let some = if self.min_calls > 0 { "calls" } else { "calls?" };
        Ok(format!("start: {reasoning} {some} TEXT?\n"))
    }

    pub fn lark(&self, tokens: &Tokens, compact: bool, notes: &mut Notes) -> Result<String> {
        let literals = Literals::new(tokens);
        let mut rules = Rules { literals: &literals, notes, compact, text: String::new(), n: 0 };
        let reasoning = self.reasoning(&mut rules)?;
        let start = match &self.section {
            Some(section) => self.section(section, reasoning, &mut rules)?,
            None => self.separate_calls(reasoning, &mut rules)?,
        };
        Ok(start + ENDS + &rules.text)
    }
}
