//! The methods of str, and how those of markupsafe.Markup differ.

use super::access::byte_of;
use super::args::{bind, c_int, exactly, index, size, str_argument, POSITIONAL};
use super::context::Context;
use super::dict::Dict;
use super::error::{Error, Result};
use super::int::Int;
use super::value::{Args, Str, Value};
use super::{access, format, iterate, text, unicode};
use std::rc::Rc;

pub type StrMethod = fn(&mut Context, &Str, Args) -> Result<Value>;

const METHODS: &[(&str, StrMethod)] = &[
    ("capitalize", |c, s, a| mapped(c, s, a, unicode::capitalize)),
    ("casefold", |c, s, a| mapped(c, s, a, unicode::casefold)),
    ("center", |c, s, a| justify(c, s, a, Side::Both)),
    ("count", count),
    ("encode", |_, _, _| Err(Error::unsupported("str.encode: this engine has no bytes"))),
    ("endswith", |c, s, a| affix(c, s, a, "endswith", |text, part| text.ends_with(part))),
    ("expandtabs", expandtabs),
    ("find", |c, s, a| Ok(Value::int(find_in(c, s, a, "find", false)?.map_or(-1, |at| at as i64)))),
    ("format", format::str_format),
    ("format_map", format::str_format_map),
    ("index", |c, s, a| found(find_in(c, s, a, "index", false)?)),
    ("isalnum", |c, s, a| all(c, s, a, unicode::is_alphanumeric)),
    ("isalpha", |c, s, a| all(c, s, a, |c| unicode::tables().alpha.contains(c))),
    ("isascii", |_, s, a| no_arguments(a, "isascii").map(|()| Value::Bool(s.is_ascii()))),
    ("isdecimal", |c, s, a| all(c, s, a, |c| unicode::tables().decimal.contains(c))),
    ("isdigit", |c, s, a| all(c, s, a, |c| unicode::tables().digit.contains(c))),
    ("isidentifier", |_, s, a| no_arguments(a, "isidentifier").map(|()| Value::Bool(is_identifier(s)))),
    ("islower", |_, s, a| no_arguments(a, "islower").map(|()| Value::Bool(is_lower(s)))),
    ("isnumeric", |c, s, a| all(c, s, a, |c| unicode::tables().numeric.contains(c))),
    ("isprintable", |_, s, a| {
        no_arguments(a, "isprintable").map(|()| Value::Bool(s.chars().all(unicode::is_printable)))
    }),
    ("isspace", |c, s, a| all(c, s, a, unicode::is_space)),
    ("istitle", |_, s, a| no_arguments(a, "istitle").map(|()| Value::Bool(is_title(s)))),
    ("isupper", |_, s, a| no_arguments(a, "isupper").map(|()| Value::Bool(is_upper(s)))),
    ("join", join),
    ("ljust", |c, s, a| justify(c, s, a, Side::Right)),
    ("lower", |c, s, a| mapped(c, s, a, unicode::lower)),
    ("lstrip", |c, s, a| strip(c, s, a, "lstrip", true, false)),
    ("maketrans", maketrans),
    ("partition", |c, s, a| partition(c, s, a, "partition", false)),
    ("removeprefix", |c, s, a| remove(c, s, a, "removeprefix", |text, part| text.strip_prefix(part))),
    ("removesuffix", |c, s, a| remove(c, s, a, "removesuffix", |text, part| text.strip_suffix(part))),
    ("replace", replace),
    ("rfind", |c, s, a| Ok(Value::int(find_in(c, s, a, "rfind", true)?.map_or(-1, |at| at as i64)))),
    ("rindex", |c, s, a| found(find_in(c, s, a, "rindex", true)?)),
    ("rjust", |c, s, a| justify(c, s, a, Side::Left)),
    ("rpartition", |c, s, a| partition(c, s, a, "rpartition", true)),
    ("rsplit", |c, s, a| split(c, s, a, "rsplit", true)),
    ("rstrip", |c, s, a| strip(c, s, a, "rstrip", false, true)),
    ("split", |c, s, a| split(c, s, a, "split", false)),
    ("splitlines", splitlines),
    ("startswith", |c, s, a| affix(c, s, a, "startswith", |text, part| text.starts_with(part))),
    ("strip", |c, s, a| strip(c, s, a, "strip", true, true)),
    ("swapcase", |c, s, a| mapped(c, s, a, unicode::swapcase)),
    ("title", |c, s, a| mapped(c, s, a, unicode::title)),
    ("translate", translate),
    ("upper", |c, s, a| mapped(c, s, a, unicode::upper)),
    ("zfill", zfill),
];

const MARKUP_METHODS: &[(&str, StrMethod)] = &[
    ("escape", |c, _, a| {
        let [value] = exactly(a, "escape")?;
        Ok(Value::Str(text::escape(c, &value)?))
    }),
    ("striptags", |c, s, a| {
        no_arguments(a, "striptags")?;
        Ok(Value::str(super::html::strip_tags(c, s)?))
    }),
    ("unescape", |c, s, a| {
        no_arguments(a, "unescape")?;
        Ok(Value::str(super::html::unescape(c, s)?))
    }),
];

pub fn find(name: &str, markup: bool) -> Option<(&'static str, StrMethod)> {
    if let Ok(at) = METHODS.binary_search_by(|(known, _)| (*known).cmp(name)) {
        return Some(METHODS[at]);
    }
    MARKUP_METHODS.iter().find(|(known, _)| markup && *known == name).copied()
}

fn no_arguments(args: Args, function: &str) -> Result<()> {
    bind::<0>(args, function, [], 0).map(|_| ())
}

/// A new string of the same kind, paid for.
fn made(context: &mut Context, this: &Str, text: &str) -> Result<Value> {
    context.allocate(text.len())?;
    Ok(Value::text(text, this.safe))
}

fn mapped(context: &mut Context, this: &Str, args: Args, map: fn(&str) -> String) -> Result<Value> {
    no_arguments(args, "this method")?;
    context.allocate(this.len())?;
    made(context, this, &map(this))
}

/// True where there is something and all of it passes.
fn all(context: &mut Context, this: &Str, args: Args, test: fn(char) -> bool) -> Result<Value> {
    no_arguments(args, "this method")?;
    context.spend(this.len() as u64 / 32)?;
    Ok(Value::Bool(!this.is_empty() && this.chars().all(test)))
}

pub fn is_lower(text: &str) -> bool {
    let table = unicode::tables();
    !text.chars().any(|c| table.upper.contains(c) || table.titlecase.contains(c))
        && text.chars().any(|c| table.lower.contains(c))
}

pub fn is_upper(text: &str) -> bool {
    let table = unicode::tables();
    !text.chars().any(|c| table.lower.contains(c) || table.titlecase.contains(c))
        && text.chars().any(|c| table.upper.contains(c))
}

fn is_title(text: &str) -> bool {
    let table = unicode::tables();
    let (mut cased, mut inside) = (false, false);
    for c in text.chars() {
        if table.upper.contains(c) || table.titlecase.contains(c) {
            if inside {
                return false;
            }
            (cased, inside) = (true, true);
        } else if table.lower.contains(c) {
            if !inside {
                return false;
            }
            cased = true;
        } else {
            inside = false;
        }
    }
    cased
}

fn is_identifier(text: &str) -> bool {
    let table = unicode::tables();
    let mut chars = text.chars();
    chars.next().is_some_and(|c| table.identifier_start.contains(c)) && chars.all(|c| table.identifier.contains(c))
}

/// The part of a string that start and end arguments leave, with the index where it begins; None: nothing can be there.
fn window<'a>(text: &'a str, start: Option<&Value>, end: Option<&Value>) -> Result<Option<(&'a str, usize)>> {
    let bound = |value: Option<&Value>, default: i64| match value {
        None | Some(Value::None) => Ok(default),
        Some(value @ (Value::Int(_) | Value::Bool(_))) => index(value),
        Some(_) => Err(Error::type_error("slice indices must be integers or None or have an __index__ method")),
    };
    let (start, end) = (bound(start, 0)?, bound(end, i64::MAX)?);
    let length = if text.is_ascii() { text.len() } else { text.chars().count() } as i64;
    let from_end = |value: i64| if value < 0 { value.saturating_add(length).max(0) } else { value };
    let (start, end) = (from_end(start), from_end(end.min(length)));
    if start > end {
        return Ok(None);
    }
    let first = byte_of(text, start as usize);
    let last = first + byte_of(&text[first..], (end - start) as usize);
    Ok(Some((&text[first..last], start as usize)))
}

fn find_in(context: &mut Context, this: &Str, args: Args, name: &str, last: bool) -> Result<Option<usize>> {
    let [part, start, end] = bind(args, name, [POSITIONAL; 3], 1)?;
    let part = str_argument(part.unwrap_or(Value::None), name)?;
    context.spend(this.len() as u64 / 16)?;
    let Some((text, first)) = window(this, start.as_ref(), end.as_ref())? else { return Ok(None) };
    let at = if last { text.rfind(&*part) } else { text.find(&*part) };
    Ok(at.map(|at| first + if text.is_ascii() { at } else { text[..at].chars().count() }))
}

fn found(at: Option<usize>) -> Result<Value> {
    match at {
        Some(at) => Ok(Value::int(at as i64)),
        None => Err(Error::value_error("substring not found")),
    }
}

fn count(context: &mut Context, this: &Str, args: Args) -> Result<Value> {
    let [part, start, end] = bind(args, "count", [POSITIONAL; 3], 1)?;
    let part = str_argument(part.unwrap_or(Value::None), "count")?;
    context.spend(this.len() as u64 / 16)?;
    let Some((text, _)) = window(this, start.as_ref(), end.as_ref())? else { return Ok(Value::int(0)) };
    Ok(Value::int(text.matches(&*part).count() as i64))
}

fn affix(context: &mut Context, this: &Str, args: Args, name: &str, test: fn(&str, &str) -> bool) -> Result<Value> {
    let [parts, start, end] = bind(args, name, [POSITIONAL; 3], 1)?;
    let window = window(this, start.as_ref(), end.as_ref())?;
    let test = |part: &Str| window.is_some_and(|(text, _)| test(text, part));
    match parts {
        Some(Value::Str(part)) => Ok(Value::Bool(test(&part))),
        Some(Value::Tuple(parts)) => {
            for part in parts.iter() {
                context.spend(1)?;
                let Value::Str(part) = part else {
                    let given = part.type_name();
                    return Err(Error::type_error(format!("tuple for {name} must only contain str, not {given}")));
                };
                if test(part) {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        _ => Err(Error::type_error(format!("{name} first arg must be str or a tuple of str"))),
    }
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
    Both,
}

/// The fill character of a padding method; a Markup escapes it first, which may leave more than one.
fn fill(context: &mut Context, this: &Str, value: Option<Value>) -> Result<char> {
    let value = match value {
        None => return Ok(' '),
        Some(value) if this.safe => Value::Str(text::escape(context, &value)?),
        Some(value) => value,
    };
    let fill = str_argument(value, "padding")?;
    let mut chars = fill.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Ok(c),
        _ => Err(Error::type_error("The fill character must be exactly one character long")),
    }
}

fn justify(context: &mut Context, this: &Str, args: Args, side: Side) -> Result<Value> {
    let [width, filler] = bind(args, "padding", [POSITIONAL; 2], 1)?;
    let filler = fill(context, this, filler)?;
    let width = size(&width.unwrap_or(Value::None))?.max(0) as usize;
    let padded = pad(context, this, width, filler, side)?;
    Ok(Value::text(padded, this.safe))
}

fn pad(context: &mut Context, text: &str, width: usize, filler: char, side: Side) -> Result<String> {
    let margin = width.saturating_sub(text.chars().count());
    let left = match side {
        Side::Left => margin,
        Side::Right => 0,
        Side::Both => margin / 2 + (margin & width & 1),
    };
    context.allocate(text.len().saturating_add(margin.saturating_mul(filler.len_utf8())))?;
    let run = |count: usize| std::iter::repeat_n(filler, count);
    Ok(run(left).chain(text.chars()).chain(run(margin - left)).collect())
}

/// str.center with spaces
pub fn center(context: &mut Context, text: &Str, width: usize) -> Result<Value> {
    Ok(Value::text(pad(context, text, width, ' ', Side::Both)?, text.safe))
}

fn zfill(context: &mut Context, this: &Str, args: Args) -> Result<Value> {
    let [width] = exactly(args, "zfill")?;
    let width = size(&width)?.max(0) as usize;
    let margin = width.saturating_sub(this.chars().count());
    context.allocate(this.len().saturating_add(margin))?;
    let digits = this.trim_start_matches(['+', '-']);
    let sign = if this.len() > digits.len() { &this[..1] } else { "" };
    made(context, this, &format!("{sign}{}{}", "0".repeat(margin), &this[sign.len()..]))
}

fn expandtabs(context: &mut Context, this: &Str, args: Args) -> Result<Value> {
    let [tab] = bind(args, "expandtabs", ["tabsize"], 0)?;
    let tab = match tab {
        None => 8,
        Some(value) => c_int(&value)?.max(0) as usize,
    };
    let tabs = this.matches('\t').count();
    context.allocate(this.len().saturating_add(tabs.saturating_mul(tab)))?;
    let mut out = String::with_capacity(this.len());
    let mut column = 0;
    for c in this.chars() {
        if c == '\t' {
            if tab > 0 {
                let width = tab - column % tab;
                out.extend(std::iter::repeat_n(' ', width));
                column += width;
            }
            continue;
        }
        out.push(c);
        column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
    }
    Ok(Value::text(out, this.safe))
}

fn join(context: &mut Context, this: &Str, args: Args) -> Result<Value> {
    let [items] = exactly(args, "join")?;
    let mut iter = match iterate::iterate(context, &items) {
        Err(error) if error.is("TypeError") => return Err(Error::type_error("can only join an iterable")),
        other => other?,
    };
    let mut out = String::new();
    let mut first = true;
    while let Some(item) = iter.next(context)? {
        let part = match item {
            item if this.safe => text::escape(context, &item)?,
            Value::Str(text) => text,
            other => {
                return Err(Error::type_error(format!(
                    "sequence item: expected str instance, {} found",
                    other.type_name()
                )))
            }
        };
        if !first {
            context.allocate(this.len())?;
            out.push_str(this);
        }
        first = false;
        context.allocate(part.len())?;
        out.push_str(&part);
    }
    Ok(Value::text(out, this.safe))
}

fn strip(context: &mut Context, this: &Str, args: Args, name: &str, left: bool, right: bool) -> Result<Value> {
    let [chars] = bind(args, name, [POSITIONAL], 0)?;
    strip_chars(context, this, chars, left, right)
}

/// strip() of what is in `chars`, or of white space.
pub fn strip_chars(context: &mut Context, this: &Str, chars: Option<Value>, left: bool, right: bool) -> Result<Value> {
    let set: Option<Str> = match chars {
        None | Some(Value::None) => None,
        Some(Value::Str(chars)) => Some(chars),
        Some(_) => return Err(Error::type_error("strip arg must be None or str")),
    };
    let cost = set.as_ref().map_or(1, |set| set.len() as u64);
    context.spend((this.len() as u64 / 32).saturating_mul(1 + cost / 8))?;
    let strips = |c: char| match &set {
        None => unicode::is_space(c),
        Some(set) => set.contains(c),
    };
    let mut text: &str = this;
    if left {
        text = text.trim_start_matches(strips);
    }
    if right {
        text = text.trim_end_matches(strips);
    }
    if text.len() == this.len() {
        return Ok(Value::Str(this.clone()));
    }
    made(context, this, text)
}

fn remove(
    context: &mut Context,
    this: &Str,
    args: Args,
    name: &str,
    cut: for<'a> fn(&'a str, &str) -> Option<&'a str>,
) -> Result<Value> {
    let names = if this.safe && name == "removesuffix" { ["suffix"] } else { [POSITIONAL] };
    let [part] = bind(args, name, names, 1)?;
    let part = str_argument(part.unwrap_or(Value::None), name)?;
    match cut(this, &part) {
        Some(rest) => made(context, this, rest),
        None => Ok(Value::Str(this.clone())),
    }
}

fn replace(context: &mut Context, this: &Str, args: Args) -> Result<Value> {
    let [old, new, count] = bind(args, "replace", [POSITIONAL; 3], 2)?;
    let old = str_argument(old.unwrap_or(Value::None), "replace")?;
    let new = match new.unwrap_or(Value::None) {
        new if this.safe => text::escape(context, &new)?,
        new => str_argument(new, "replace")?,
    };
    let count = match count {
        None => -1,
        Some(count) => size(&count)?,
    };
    replace_text(context, this, &old, &new, count)
}

/// str.replace; a negative count: all.
pub fn replace_text(context: &mut Context, this: &Str, old: &str, new: &str, count: i64) -> Result<Value> {
    context.spend(this.len() as u64 / 16)?;
    let limit = usize::try_from(count).unwrap_or(usize::MAX);
    let matches = this.matches(old).take(limit).count();
    if matches == 0 {
        return Ok(Value::Str(this.clone()));
    }
    context.allocate(this.len().saturating_add(matches.saturating_mul(new.len())))?;
    Ok(Value::text(this.replacen(old, new, limit), this.safe))
}

fn pieces(context: &mut Context, this: &Str, parts: Vec<&str>) -> Result<Value> {
    context.allocate(this.len() + parts.len() * (std::mem::size_of::<Value>() + 16))?;
    context.spend(parts.len() as u64)?;
    Value::list(parts.into_iter().map(|part| Value::text(part, this.safe)).collect())
}

fn split(context: &mut Context, this: &Str, args: Args, name: &str, from_end: bool) -> Result<Value> {
    let [separator, limit] = bind(args, name, ["sep", "maxsplit"], 0)?;
    let limit = match limit {
        None => usize::MAX,
        Some(value) => usize::try_from(size(&value)?).unwrap_or(usize::MAX),
    };
    context.spend(this.len() as u64 / 16)?;
    let parts: Vec<&str> = match separator {
        None | Some(Value::None) if from_end => rsplit_spaces(this, limit),
        None | Some(Value::None) => split_spaces(this, limit),
        Some(Value::Str(separator)) => {
            if separator.is_empty() {
                return Err(Error::value_error("empty separator"));
            }
            if from_end {
                let mut parts: Vec<&str> = this.rsplitn(limit.saturating_add(1), &*separator).collect();
                parts.reverse();
                parts
            } else {
                this.splitn(limit.saturating_add(1), &*separator).collect()
            }
        }
        Some(other) => {
            return Err(Error::type_error(format!("must be str or None, not {}", other.type_name())));
        }
    };
    pieces(context, this, parts)
}

pub fn split_spaces(text: &str, limit: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start_matches(unicode::is_space);
    while !rest.is_empty() {
        if parts.len() == limit {
            parts.push(rest);
            break;
        }
        let end = rest.find(unicode::is_space).unwrap_or(rest.len());
        parts.push(&rest[..end]);
        rest = rest[end..].trim_start_matches(unicode::is_space);
    }
    parts
}

fn rsplit_spaces(text: &str, limit: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_end_matches(unicode::is_space);
    while !rest.is_empty() {
        if parts.len() == limit {
            parts.push(rest);
            break;
        }
        let start =
            rest.char_indices().rev().find(|(_, c)| unicode::is_space(*c)).map_or(0, |(at, c)| at + c.len_utf8());
        parts.push(&rest[start..]);
        rest = rest[..start].trim_end_matches(unicode::is_space);
    }
    parts.reverse();
    parts
}

fn splitlines(context: &mut Context, this: &Str, args: Args) -> Result<Value> {
    let [keep] = bind(args, "splitlines", ["keepends"], 0)?;
    let keep = keep.as_ref().map_or(Ok(0), c_int)? != 0;
    context.spend(this.len() as u64 / 16)?;
    pieces(context, this, lines(this, keep))
}

pub fn lines(text: &str, keep: bool) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (end, next) = match rest.find(unicode::is_line_break) {
            None => (rest.len(), rest.len()),
            Some(at) if rest[at..].starts_with("\r\n") => (at, at + 2),
            Some(at) => (at, at + rest[at..].chars().next().map_or(0, char::len_utf8)),
        };
        lines.push(&rest[..if keep { next } else { end }]);
        rest = &rest[next..];
    }
    lines
}

fn partition(context: &mut Context, this: &Str, args: Args, name: &str, last: bool) -> Result<Value> {
    let [separator] = exactly(args, name)?;
    let separator = str_argument(separator, name)?;
    if separator.is_empty() {
        return Err(Error::value_error("empty separator"));
    }
    context.allocate(this.len())?;
    let parts = if last { this.rsplit_once(&*separator) } else { this.split_once(&*separator) };
    let (head, middle, tail) = match parts {
        Some((head, tail)) => (head, &*separator, tail),
        None if last => ("", "", &**this),
        None => (&**this, "", ""),
    };
    Value::tuple([head, middle, tail].map(|part| Value::text(part, this.safe)).into())
}

fn one_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

fn maketrans(context: &mut Context, _this: &Str, args: Args) -> Result<Value> {
    let [from, to, removed] = bind(args, "maketrans", [POSITIONAL; 3], 1)?;
    let mut table = Dict::new();
    let code = |c: char| Value::int(c as i64);
    match (from, to) {
        (Some(Value::Dict(dict)), None) => {
            for (key, value) in dict.iter() {
                let key = match key {
                    Value::Str(text) => code(
                        one_char(text)
                            .ok_or_else(|| Error::value_error("string keys in translate table must be of length 1"))?,
                    ),
                    Value::Int(_) | Value::Bool(_) => key.clone(),
                    _ => return Err(Error::type_error("keys in translate table must be strings or integers")),
                };
                table.insert(context, key, value.clone())?;
            }
        }
        (Some(_), None) => {
            return Err(Error::type_error("if you give only one argument to maketrans it must be a dict"));
        }
        (Some(from), Some(to)) => {
            let (from, to) = (str_argument(from, "maketrans")?, str_argument(to, "maketrans")?);
            if from.chars().count() != to.chars().count() {
                return Err(Error::value_error("the first two maketrans arguments must have equal length"));
            }
            for (from, to) in from.chars().zip(to.chars()) {
                table.insert(context, code(from), code(to))?;
            }
            if let Some(removed) = removed {
                for c in str_argument(removed, "maketrans")?.chars() {
                    table.insert(context, code(c), Value::None)?;
                }
            }
        }
        (None, _) => return Err(Error::type_error("maketrans expects at least 1 argument")),
    }
    Ok(Value::Dict(Rc::new(table)))
}

fn translate(context: &mut Context, this: &Str, args: Args) -> Result<Value> {
    let [table] = exactly(args, "translate")?;
    let mut out = String::with_capacity(this.len());
    for c in this.chars() {
        context.spend(1)?;
        match access::subscript(context, &table, &Value::int(c as i64)) {
            Err(error) if error.is_lookup() => out.push(c),
            Err(error) => return Err(error),
            Ok(Value::None) => {}
            Ok(Value::Str(text)) => {
                context.allocate(text.len())?;
                out.push_str(&text);
            }
            Ok(Value::Int(Int::Small(code))) => out.push(code_point(code)?),
            Ok(Value::Bool(code)) => out.push(code_point(i64::from(code))?),
            Ok(_) => return Err(Error::type_error("character mapping must return integer, None or str")),
        }
    }
    made(context, this, &out)
}

/// chr()
pub fn code_point(code: i64) -> Result<char> {
    match u32::try_from(code) {
        Ok(code) if code < 0x110000 => {
            char::from_u32(code).ok_or_else(|| Error::unsupported("a lone surrogate, which UTF-8 text cannot hold"))
        }
        _ => Err(Error::value_error("the code point is not below 0x110000")),
    }
}
