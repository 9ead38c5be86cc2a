//! What stands in a call where it is not one JSON value: a list of parts, as rules of a Lark grammar.

use crate::error::{Error, Result};
use crate::grammar_notes::Notes;
use crate::grammar_schema;
use crate::grammar_tools::{quoted, Literals};
use serde::Deserialize;
use serde_json::Value;
use std::fmt::Write;

/// Rules of all parts of a grammar.
const MAX_RULES: usize = 20_000;

#[derive(Deserialize)]
#[serde(untagged)]
pub enum Part {
    /// A text as it stands.
    Text(String),
    Other(Other),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Other {
    /// A JSON value.
    Schema(Value),
    /// Any text up to this one, which follows it and does not stand in it.
    Until(String),
    /// One of these texts.
    Choice(Vec<String>),
    /// At most so many digits.
    Digits(usize),
    /// So many letters and digits.
    Id(usize),
    /// Any text to the end; null.
    Rest(()),
    /// Some of these in their order, with the separator between them.
    List(List),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    items: Vec<Item>,
    #[serde(default)]
    separator: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    parts: Vec<Part>,
    #[serde(default)]
    optional: bool,
}

/// Writes the rules that parts need; names of rules are counted.
pub struct Rules<'a> {
    pub literals: &'a Literals,
    pub notes: &'a mut Notes,
    pub compact: bool,
    pub text: String,
    pub n: usize,
}

impl Rules<'_> {
    fn name(&mut self) -> Result<String> {
        self.n += 1;
        if self.n > MAX_RULES {
            return Err(Error::limit(format!("calls of more than {MAX_RULES} parts")));
        }
        Ok(format!("part_{}", self.n))
    }

    fn rule(&mut self, expression: &str) -> Result<String> {
        let name = self.name()?;
        let _ = writeln!(self.text, "{name}: {expression}");
        Ok(name)
    }

    /// Any text, then `until`: a control token, or bytes where they first stand.
    pub fn until(&mut self, until: &str) -> Result<String> {
        if until.is_empty() {
            return Err(Error::invalid("a text ends before an empty one"));
        }
        let whole = self.literals.lark(until);
        let start = self.literals.first(until).map(|(start, _)| start);
        if start == Some(0) {
            return Ok(format!("TEXT? {whole}"));
        }
        let plain = start.unwrap_or(until.len());
        let name = self.name()?;
        let _ = writeln!(self.text, "{name}[suffix={}]: ANY", quoted(&until[..plain]));
        Ok(format!("{name} {}", self.literals.lark(&until[plain..])))
    }

    pub fn parts(&mut self, parts: &[Part]) -> Result<String> {
        let mut out = String::new();
        for part in parts {
            let one = match part {
                Part::Text(text) => self.literals.lark(text),
                Part::Other(other) => self.other(other)?,
            };
            out.push_str(&one);
            out.push(' ');
        }
        Ok(if out.trim().is_empty() { "\"\"".to_owned() } else { out })
    }

    fn other(&mut self, other: &Other) -> Result<String> {
        Ok(match other {
            Other::Schema(schema) => {
                format!("%json {}", grammar_schema::prepare(schema.clone(), self.compact, self.notes)?)
            }
            Other::Until(until) => self.until(until)?,
            Other::Choice(texts) => {
                let texts: Vec<String> = texts.iter().map(|text| self.literals.lark(text)).collect();
                if texts.is_empty() || texts.iter().any(String::is_empty) {
                    return Err(Error::invalid("a choice of no text"));
                }
                self.rule(&texts.join(" | "))?
            }
            Other::Digits(most @ 1..=9) => format!("/[0-9]{{1,{most}}}/"),
            Other::Id(n @ 1..=64) => format!("/[0-9A-Za-z]{{{n}}}/"),
            Other::Digits(n) | Other::Id(n) => return Err(Error::invalid(format!("an id of {n} characters"))),
            Other::Rest(_) => "TEXT?".to_owned(),
            Other::List(list) => self.list(list)?,
        })
    }

    /// From the last item to the first: what may follow an item that was written, and one that was not.
    fn list(&mut self, list: &List) -> Result<String> {
        let separator = self.literals.lark(&list.separator);
        let (mut first, mut more) = (self.rule("\"\"")?, self.rule("\"\"")?);
        for item in list.items.iter().rev() {
            let parts = self.parts(&item.parts)?;
            let one = self.rule(&parts)?;
            let skip = |rest: &str| if item.optional { format!(" | {rest}") } else { String::new() };
            let first_here = format!("{one} {more}{}", skip(&first));
            let more_here = format!("{separator} {one} {more}{}", skip(&more));
            first = self.rule(&first_here)?;
            more = self.rule(&more_here)?;
        }
        Ok(first)
    }
}
