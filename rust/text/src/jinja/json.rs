//! JSON in and out: the variables of a template, and json.dumps.

use super::args::{self, bind, flag};
use super::context::Context;
use super::dict::Dict;
use super::error::{Error, Result};
use super::filters_select::sorted_by;
use super::int::{Int, MAX_DIGITS};
use super::value::{Args, Str, Value};
use super::{float, iterate, ops};
use num_bigint::BigInt;
use std::rc::Rc;

/// The one key of an object that stands for a number beyond what serde_json::Number holds.
const NUMBER: &str = "\u{0}number";

/// Reads JSON without a loss: ints of any size, -0 as an int, and floats beyond the largest stay what they are
/// (for value_from_json; is_number tells such objects from the request's own).
pub fn parse(text: &str) -> std::result::Result<serde_json::Value, String> {
    let mut exact = String::new();
    let mut count = 0;
    let mut copied = 0;
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = string_end(bytes, at),
            b'-' | b'0'..=b'9' => {
                let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                let end = at + bytes[at..].iter().take_while(is_part).count();
                let token = &text[at..end];
                if is_json_number(token) && !is_kept(token) {
                    exact.push_str(&text[copied..at]);
                    exact.push_str(&format!("{{\"\\u0000number\":\"{token}\"}}"));
                    (count, copied) = (count + 1, end);
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    exact.push_str(&text[copied..]);
    let value: serde_json::Value = serde_json::from_str(&exact).map_err(|error| error.to_string())?;
    if text.contains("\\u0000") && numbers_in(&value) != count {
        return Err("an object with a key of its own kind, for numbers".to_string());
    }
    Ok(value)
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

fn is_json_number(token: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = token.strip_prefix('-').unwrap_or(token);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    digits(whole)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

fn is_float(token: &str) -> bool {
    token.contains(['.', 'e', 'E'])
}

/// Whether serde_json reads the number as Python does.
fn is_kept(token: &str) -> bool {
    if is_float(token) {
        return token.parse::<f64>().is_ok_and(f64::is_finite);
    }
    token != "-0" && (token.parse::<i64>().is_ok() || token.parse::<u64>().is_ok())
}

/// Whether parse made this object of a number.
pub fn is_number(value: &serde_json::Value) -> bool {
    value.as_object().is_some_and(|fields| fields.contains_key(NUMBER))
}

fn numbers_in(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(items) => items.iter().map(numbers_in).sum(),
        serde_json::Value::Object(_) if is_number(value) => 1,
        serde_json::Value::Object(fields) => fields.values().map(numbers_in).sum(),
        _ => 0,
    }
}

/// As Python's json.loads reads it.
pub fn value_from_json(json: &serde_json::Value) -> Result<Value> {
    Ok(match json {
        serde_json::Value::Null => Value::None,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => number_from_json(number)?,
        serde_json::Value::String(text) => Value::str(text),
        serde_json::Value::Array(items) => Value::list(items.iter().map(value_from_json).collect::<Result<_>>()?)?,
        serde_json::Value::Object(fields) => {
            if let Some(token) = fields.get(NUMBER).and_then(serde_json::Value::as_str) {
                return number_from_token(token);
            }
            let mut dict = Dict::with_capacity(fields.len());
            for (key, value) in fields {
                dict.insert_str(key.as_str(), value_from_json(value)?)?;
            }
            Value::Dict(Rc::new(dict))
        }
    })
}

fn number_from_json(number: &serde_json::Number) -> Result<Value> {
    if let Some(value) = number.as_i64() {
        return Ok(Value::int(value));
    }
    if let Some(value) = number.as_u64() {
        return Ok(Value::Int(Int::from(BigInt::from(value))));
    }
    number.as_f64().map(Value::Float).ok_or_else(|| Error::value_error("a number beyond floats"))
}

fn number_from_token(token: &str) -> Result<Value> {
    let unreadable = || Error::value_error("a number that cannot be read");
    if is_float(token) {
        return token.parse().map(Value::Float).map_err(|_| unreadable());
    }
    if token.trim_start_matches('-').len() > MAX_DIGITS {
        return Err(Error::value_error(format!("an int of more than {MAX_DIGITS} digits")));
    }
    BigInt::parse_bytes(token.as_bytes(), 10).map(|value| Value::Int(Int::from(value))).ok_or_else(unreadable)
}

/// tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False): json.dumps with these.
pub fn filter(context: &mut Context, args: Args) -> Result<Value> {
    let names = ["x", "ensure_ascii", "indent", "separators", "sort_keys"];
    let [value, ascii, indent, separators, sort_keys] = bind(args, "tojson", names, 1)?;
    // Of a str alone, Python looks at neither indent nor separators, but that these are two.
    let plain = matches!(value, Some(Value::Str(_)));
    let indent = match indent {
        _ if plain => None,
        None | Some(Value::None) => None,
        Some(Value::Str(indent)) => Some(indent.to_string()),
        Some(width @ (Value::Int(_) | Value::Bool(_))) => {
            let width = args::size(&width)?.max(0) as usize;
            context.allocate(width)?;
            Some(" ".repeat(width))
        }
        Some(other) => return Err(Error::type_error(format!("can't indent by '{}'", other.type_name()))),
    };
    let (item, key) = match separators {
        None | Some(Value::None) => {
            let item = if indent.is_none() { ", " } else { "," };
            (Str::from(item), Str::from(": "))
        }
        Some(pair) => match iterate::unpack(context, &pair, 2)?.as_slice() {
            [Value::Str(item), Value::Str(key)] => (item.clone(), key.clone()),
            _ if plain => (Str::from(""), Str::from("")),
            _ => return Err(Error::type_error("the separators must be two strings")),
        },
    };
    let mut writer = Writer {
        out: String::new(),
        ascii: flag(context, ascii, false)?,
        sort_keys: flag(context, sort_keys, false)?,
        indent,
        item,
        key,
    };
    writer.value(context, &value.unwrap_or(Value::None), 0)?;
    Ok(Value::str(writer.out))
}

struct Writer {
    out: String,
    ascii: bool,
    sort_keys: bool,
    /// None: everything on one line.
    indent: Option<String>,
    item: Str,
    key: Str,
}

impl Writer {
    fn push(&mut self, context: &mut Context, text: &str) -> Result<()> {
        context.allocate(text.len())?;
        self.out.push_str(text);
        Ok(())
    }

    fn new_line(&mut self, context: &mut Context, level: usize) -> Result<()> {
        let Some(indent) = &self.indent else { return Ok(()) };
        context.allocate(indent.len().saturating_mul(level).saturating_add(1))?;
        self.out.push('\n');
        for _ in 0..level {
            self.out.push_str(indent);
        }
        Ok(())
    }

    fn value(&mut self, context: &mut Context, value: &Value, level: usize) -> Result<()> {
        context.spend(1)?;
        match value {
            Value::None => self.push(context, "null"),
            Value::Bool(true) => self.push(context, "true"),
            Value::Bool(false) => self.push(context, "false"),
            Value::Str(text) => {
                let text = quoted(text, self.ascii);
                self.push(context, &text)
            }
            Value::Int(int) => {
                let text = int.to_decimal(context)?;
                self.push(context, &text)
            }
            Value::Float(float) => self.push(context, &float_text(*float)),
            Value::List(items) | Value::Tuple(items) => self.list(context, items, level),
            Value::Dict(dict) => self.dict(context, dict, level),
            other => Err(Error::type_error(format!("Object of type {} is not JSON serializable", other.type_name()))),
        }
    }

    fn list(&mut self, context: &mut Context, items: &[Value], level: usize) -> Result<()> {
        if items.is_empty() {
            return self.push(context, "[]");
        }
        self.push(context, "[")?;
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                let separator = self.item.clone();
                self.push(context, &separator)?;
            }
            self.new_line(context, level + 1)?;
            self.value(context, item, level + 1)?;
        }
        self.new_line(context, level)?;
        self.push(context, "]")
    }

    fn dict(&mut self, context: &mut Context, dict: &Dict, level: usize) -> Result<()> {
        if dict.is_empty() {
            return self.push(context, "{}");
        }
        let mut entries: Vec<(Value, Value)> = Vec::new();
        if self.sort_keys {
            let keyed = dict.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
            entries = sorted_by(context, keyed, &mut ops::less)?;
        }
        let sorted = entries.iter().map(|(key, value)| (key, value));
        let entries: Vec<(&Value, &Value)> = if self.sort_keys { sorted.collect() } else { dict.iter().collect() };
        self.push(context, "{")?;
        for (at, (key, value)) in entries.into_iter().enumerate() {
            if at > 0 {
                let separator = self.item.clone();
                self.push(context, &separator)?;
            }
            self.new_line(context, level + 1)?;
            let key = quoted(&key_text(context, key)?, self.ascii);
            self.push(context, &key)?;
            let separator = self.key.clone();
            self.push(context, &separator)?;
            self.value(context, value, level + 1)?;
        }
        self.new_line(context, level)?;
        self.push(context, "}")
    }
}

fn float_text(float: f64) -> String {
    if float.is_nan() {
        "NaN".to_string()
    } else if float.is_infinite() {
        if float > 0.0 { "Infinity" } else { "-Infinity" }.to_string()
    } else {
        float::repr(float)
    }
}

fn key_text(context: &mut Context, key: &Value) -> Result<String> {
    Ok(match key {
        Value::Str(text) => text.to_string(),
        Value::Bool(true) => "true".to_string(),
        Value::Bool(false) => "false".to_string(),
        Value::None => "null".to_string(),
        Value::Int(int) => int.to_decimal(context)?,
        Value::Float(float) => float_text(*float),
        other => {
            let name = other.type_name();
            return Err(Error::type_error(format!("keys must be str, int, float, bool or None, not {name}")));
        }
    })
}

fn quoted(text: &str, ascii: bool) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            c if !ascii && c >= '\x7f' => out.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
    out
}
