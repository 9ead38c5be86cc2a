//! Filters that make or round numbers.

use super::args::{bind, flag};
use super::context::Context;
use super::error::{Error, Result};
use super::filters_sequence::one;
use super::int::Int;
use super::number::{float_of, int_of, parse_int};
use super::ops::{self, Binary, Number};
use super::value::{Args, Value};
use super::{args, float};

pub fn abs(_context: &mut Context, args: Args) -> Result<Value> {
    let value = one(args, "abs")?;
    match Number::of(&value) {
        Some(Number::Int(int)) => Ok(Value::Int(int.abs())),
        Some(Number::Float(float)) => Ok(Value::Float(float.abs())),
        None => Err(Error::type_error(format!("bad operand type for abs(): '{}'", value.type_name()))),
    }
}

fn is_no_number(error: &Error) -> bool {
    error.is("TypeError") || error.is("ValueError")
}

/// int(value, base) of a str, else int(value), else by way of a float, else the default.
pub fn int(context: &mut Context, args: Args) -> Result<Value> {
    let [value, default, base] = bind(args, "int", ["value", "default", "base"], 1)?;
    let value = value.unwrap_or(Value::None);
    let whole = match &value {
        Value::Str(text) => match base.as_ref().map_or(Ok(10), args::index) {
            Ok(base) => parse_int(context, text, base),
            Err(error) => Err(error),
        },
        other => int_of(context, other),
    };
    match whole {
        Ok(int) => return Ok(Value::Int(int)),
        Err(error) if !is_no_number(&error) => return Err(error),
        Err(_) => {}
    }
    match float_of(context, &value).and_then(Int::from_f64) {
        Ok(int) => Ok(Value::Int(int)),
        Err(error) if is_no_number(&error) || error.is("OverflowError") => Ok(default.unwrap_or_else(|| Value::int(0))),
        Err(error) => Err(error),
    }
}

pub fn float(context: &mut Context, args: Args) -> Result<Value> {
    let [value, default] = bind(args, "float", ["value", "default"], 1)?;
    match float_of(context, &value.unwrap_or(Value::None)) {
        Ok(float) => Ok(Value::Float(float)),
        Err(error) if is_no_number(&error) => Ok(default.unwrap_or(Value::Float(0.0))),
        Err(error) => Err(error),
    }
}

pub fn round(context: &mut Context, args: Args) -> Result<Value> {
    let [value, precision, method] = bind(args, "round", ["value", "precision", "method"], 1)?;
    let value = value.unwrap_or(Value::None);
    let precision = precision.unwrap_or_else(|| Value::int(0));
    if let Some(method @ (Value::List(_) | Value::Dict(_))) = &method {
        return Err(Error::type_error(format!("unhashable type: '{}'", method.type_name())));
    }
    let up = match method.as_ref().map_or(Some("common"), |method| method.as_str()) {
        Some("common") => return round_common(context, &value, &precision),
        Some("ceil") => true,
        Some("floor") => false,
        _ => return Err(Error::runtime("FilterArgumentError", "method must be common, ceil or floor")),
    };
    let power = ops::binary(context, Binary::Pow, &Value::int(10), &precision)?;
    let scaled = ops::binary(context, Binary::Mul, &value, &power)?;
    let whole = match Number::of(&scaled) {
        Some(Number::Int(int)) => int,
        Some(Number::Float(float)) => Int::from_f64(if up { float.ceil() } else { float.floor() })?,
        None => return Err(Error::type_error(format!("must be real number, not {}", scaled.type_name()))),
    };
    ops::binary(context, Binary::Div, &Value::Int(whole), &power)
}

/// round(value, precision)
fn round_common(context: &mut Context, value: &Value, precision: &Value) -> Result<Value> {
    let Some(number) = Number::of(value) else {
        let name = value.type_name();
        return Err(Error::type_error(format!("type {name} doesn't define __round__ method")));
    };
    match (number, precision) {
        (Number::Int(int), Value::None) => Ok(Value::Int(int)),
        (Number::Int(int), _) => round_int(context, int, args::index(precision)?),
        (Number::Float(float), Value::None) => {
            let whole = Int::from_f64(float)?;
            let rounded = if float.abs() < 9.0e15 { Int::from_f64(float.round_ties_even())? } else { whole };
            Ok(Value::Int(rounded))
        }
        (Number::Float(float), _) => match float::round(float, args::index(precision)?) {
            Some(rounded) => Ok(Value::Float(rounded)),
            None => Err(Error::runtime("OverflowError", "rounded value too large to represent")),
        },
    }
}

/// Half to even at a power of ten.
fn round_int(context: &mut Context, int: Int, precision: i64) -> Result<Value> {
    if precision >= 0 {
        return Ok(Value::Int(int));
    }
    let digits = precision.unsigned_abs();
    if digits > int.bits() {
        return Ok(Value::int(0)); // 10 ** digits is more than twice the number
    }
    let unit = Int::from(10).pow(context, &Int::from(digits as i64))?;
    let (quotient, rest) = int.div_mod(context, &unit)?;
    let twice = rest.add(context, &rest)?;
    let odd = !quotient.div_mod(context, &Int::from(2))?.1.is_zero();
    let up = twice > unit || (twice == unit && odd);
    let quotient = quotient.add(context, &Int::from(i64::from(up)))?;
    Ok(Value::Int(quotient.mul(context, &unit)?))
}

pub fn filesizeformat(context: &mut Context, args: Args) -> Result<Value> {
    let [value, binary] = bind(args, "filesizeformat", ["value", "binary"], 1)?;
    let bytes = float_of(context, &value.unwrap_or(Value::None))?;
    let binary = flag(context, binary, false)?;
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    if bytes == 1.0 {
        return Ok(Value::str("1 Byte"));
    }
    if bytes < base {
        let whole = Int::from_f64(bytes)?.to_decimal(context)?;
        return Ok(Value::str(format!("{whole} Bytes")));
    }
    const PREFIXES: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
    let last = PREFIXES.len() - 1;
    for (at, prefix) in PREFIXES.iter().enumerate() {
        // Python has the unit as an int; the float nearest to it divides alike.
        let unit = Int::from(base as i64).pow(context, &Int::from(at as i64 + 2))?;
        if at == last || unit.compare_f64(bytes) == Some(std::cmp::Ordering::Greater) {
            let shown = base * bytes / unit.to_f64()?;
            let shown = super::format_spec::format_value(context, &Value::Float(shown), ".1f")?;
            let prefix = if binary { format!("{}iB", prefix.to_uppercase()) } else { format!("{prefix}B") };
            return Ok(Value::str(format!("{shown} {prefix}")));
        }
    }
    Err(Error::value_error("no unit"))
}
