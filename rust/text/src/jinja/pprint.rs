//! pprint.pformat: a repr() with sorted dicts, over several lines where it is longer than 80 characters.

use super::args::bind;
use super::context::Context;
use super::dict::Dict;
use super::error::{Error, Result};
use super::filters_select::sorted_by;
use super::value::{Args, Value};
use super::{methods_str, ops, text, unicode};

const WIDTH: usize = 80;

pub fn filter(context: &mut Context, args: Args) -> Result<Value> {
    let [value] = bind(args, "pprint", ["value"], 1)?;
    let mut out = String::new();
    format(context, &value.unwrap_or(Value::None), &mut out, Place { indent: 0, allowance: 0 }, 0)?;
    Ok(Value::str(out))
}

/// Where a value is written: its column, and how many characters must follow it on the line.
#[derive(Clone, Copy)]
struct Place {
    indent: usize,
    allowance: usize,
}

fn push(context: &mut Context, out: &mut String, text: &str) -> Result<()> {
    context.allocate(text.len())?;
    out.push_str(text);
    Ok(())
}

fn format(context: &mut Context, value: &Value, out: &mut String, place: Place, level: usize) -> Result<()> {
    let repr = safe_repr(context, value)?;
    context.spend(repr.len() as u64 / 32)?;
    if repr.chars().count() + place.indent + place.allowance <= WIDTH {
        return push(context, out, &repr);
    }
    let Place { indent, allowance } = place;
    match value {
        Value::Dict(dict) => {
            push(context, out, "{")?;
            dict_items(context, dict, out, Place { indent: indent + 1, allowance: allowance + 1 }, level + 1)?;
            push(context, out, "}")
        }
        Value::List(items) => {
            push(context, out, "[")?;
            sequence_items(context, items, out, Place { indent: indent + 1, allowance: allowance + 1 }, level + 1)?;
            push(context, out, "]")
        }
        Value::Tuple(items) if !items.group => {
            let end = if items.len() == 1 { ",)" } else { ")" };
            let inner = Place { indent: indent + 1, allowance: allowance + end.len() };
            push(context, out, "(")?;
            sequence_items(context, items, out, inner, level + 1)?;
            push(context, out, end)
        }
        Value::Str(text) if !text.safe && !text.is_empty() => long_text(context, text, out, place, level + 1),
        _ => push(context, out, &repr),
    }
}

fn sequence_items(context: &mut Context, items: &[Value], out: &mut String, place: Place, level: usize) -> Result<()> {
    for (at, item) in items.iter().enumerate() {
        let last = at + 1 == items.len();
        let allowance = if last { place.allowance } else { 1 };
        format(context, item, out, Place { allowance, ..place }, level)?;
        if !last {
            push(context, out, &format!(",\n{}", " ".repeat(place.indent)))?;
        }
    }
    Ok(())
}

fn dict_items(context: &mut Context, dict: &Dict, out: &mut String, place: Place, level: usize) -> Result<()> {
    let entries = sorted_entries(context, dict)?;
    for (at, (key, value)) in entries.iter().enumerate() {
        let last = at + 1 == entries.len();
        let key = safe_repr(context, key)?;
        push(context, out, &key)?;
        push(context, out, ": ")?;
        let indent = place.indent + key.chars().count() + 2;
        let allowance = if last { place.allowance } else { 1 };
        format(context, value, out, Place { indent, allowance }, level)?;
        if !last {
            push(context, out, &format!(",\n{}", " ".repeat(place.indent)))?;
        }
    }
    Ok(())
}

/// By key; keys without an order sort by the name of their type.
fn sorted_entries(context: &mut Context, dict: &Dict) -> Result<Vec<(Value, Value)>> {
    let entries = dict.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    sorted_by(context, entries, &mut |context, a, b| match ops::less(context, a, b) {
        Err(error) if error.is("TypeError") => {
            let (a, b) = (class_text(a)?, class_text(b)?);
            if a == b {
                return Err(Error::unsupported("pprint of dict keys without an order: Python sorts them by address"));
            }
            Ok(a < b)
        }
        other => other,
    })
}

/// str(type(value))
fn class_text(value: &Value) -> Result<String> {
    match value {
        Value::Object(_) | Value::Namespace(_) | Value::Iterator(_) => {
            Err(Error::unsupported("pprint of a dict with objects as keys"))
        }
        Value::Str(text) if text.safe => Ok("<class 'markupsafe.Markup'>".to_string()),
        other => Ok(format!("<class '{}'>", other.type_name())),
    }
}

/// repr() with sorted dicts.
fn safe_repr(context: &mut Context, value: &Value) -> Result<String> {
    context.spend(1)?;
    let mut out = String::new();
    match value {
        Value::Dict(dict) => {
            for (key, value) in sorted_entries(context, dict)? {
                let (key, value) = (safe_repr(context, &key)?, safe_repr(context, &value)?);
                let comma = if out.is_empty() { "" } else { ", " };
                push(context, &mut out, &format!("{comma}{key}: {value}"))?;
            }
            Ok(format!("{{{out}}}"))
        }
        Value::List(items) => Ok(format!("[{}]", safe_items(context, items)?)),
        Value::Tuple(items) if !items.group => {
            let comma = if items.len() == 1 { "," } else { "" };
            Ok(format!("({}{comma})", safe_items(context, items)?))
        }
        other => text::repr_of(context, other),
    }
}

fn safe_items(context: &mut Context, items: &[Value]) -> Result<String> {
    let mut out = String::new();
    for (at, item) in items.iter().enumerate() {
        let item = safe_repr(context, item)?;
        push(context, &mut out, if at > 0 { ", " } else { "" })?;
        push(context, &mut out, &item)?;
    }
    Ok(out)
}

/// A str over several lines: its own lines, and those cut between words.
fn long_text(context: &mut Context, text: &str, out: &mut String, place: Place, level: usize) -> Result<()> {
    context.allocate(text.len() * 4)?;
    let Place { mut indent, mut allowance } = place;
    if level == 1 {
        indent += 1;
        allowance += 1;
    }
    let width = WIDTH as i64 - indent as i64;
    let lines = methods_str::lines(text, true);
    let mut chunks = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let last = at + 1 == lines.len();
        let allowed = if last { width - allowance as i64 } else { width };
        let repr = text::quoted(line);
        if repr.chars().count() as i64 <= allowed {
            chunks.push(repr);
        } else {
            wrap_line(context, line, width, if last { allowance as i64 } else { 0 }, &mut chunks)?;
        }
    }
    if let [chunk] = chunks.as_slice() {
        // As Python does: the line as it is, even where words of it were looked at.
        let whole = text::quoted(lines[0]);
        debug_assert!(!chunk.is_empty());
        return push(context, out, &whole);
    }
    if level == 1 {
        push(context, out, "(")?;
    }
    push(context, out, &chunks.join(&format!("\n{}", " ".repeat(indent))))?;
    if level == 1 {
        push(context, out, ")")?;
    }
    Ok(())
}

/// Words with the white space behind them, as many to a chunk as fit.
fn wrap_line(context: &mut Context, line: &str, width: i64, reserve: i64, chunks: &mut Vec<String>) -> Result<()> {
    let mut current = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        let word = rest.find(unicode::is_space).unwrap_or(rest.len());
        let end = word + rest[word..].find(|c| !unicode::is_space(c)).unwrap_or(rest.len() - word);
        let (part, after) = rest.split_at(end);
        rest = after;
        let allowed = if rest.is_empty() { width - reserve } else { width };
        let candidate = format!("{current}{part}");
        context.spend(candidate.len() as u64 / 16 + 1)?;
        if text::quoted(&candidate).chars().count() as i64 > allowed {
            if !current.is_empty() {
                chunks.push(text::quoted(&current));
            }
            current = part.to_string();
        } else {
            current = candidate;
        }
    }
    if !current.is_empty() {
        chunks.push(text::quoted(&current));
    }
    Ok(())
}
