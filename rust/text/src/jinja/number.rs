//! int(value) and float(value).

use super::context::Context;
use super::error::{Error, Result};
use super::float;
use super::int::{Int, MAX_DIGITS};
use super::ops::Number;
use super::unicode;
use super::value::Value;
use num_bigint::BigInt;

/// int(value)
pub fn int_of(context: &mut Context, value: &Value) -> Result<Int> {
    match (value, Number::of(value)) {
        (_, Some(Number::Int(int))) => Ok(int),
        (_, Some(Number::Float(float))) => Int::from_f64(float),
        (Value::Str(text), _) => parse_int(context, text, 10),
        (Value::Undefined(undefined), _) => Err(undefined.used()),
        (other, _) => Err(Error::type_error(format!(
            "int() argument must be a string, a bytes-like object or a real number, not '{}'",
            other.type_name()
        ))),
    }
}

/// float(value)
pub fn float_of(context: &mut Context, value: &Value) -> Result<f64> {
    match (value, Number::of(value)) {
        (_, Some(number)) => number.to_f64(),
        (Value::Str(text), _) => {
            context.spend(text.len() as u64 / 8)?;
            float::parse(text).ok_or_else(|| Error::value_error("could not convert string to float"))
        }
        (Value::Undefined(undefined), _) => Err(undefined.used()),
        (other, _) => Err(Error::type_error(format!(
            "float() argument must be a string or a real number, not '{}'",
            other.type_name()
        ))),
    }
}

/// int(text, base)
pub fn parse_int(context: &mut Context, text: &str, base: i64) -> Result<Int> {
    if base != 0 && !(2..=36).contains(&base) {
        return Err(Error::value_error("int() base must be >= 2 and <= 36, or 0"));
    }
    context.allocate(text.len())?;
    let invalid = || Error::value_error(format!("invalid literal for int() with base {base}"));
    let text = unicode::ascii_digits(unicode::strip_number(text));
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, &*text),
    };
    let (radix, digits) = radix_of(digits, base as u32).ok_or_else(invalid)?;
    let digits = without_underscores(digits).ok_or_else(invalid)?;
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(invalid());
    }
    if base == 0 && radix == 10 && digits.starts_with('0') && !digits.trim_matches('0').is_empty() {
        return Err(invalid()); // 010 is no literal
    }
    if digits.len() > MAX_DIGITS && !radix.is_power_of_two() {
        return Err(Error::value_error(format!(
            "exceeds the limit ({MAX_DIGITS} digits) for integer string conversion"
        )));
    }
    let value = match i64::from_str_radix(&digits, radix) {
        Ok(small) => Int::from(small),
        Err(_) => {
            context.spend(digits.len() as u64)?;
            Int::from(BigInt::parse_bytes(digits.as_bytes(), radix).ok_or_else(invalid)?)
        }
    };
    Ok(if negative { value.negated() } else { value })
}

/// Takes a prefix such as 0x off where the base allows it. None: an underscore is left where no digit precedes it.
fn radix_of(digits: &str, base: u32) -> Option<(u32, &str)> {
    let prefix = digits.get(..2).map(str::to_ascii_lowercase);
    let radix = match prefix.as_deref() {
        Some("0x") => 16,
        Some("0o") => 8,
        Some("0b") => 2,
        _ => 0,
    };
    if radix != 0 && (base == 0 || base == radix) {
        let rest = &digits[2..];
        return Some((radix, rest.strip_prefix('_').unwrap_or(rest)));
    }
    Some((if base == 0 { 10 } else { base }, digits))
}

/// Single underscores between characters go.
fn without_underscores(text: &str) -> Option<String> {
    if text.starts_with('_') || text.ends_with('_') || text.contains("__") {
        return None;
    }
    Some(text.replace('_', ""))
}
