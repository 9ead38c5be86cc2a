//! format % values

use super::context::Context;
use super::error::{Error, Result};
use super::float;
use super::format_spec::{checked_precision, float_text};
use super::int::Int;
use super::methods_str::code_point;
use super::ops::Number;
use super::value::{Str, Value};
use super::{access, html, number, text};
use std::rc::Rc;

/// Where the values come from.
struct Values {
    values: Value,
    /// %(key)s may be used, and values may be left over.
    mapping: Option<Value>,
    /// `values` is one value even where it is a tuple: what the last %(key) found.
    keyed: bool,
    /// How many were taken.
    taken: usize,
    /// The format is a Markup: what goes in is escaped.
    safe: bool,
}

#[derive(Default)]
struct Conversion {
    left: bool,
    plus: bool,
    blank: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
    kind: char,
}

pub fn format(context: &mut Context, format: &Str, values: &Value) -> Result<Str> {
    let is_mapping = matches!(values, Value::Dict(_) | Value::List(_) | Value::Range(_) | Value::Undefined(_));
    let mapping = is_mapping.then(|| values.clone());
    let mut values = Values { values: values.clone(), mapping, keyed: false, taken: 0, safe: format.safe };
    let mut out = String::new();
    let mut rest: &str = format;
    while let Some(at) = rest.find('%') {
        context.spend(1)?;
        context.allocate(at)?;
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let piece = conversion(context, &mut rest, &mut values)?;
        context.allocate(piece.len())?;
        out.push_str(&piece);
    }
    context.allocate(rest.len())?;
    out.push_str(rest);
    if values.mapping.is_none() && values.is_left_over() {
        return Err(Error::type_error("not all arguments converted during string formatting"));
    }
    Ok(Str { text: Rc::from(out), safe: format.safe })
}

impl Values {
    fn is_left_over(&self) -> bool {
        match &self.values {
            Value::Tuple(items) if !self.keyed => self.taken < items.len(),
            _ => self.taken == 0,
        }
    }

    fn next(&mut self) -> Result<Value> {
        let value = match &self.values {
            Value::Tuple(items) if !self.keyed => items.get(self.taken).cloned(),
            other => (self.taken == 0).then(|| other.clone()),
        };
        self.taken += 1;
        value.ok_or_else(|| Error::type_error("not enough arguments for format string"))
    }

    /// The value of a '*'.
    fn next_int(&mut self) -> Result<i64> {
        match self.next()? {
            Value::Int(Int::Small(value)) if !self.safe => Ok(value),
            Value::Bool(value) if !self.safe => Ok(i64::from(value)),
            Value::Int(_) if !self.safe => Err(Error::runtime("OverflowError", "the width is too big")),
            _ => Err(Error::type_error("* wants int")),
        }
    }
}

fn truncated() -> Error {
    Error::value_error("incomplete format")
}

/// What stands behind a '%'; `rest` moves past it.
fn conversion(context: &mut Context, rest: &mut &str, values: &mut Values) -> Result<String> {
    if let Some(after) = rest.strip_prefix('(') {
        let key = key_of(after)?;
        let Some(mapping) = &values.mapping else {
            return Err(Error::type_error("format requires a mapping"));
        };
        *rest = &after[key.len() + 1..];
        values.values = access::subscript(context, mapping, &Value::str(key))?;
        (values.keyed, values.taken) = (true, 0);
    }
    let conversion = read(rest, values)?;
    let value = values.next()?;
    convert(context, &conversion, &value, values.safe)
}

/// The key up to the parenthesis that closes it.
fn key_of(text: &str) -> Result<&str> {
    let mut open = 1;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => open += 1,
            b')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Ok(&text[..at]);
        }
    }
    Err(Error::value_error("incomplete format key"))
}

fn digits(chars: &mut std::iter::Peekable<std::str::CharIndices>) -> Result<usize> {
    let mut value: usize = 0;
    while let Some(digit) = chars.peek().and_then(|(_, c)| c.to_digit(10)) {
        value = value * 10 + digit as usize;
        if value > i32::MAX as usize {
            return Err(Error::value_error("width or precision too big"));
        }
        chars.next();
    }
    Ok(value)
}

fn read(rest: &mut &str, values: &mut Values) -> Result<Conversion> {
    let mut found = Conversion::default();
    let mut chars = rest.char_indices().peekable();
    while let Some((_, c)) = chars.peek() {
        match c {
            '-' => found.left = true,
            '+' => found.plus = true,
            ' ' => found.blank = true,
            '#' => found.alternate = true,
            '0' => found.zero = true,
            _ => break,
        }
        chars.next();
    }
    if chars.next_if(|(_, c)| *c == '*').is_some() {
        let width = values.next_int()?;
        found.left |= width < 0;
        found.width = width.unsigned_abs() as usize;
    } else {
        found.width = digits(&mut chars)?;
    }
    if chars.next_if(|(_, c)| *c == '.').is_some() {
        found.precision = Some(if chars.next_if(|(_, c)| *c == '*').is_some() {
            values.next_int()?.max(0) as usize
        } else {
            digits(&mut chars)?
        });
    }
    chars.next_if(|(_, c)| matches!(c, 'h' | 'l' | 'L'));
    let (at, kind) = chars.next().ok_or_else(truncated)?;
    found.kind = kind;
    *rest = &rest[at + kind.len_utf8()..];
    Ok(found)
}

fn convert(context: &mut Context, conversion: &Conversion, value: &Value, safe: bool) -> Result<String> {
    match conversion.kind {
        's' | 'r' | 'a' => {
            let text = text_of(context, conversion.kind, value, safe)?;
            let cut = match conversion.precision {
                Some(precision) => &text[..access::byte_of(&text, precision)],
                None => &text,
            };
            pad(context, conversion, "", "", cut, false)
        }
        'c' if safe => Err(Error::type_error("%c requires int or char")),
        'c' => {
            let c = character(value)?;
            pad(context, conversion, "", "", &c.to_string(), false)
        }
        'd' | 'i' | 'u' | 'o' | 'x' | 'X' => format_int(context, conversion, value, safe),
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' => format_float(context, conversion, value, safe),
        other => Err(Error::value_error(format!("unsupported format character '{other}'"))),
    }
}

fn text_of(context: &mut Context, kind: char, value: &Value, safe: bool) -> Result<String> {
    if !safe {
        return match kind {
            's' => Ok(text::str_of(context, value)?.to_string()),
            'r' => text::repr_of(context, value),
            _ => text::ascii_of(context, value),
        };
    }
    if kind == 's' {
        return Ok(text::escape(context, value)?.to_string());
    }
    let repr = text::repr_of(context, value)?;
    let escaped = html::escape(context, &repr)?;
    Ok(if kind == 'a' { text::ascii_text(&escaped) } else { escaped })
}

fn character(value: &Value) -> Result<char> {
    match value {
        Value::Str(text) => {
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) => Ok(c),
                _ => Err(Error::type_error("%c requires int or char")),
            }
        }
        Value::Int(_) | Value::Bool(_) => {
            let code = super::args::index(value)?;
            if !(0..0x110000).contains(&code) {
                return Err(Error::runtime("OverflowError", "%c arg not in range(0x110000)"));
            }
            code_point(code)
        }
        _ => Err(Error::type_error("%c requires int or char")),
    }
}

fn format_int(context: &mut Context, conversion: &Conversion, value: &Value, safe: bool) -> Result<String> {
    let decimal = matches!(conversion.kind, 'd' | 'i' | 'u');
    let int = match (Number::of(value), value) {
        (_, Value::Undefined(undefined)) => return Err(undefined.used()),
        (_, _) if safe && !decimal => return Err(Error::type_error("an integer is required")),
        (_, Value::Str(_)) if safe => number::int_of(context, value)?,
        (Some(Number::Int(int)), _) => int,
        (Some(Number::Float(float)), _) if decimal => Int::from_f64(float)?,
        _ => {
            let (kind, name) = (conversion.kind, value.type_name());
            return Err(Error::type_error(format!("%{kind} format: a number is required, not {name}")));
        }
    };
    let (digits, prefix) = match conversion.kind {
        'o' => (int.abs().to_radix(context, 8)?, "0o"),
        'x' => (int.abs().to_radix(context, 16)?, "0x"),
        'X' => (int.abs().to_radix(context, 16)?.to_uppercase(), "0X"),
        _ => (int.abs().to_decimal(context)?, ""),
    };
    let precision = conversion.precision.unwrap_or(0);
    context.allocate(precision)?;
    let zeros = "0".repeat(precision.saturating_sub(digits.len()));
    let prefix = if conversion.alternate { prefix } else { "" };
    let sign = sign(conversion, int.is_negative());
    pad(context, conversion, sign, prefix, &format!("{zeros}{digits}"), true)
}

fn format_float(context: &mut Context, conversion: &Conversion, value: &Value, safe: bool) -> Result<String> {
    let float = match (Number::of(value), value) {
        (Some(number), _) => number.to_f64()?,
        (_, Value::Undefined(undefined)) => return Err(undefined.used()),
        (_, Value::Str(text)) if safe => {
            float::parse(text).ok_or_else(|| Error::value_error("could not convert string to float"))?
        }
        (_, other) => return Err(Error::type_error(format!("must be real number, not {}", other.type_name()))),
    };
    let precision = checked_precision(context, conversion.precision)?.unwrap_or(6);
    let lower = conversion.kind.to_ascii_lowercase();
    let body = float_text(float, lower, precision, conversion.alternate, false);
    let body = if conversion.kind == lower { body } else { body.to_uppercase() };
    let negative = float.is_sign_negative() && !float.is_nan();
    pad(context, conversion, sign(conversion, negative), "", &body, true)
}

fn sign(conversion: &Conversion, negative: bool) -> &'static str {
    match (negative, conversion.plus, conversion.blank) {
        (true, _, _) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    }
}

fn pad(
    context: &mut Context,
    conversion: &Conversion,
    sign: &str,
    prefix: &str,
    body: &str,
    number: bool,
) -> Result<String> {
    let length = sign.len() + prefix.len() + body.chars().count();
    let margin = conversion.width.saturating_sub(length);
    context.allocate(margin.saturating_add(body.len()))?;
    Ok(if conversion.left {
        format!("{sign}{prefix}{body}{}", " ".repeat(margin))
    } else if number && conversion.zero {
        format!("{sign}{prefix}{}{body}", "0".repeat(margin))
    } else {
        format!("{}{sign}{prefix}{body}", " ".repeat(margin))
    })
}
