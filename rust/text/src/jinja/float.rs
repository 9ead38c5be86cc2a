//! Python's float: text, parsing, rounding.

use super::int::parts;
use super::unicode;
use num_bigint::BigInt;

/// More digits than this after the point are refused rather than printed.
pub const MAX_PRECISION: usize = 5000;

/// The fewest digits that read back as the same float, without the point, and the exponent of the first:
/// 12.5 is ("125", 1).
pub fn shortest(value: f64) -> (String, i32) {
    let (digits, exponent) = split_exponent(&format!("{:e}", value.abs()));
    // Of two that are equally near, Python takes the one with an even last digit; only long ones can be.
    if digits.len() >= 15 {
        let even = format!("{:.*e}", digits.len() - 1, value.abs());
        if even.parse() == Ok(value.abs()) {
            return split_exponent(&even);
        }
    }
    (digits, exponent)
}

/// `digits` significant ones (at least 1), correctly rounded half to even.
pub fn significant(value: f64, digits: usize) -> (String, i32) {
    split_exponent(&format!("{:.*e}", digits - 1, value.abs()))
}

fn split_exponent(text: &str) -> (String, i32) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    (mantissa.replace('.', ""), exponent.parse().unwrap_or(0))
}

/// repr(): the shortest digits that read back as the same float.
pub fn repr(value: f64) -> String {
    if let Some(text) = special(value) {
        return text.to_string();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let (digits, exponent) = shortest(value);
    if (-4..16).contains(&exponent) {
        return format!("{sign}{}", fixed(&digits, exponent, true));
    }
    format!("{sign}{}", scientific(&digits, exponent, 'e', false))
}

pub fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("nan")
    } else if value.is_infinite() {
        Some(if value > 0.0 { "inf" } else { "-inf" })
    } else {
        None
    }
}

/// Digits written without an exponent; `point`: a whole number gets ".0".
pub fn fixed(digits: &str, exponent: i32, point: bool) -> String {
    if exponent < 0 {
        return format!("0.{}{digits}", "0".repeat((-exponent - 1) as usize));
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        return format!("{digits}{}{}", "0".repeat(whole - digits.len()), if point { ".0" } else { "" });
    }
    format!("{}.{}", &digits[..whole], &digits[whole..])
}

/// d.ddde+XX; `point`: also after a lone digit.
pub fn scientific(digits: &str, exponent: i32, letter: char, point: bool) -> String {
    let (first, rest) = digits.split_at(1);
    let dot = if rest.is_empty() && !point { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{dot}{rest}{letter}{sign}{:02}", exponent.abs())
}

/// float(text); None: not a float.
pub fn parse(text: &str) -> Option<f64> {
    let text = unicode::ascii_digits(unicode::strip_number(text));
    let bytes = text.as_bytes();
    let unsigned = text.trim_start_matches(['+', '-']);
    if bytes.len() - unsigned.len() > 1 {
        return None;
    }
    let lower = unsigned.to_ascii_lowercase();
    let magnitude = match lower.as_str() {
        "inf" | "infinity" => f64::INFINITY,
        "nan" => f64::NAN,
        _ => {
            let plain = without_underscores(&lower)?;
            if !plain.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'+' | b'-')) {
                return None;
            }
            plain.parse().ok()?
        }
    };
    Some(if text.starts_with('-') { -magnitude } else { magnitude })
}

/// An underscore may stand between two digits.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let misplaced = |at: usize| bytes[at] == b'_' && !(digit(at.checked_sub(1)) && digit(Some(at + 1)));
    if (0..bytes.len()).any(misplaced) {
        return None;
    }
    Some(text.replace('_', ""))
}

/// round(value, digits)
pub fn round(value: f64, digits: i64) -> Option<f64> {
    if !value.is_finite() || value == 0.0 || digits > 323 {
        return Some(value);
    }
    if digits < -308 {
        return Some(0.0 * value);
    }
    if digits >= 0 {
        let rounded: f64 = format!("{:.*}", digits as usize, value).parse().ok()?;
        return rounded.is_finite().then_some(rounded);
    }
    // Exact in integers: twice the remainder against the unit; a fraction only breaks ties.
    let (mantissa, exponent) = parts(value.abs());
    let unit = BigInt::from(10).pow((-digits) as u32);
    let whole = if exponent >= 0 {
        BigInt::from(mantissa) << exponent as u64
    } else {
        BigInt::from(mantissa) >> (-exponent).min(64) as u64
    };
    let fraction = value.fract() != 0.0;
    let quotient = &whole / &unit;
    let rest = (&whole - &quotient * &unit) * 2;
    let up = rest > unit || (rest == unit && (fraction || quotient.bit(0)));
    let rounded: f64 = ((quotient + i32::from(up)) * unit).to_string().parse().ok()?;
    rounded.is_finite().then_some(if value < 0.0 { -rounded } else { rounded })
}
