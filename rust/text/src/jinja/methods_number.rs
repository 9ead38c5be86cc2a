//! The attributes and methods of int, bool and float.

use super::access::Found;
use super::args::{bind, exactly};
use super::context::Context;
use super::error::{Error, Result};
use super::float;
use super::int::{parts, Int};
use super::methods::method;
use super::ops::Number;
use super::value::{Args, Value};
use num_bigint::BigInt;
use num_integer::Integer;

type Named = (&'static str, fn(&mut Context, &Value, Args) -> Result<Value>);

const INT: &[Named] = &[
    ("as_integer_ratio", |_, this, args| {
        let [] = exactly(args, "as_integer_ratio")?;
        Value::tuple(vec![Value::Int(int(this)?), Value::int(1)])
    }),
    ("bit_count", |_, this, args| {
        let [] = exactly(args, "bit_count")?;
        let (_, digits) = int(this)?.big().to_u64_digits();
        Ok(Value::int(digits.iter().map(|digit| i64::from(digit.count_ones())).sum()))
    }),
    ("bit_length", |_, this, args| {
        let [] = exactly(args, "bit_length")?;
        Ok(Value::int(int(this)?.bits() as i64))
    }),
    ("conjugate", |_, this, args| {
        let [] = exactly(args, "conjugate")?;
        Ok(Value::Int(int(this)?))
    }),
    ("from_bytes", |_, _, _| Err(no_bytes())),
    ("to_bytes", |_, _, _| Err(no_bytes())),
];

const FLOAT: &[Named] = &[
    ("as_integer_ratio", |_, this, args| {
        let [] = exactly(args, "as_integer_ratio")?;
        integer_ratio(float(this)?)
    }),
    ("conjugate", |_, this, args| {
        let [] = exactly(args, "conjugate")?;
        Ok(Value::Float(float(this)?))
    }),
    ("fromhex", |_, _, args| {
        let [_] = bind(args, "fromhex", [""], 1)?;
        Err(Error::unsupported("float.fromhex"))
    }),
    ("hex", |_, this, args| {
        let [] = exactly(args, "hex")?;
        Ok(Value::str(hex(float(this)?)))
    }),
    ("is_integer", |_, this, args| {
        let [] = exactly(args, "is_integer")?;
        let value = float(this)?;
        Ok(Value::Bool(value.is_finite() && value.fract() == 0.0))
    }),
];

fn no_bytes() -> Error {
    Error::unsupported("bytes")
}

fn int(this: &Value) -> Result<Int> {
    match Number::of(this) {
        Some(Number::Int(int)) => Ok(int),
        _ => Err(Error::type_error("an int is required")),
    }
}

fn float(this: &Value) -> Result<f64> {
    match this {
        Value::Float(value) => Ok(*value),
        _ => Err(Error::type_error("a float is required")),
    }
}

fn look_up(methods: &[Named], name: &str) -> Option<Named> {
    methods.iter().find(|(known, _)| *known == name).copied()
}

pub fn find_int(value: &Value, int: &Int, name: &str) -> Result<Found> {
    Ok(match name {
        "real" | "numerator" => Found::Value(Value::Int(int.clone())),
        "imag" => Found::Value(Value::int(0)),
        "denominator" => Found::Value(Value::int(1)),
        _ => method(value, look_up(INT, name)),
    })
}

pub fn find_float(value: &Value, float: f64, name: &str) -> Result<Found> {
    Ok(match name {
        "real" => Found::Value(Value::Float(float)),
        "imag" => Found::Value(Value::Float(0.0)),
        _ => method(value, look_up(FLOAT, name)),
    })
}

fn integer_ratio(value: f64) -> Result<Value> {
    if value.is_nan() {
        return Err(Error::value_error("cannot convert NaN to integer ratio"));
    }
    if value.is_infinite() {
        return Err(Error::runtime("OverflowError", "cannot convert Infinity to integer ratio"));
    }
    let (mantissa, exponent) = parts(value);
    let mut numerator = BigInt::from(mantissa);
    let mut denominator = BigInt::from(1);
    if exponent >= 0 {
        numerator <<= exponent as u64;
    } else {
        denominator <<= -exponent as u64;
    }
    let common = numerator.gcd(&denominator);
    Value::tuple(vec![Value::Int((numerator / &common).into()), Value::Int((denominator / common).into())])
}

/// float.hex(): one hexadecimal digit before the point, 13 after it.
fn hex(value: f64) -> String {
    if let Some(text) = float::special(value) {
        return text.to_string();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value == 0.0 {
        return format!("{sign}0x0.0p+0");
    }
    let bits = value.abs().to_bits();
    let (exponent, fraction) = ((bits >> 52) as i64, bits & ((1 << 52) - 1));
    let (first, exponent) = if exponent == 0 { (0, -1022) } else { (1, exponent - 1023) };
    format!("{sign}0x{first}.{fraction:013x}p{exponent:+}")
}
