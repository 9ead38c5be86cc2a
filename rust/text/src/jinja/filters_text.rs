//! Filters over text.

use super::args::{bind, flag, index};
use super::context::Context;
use super::error::{Error, Result};
use super::filters_select::Getter;
use super::filters_sequence::separates_words;
use super::ops::{self, Binary, Comparison};
use super::text::{escape, soft_str, str_of};
use super::value::{Args, Str, Value};
use super::{access, html, iterate, methods_str, percent, textwrap, unicode};
use std::rc::Rc;

fn soft_argument(context: &mut Context, args: Args, name: &str, parameter: &str) -> Result<Str> {
    let [value] = bind(args, name, [parameter], 1)?;
    soft_str(context, &value.unwrap_or(Value::None))
}

fn mapped(context: &mut Context, text: &Str, map: fn(&str) -> String) -> Result<Value> {
    context.allocate(text.len() * 2)?;
    Ok(Value::text(map(text), text.safe))
}

pub fn upper(context: &mut Context, args: Args) -> Result<Value> {
    let text = soft_argument(context, args, "upper", "s")?;
    mapped(context, &text, unicode::upper)
}

pub fn lower(context: &mut Context, args: Args) -> Result<Value> {
    let text = soft_argument(context, args, "lower", "s")?;
    mapped(context, &text, unicode::lower)
}

pub fn capitalize(context: &mut Context, args: Args) -> Result<Value> {
    let text = soft_argument(context, args, "capitalize", "s")?;
    mapped(context, &text, unicode::capitalize)
}

/// Words begin after white space, '-' and opening brackets, unlike in str.title.
pub fn title(context: &mut Context, args: Args) -> Result<Value> {
    let text = soft_argument(context, args, "title", "s")?;
    context.allocate(text.len() * 2)?;
    let mut out = String::with_capacity(text.len());
    let mut rest: &str = &text;
    while let Some(first) = rest.chars().next() {
        let separators = separates_words(first);
        let end = rest.find(|c| separates_words(c) != separators).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let (head, tail) = word.split_at(first.len_utf8());
        out.push_str(&unicode::upper(head));
        out.push_str(&unicode::lower(tail));
        rest = after;
    }
    Ok(Value::str(out))
}

pub fn trim(context: &mut Context, args: Args) -> Result<Value> {
    let [value, chars] = bind(args, "trim", ["value", "chars"], 1)?;
    let text = soft_str(context, &value.unwrap_or(Value::None))?;
    methods_str::strip_chars(context, &text, chars, true, true)
}

pub fn center(context: &mut Context, args: Args) -> Result<Value> {
    let [value, width] = bind(args, "center", ["value", "width"], 1)?;
    let text = soft_str(context, &value.unwrap_or(Value::None))?;
    let width = width.as_ref().map_or(Ok(80), super::args::size)?;
    methods_str::center(context, &text, width.max(0) as usize)
}

pub fn safe(context: &mut Context, args: Args) -> Result<Value> {
    let [value] = bind(args, "safe", ["value"], 1)?;
    let text = str_of(context, &value.unwrap_or(Value::None))?;
    Ok(Value::Str(Str { text: text.text, safe: true }))
}

pub fn forceescape(context: &mut Context, args: Args) -> Result<Value> {
    let [value] = bind(args, "forceescape", ["value"], 1)?;
    let text = str_of(context, &value.unwrap_or(Value::None))?;
    Ok(Value::text(html::escape(context, &text)?, true))
}

pub fn striptags(context: &mut Context, args: Args) -> Result<Value> {
    let [value] = bind(args, "striptags", ["value"], 1)?;
    let text = str_of(context, &value.unwrap_or(Value::None))?;
    Ok(Value::str(html::strip_tags(context, &text)?))
}

/// value % arguments
pub fn format(context: &mut Context, mut args: Args) -> Result<Value> {
    if args.positional.is_empty() || args.named.iter().any(|(name, _)| **name == *"value") {
        return Err(Error::type_error("format() got multiple values for argument 'value'"));
    }
    let value = args.positional.remove(0);
    if !args.positional.is_empty() && !args.named.is_empty() {
        let message = "can't handle positional and keyword arguments at the same time";
        return Err(Error::runtime("FilterArgumentError", message));
    }
    let text = soft_str(context, &value)?;
    let values = if args.named.is_empty() {
        Value::tuple(args.positional)?
    } else {
        let mut dict = super::dict::Dict::new();
        for (name, value) in args.named {
            dict.insert_str(&*name, value)?;
        }
        Value::Dict(Rc::new(dict))
    };
    Ok(Value::Str(percent::format(context, &text, &values)?))
}

pub fn replace(context: &mut Context, args: Args) -> Result<Value> {
    let [s, old, new, count] = bind(args, "replace", ["s", "old", "new", "count"], 3)?;
    let [s, old, new] = [s, old, new].map(|value| value.unwrap_or(Value::None));
    let count = match count {
        None | Some(Value::None) => -1,
        Some(count) => super::args::size(&count)?,
    };
    if !context.autoescape {
        let (s, old, new) = (str_of(context, &s)?, str_of(context, &old)?, str_of(context, &new)?);
        return methods_str::replace_text(context, &s, &old, &new, count);
    }
    let is_safe = |value: &Value| matches!(value, Value::Str(text) if text.safe);
    let s =
        if is_safe(&old) || (is_safe(&new) && !is_safe(&s)) { escape(context, &s)? } else { soft_str(context, &s)? };
    let (old, new) = (soft_str(context, &old)?, soft_str(context, &new)?);
    let new = if s.safe { escape(context, &Value::Str(new))? } else { new };
    methods_str::replace_text(context, &s, &old, &new, count)
}

/// separator.join(parts), for strs of both kinds.
pub fn join_text(context: &mut Context, separator: &Str, parts: &[Str]) -> Result<Str> {
    let mut out = String::new();
    for (at, part) in parts.iter().enumerate() {
        let part = if separator.safe { escape(context, &Value::Str(part.clone()))? } else { part.clone() };
        context.allocate(part.len() + separator.len())?;
        if at > 0 {
            out.push_str(separator);
        }
        out.push_str(&part);
    }
    Ok(Str { text: Rc::from(out), safe: separator.safe })
}

pub fn join(context: &mut Context, args: Args) -> Result<Value> {
    let [value, separator, attribute] = bind(args, "join", ["value", "d", "attribute"], 1)?;
    let value = value.unwrap_or(Value::None);
    let separator = separator.unwrap_or_else(|| Value::str(""));
    let getter = match attribute {
        None | Some(Value::None) => None,
        Some(attribute) => Some(Getter::new(context, &attribute, false, None)?),
    };
    let plain = !context.autoescape;
    let mut items = iterate::iterate(context, &value)?;
    let mut parts = Vec::new();
    while let Some(item) = items.next(context)? {
        let item = match &getter {
            Some(getter) => getter.get(context, &item)?,
            None => item,
        };
        parts.push(if plain { str_of(context, &item)? } else { soft_str(context, &item)? });
    }
    let separator = if plain { str_of(context, &separator)? } else { soft_str(context, &separator)? };
    let separator = match parts.iter().any(|part| part.safe) {
        true => escape(context, &Value::Str(separator))?,
        false => separator,
    };
    join_text(context, &separator, &parts).map(Value::Str)
}

pub fn indent(context: &mut Context, args: Args) -> Result<Value> {
    let [s, width, first, blank] = bind(args, "indent", ["s", "width", "first", "blank"], 1)?;
    let (first, blank) = (flag(context, first, false)?, flag(context, blank, false)?);
    let mut indention = match width {
        None => Str::from("    "),
        Some(Value::Str(width)) => width,
        Some(width) => {
            let Value::Str(spaces) = ops::binary(context, Binary::Mul, &Value::str(" "), &width)? else {
                return Err(Error::type_error("the indentation must be an integer or a string"));
            };
            spaces
        }
    };
    let s = match s.unwrap_or(Value::None) {
        Value::Str(text) => text,
        Value::Undefined(undefined) => return Err(undefined.used()),
        other => return Err(Error::type_error(format!("cannot indent '{}'", other.type_name()))),
    };
    indention.safe |= s.safe;
    let newline = Str { text: Rc::from("\n"), safe: s.safe };
    let whole = add(context, &s, &newline)?;
    context.spend(whole.len() as u64 / 16)?;
    let lines: Vec<Str> =
        methods_str::lines(&whole, false).iter().map(|line| Str { text: Rc::from(*line), safe: s.safe }).collect();
    let mut result = if blank {
        let separator = add(context, &newline, &indention)?;
        join_text(context, &separator, &lines)?
    } else {
        let mut result = lines[0].clone();
        if lines.len() > 1 {
            let mut rest = Vec::with_capacity(lines.len());
            for line in &lines[1..] {
                rest.push(if line.is_empty() { line.clone() } else { add(context, &indention, line)? });
            }
            let rest = join_text(context, &newline, &rest)?;
            result = add(context, &result, &newline)?;
            result = add(context, &result, &rest)?;
        }
        result
    };
    if first {
        result = add(context, &indention, &result)?;
    }
    Ok(Value::Str(result))
}

fn add(context: &mut Context, a: &Str, b: &Str) -> Result<Str> {
    match ops::binary(context, Binary::Add, &Value::Str(a.clone()), &Value::Str(b.clone()))? {
        Value::Str(text) => Ok(text),
        other => Err(Error::type_error(other.type_name())),
    }
}

pub fn truncate(context: &mut Context, args: Args) -> Result<Value> {
    let names = ["s", "length", "killwords", "end", "leeway"];
    let [s, length, killwords, end, leeway] = bind(args, "truncate", names, 1)?;
    let s = s.unwrap_or(Value::None);
    let length = length.unwrap_or_else(|| Value::int(255));
    let end = end.unwrap_or_else(|| Value::str("..."));
    let leeway = leeway.filter(|leeway| !matches!(leeway, Value::None)).unwrap_or_else(|| Value::int(5));
    let end_length = Value::int(iterate::length(context, &end)? as i64);
    if !ops::compare(context, Comparison::Ge, &length, &end_length)? {
        return Err(Error::runtime("AssertionError", "the length is less than that of the end"));
    }
    if !ops::compare(context, Comparison::Ge, &leeway, &Value::int(0))? {
        return Err(Error::runtime("AssertionError", "expected leeway >= 0"));
    }
    let size = Value::int(iterate::length(context, &s)? as i64);
    let allowed = ops::binary(context, Binary::Add, &length, &leeway)?;
    if ops::compare(context, Comparison::Le, &size, &allowed)? {
        return Ok(s);
    }
    let kept = ops::binary(context, Binary::Sub, &length, &end_length)?;
    let killwords = flag(context, killwords, false)?;
    let cut = access::subscript(context, &s, &access::slice(None, Some(kept), None))?;
    if killwords {
        return ops::binary(context, Binary::Add, &cut, &end);
    }
    let Value::Str(cut) = cut else {
        return Err(Error::runtime("AttributeError", format!("'{}' object has no attribute 'rsplit'", s.type_name())));
    };
    let words = cut.rsplit_once(' ').map_or(&*cut, |(before, _)| before);
    ops::binary(context, Binary::Add, &Value::text(words, cut.safe), &end)
}

pub fn wordcount(context: &mut Context, args: Args) -> Result<Value> {
    let text = soft_argument(context, args, "wordcount", "s")?;
    context.spend(text.len() as u64 / 8)?;
    let mut inside = false;
    let mut count = 0;
    for c in text.chars() {
        let word = unicode::is_word(c);
        count += i64::from(word && !inside);
        inside = word;
    }
    Ok(Value::int(count))
}

pub fn wordwrap(context: &mut Context, args: Args) -> Result<Value> {
    let names = ["s", "width", "break_long_words", "wrapstring", "break_on_hyphens"];
    let [s, width, long, wrapstring, hyphens] = bind(args, "wordwrap", names, 1)?;
    let Value::Str(text) = s.unwrap_or(Value::None) else {
        return Err(Error::runtime("AttributeError", "wordwrap needs a string"));
    };
    let wrapstring = match wrapstring {
        None | Some(Value::None) => Str::from("\n"),
        Some(Value::Str(wrapstring)) => wrapstring,
        Some(other) => {
            let name = other.type_name();
            return Err(Error::runtime("AttributeError", format!("'{name}' object has no attribute 'join'")));
        }
    };
    let lines = methods_str::lines(&text, false);
    if lines.is_empty() {
        return Ok(Value::text("", wrapstring.safe));
    }
    let (width, is_whole) = match width {
        None => (79.0, true),
        Some(Value::Float(width)) => (width, false),
        Some(width) => (index(&width)? as f64, true),
    };
    let options = textwrap::Options {
        width,
        is_whole,
        break_long_words: flag(context, long, true)?,
        break_on_hyphens: flag(context, hyphens, true)?,
    };
    let mut wrapped = Vec::with_capacity(lines.len());
    for line in lines {
        let parts = textwrap::wrap(context, line, &options)?;
        let parts: Vec<Str> = parts.into_iter().map(Str::from).collect();
        wrapped.push(join_text(context, &wrapstring, &parts)?);
    }
    join_text(context, &wrapstring, &wrapped).map(Value::Str)
}

pub fn xmlattr(context: &mut Context, args: Args) -> Result<Value> {
    let [d, autospace] = bind(args, "xmlattr", ["d", "autospace"], 1)?;
    let autospace = flag(context, autospace, true)?;
    let dict = match d.unwrap_or(Value::None) {
        Value::Dict(dict) => dict,
        Value::Undefined(undefined) => return Err(undefined.used()),
        other => {
            let name = other.type_name();
            return Err(Error::runtime("AttributeError", format!("'{name}' object has no attribute 'items'")));
        }
    };
    let mut out = String::new();
    for (key, value) in dict.iter() {
        if matches!(value, Value::None | Value::Undefined(_)) {
            continue;
        }
        let Value::Str(name) = key else {
            return Err(Error::type_error("expected string or bytes-like object"));
        };
        if name.contains(|c: char| matches!(c, '\t'..='\r' | ' ' | '/' | '>' | '=')) {
            return Err(Error::value_error("Invalid character in attribute name"));
        }
        let (name, value) = (escape(context, key)?, escape(context, value)?);
        context.allocate(name.len() + value.len() + 4)?;
        if autospace || !out.is_empty() {
            out.push(' ');
        }
        for part in [&*name, "=\"", &*value, "\""] {
            out.push_str(part);
        }
    }
    Ok(Value::text(out, context.autoescape))
}
