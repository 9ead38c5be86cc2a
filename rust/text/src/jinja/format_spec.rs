//! format(value, spec): Python's format specification language.

use super::context::Context;
use super::error::{Error, Result};
use super::float::{self, MAX_PRECISION};
use super::int::Int;
use super::methods_str::code_point;
use super::ops::Number;
use super::text;
use super::unicode;
use super::value::Value;

struct Spec {
    fill: char,
    align: char,
    sign: char,
    /// 'z': a zero that rounding left negative loses its sign.
    positive_zero: bool,
    alternate: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

/// format(value, spec)
pub fn format_value(context: &mut Context, value: &Value, spec: &str) -> Result<String> {
    if spec.is_empty() {
        return Ok(text::str_of(context, value)?.to_string());
    }
    match (value, Number::of(value)) {
        (Value::Str(text), _) => format_text(context, text, &parse(spec, '<')?),
        (_, Some(Number::Int(int))) => format_int(context, &int, &parse(spec, '>')?),
        (_, Some(Number::Float(float))) => format_float(context, float, &parse(spec, '>')?),
        _ => Err(Error::type_error(format!("unsupported format string passed to {}.__format__", value.type_name()))),
    }
}

fn invalid(message: impl AsRef<str>) -> Error {
    Error::value_error(message)
}

/// A decimal number at the front, as far as it goes.
fn number(chars: &[char], at: &mut usize) -> Result<Option<usize>> {
    let mut value: Option<usize> = None;
    while let Some(digit) = chars.get(*at).and_then(|c| unicode::decimal(*c)) {
        let grown = value.unwrap_or(0).checked_mul(10).and_then(|value| value.checked_add(digit as usize));
        value = Some(
            grown
                .filter(|value| i64::try_from(*value).is_ok())
                .ok_or_else(|| invalid("Too many decimal digits in format string"))?,
        );
        *at += 1;
    }
    Ok(value)
}

fn parse(spec: &str, default_align: char) -> Result<Spec> {
    let chars: Vec<char> = spec.chars().collect();
    let mut at = 0;
    let is_align = |c: Option<&char>| c.is_some_and(|c| "<>=^".contains(*c));
    let (mut fill, mut align) = (None, None);
    if is_align(chars.get(1)) {
        (fill, align, at) = (Some(chars[0]), Some(chars[1]), 2);
    } else if is_align(chars.first()) {
        (align, at) = (Some(chars[0]), 1);
    }
    let mut take = |allowed: &str| {
        let found = chars.get(at).copied().filter(|c| allowed.contains(*c));
        at += usize::from(found.is_some());
        found
    };
    let sign = take("+- ").unwrap_or('\0');
    let positive_zero = take("z").is_some();
    let alternate = take("#").is_some();
    if fill.is_none() && take("0").is_some() {
        fill = Some('0');
        if align.is_none() && default_align == '>' {
            align = Some('=');
        }
    }
    let width = number(&chars, &mut at)?.unwrap_or(0);
    let mut grouping = None;
    for separator in [',', '_'] {
        if chars.get(at) == Some(&separator) {
            if grouping.is_some() {
                return Err(invalid("Cannot specify both ',' and '_'."));
            }
            grouping = Some(separator);
            at += 1;
        }
    }
    if grouping.is_some() && matches!(chars.get(at), Some(',' | '_')) {
        return Err(invalid("Cannot specify ',' or '_' twice."));
    }
    let mut precision = None;
    if chars.get(at) == Some(&'.') {
        at += 1;
        precision = Some(number(&chars, &mut at)?.ok_or_else(|| invalid("Format specifier missing precision"))?);
    }
    if chars.len() - at > 1 {
        return Err(invalid("Invalid format specifier"));
    }
    let kind = chars.get(at).copied();
    let groups = match kind {
        None | Some('d' | 'e' | 'f' | 'g' | 'E' | 'G' | 'F' | '%') => true,
        Some('b' | 'o' | 'x' | 'X') => grouping == Some('_'),
        _ => false,
    };
    if grouping.is_some() && !groups {
        return Err(invalid("Cannot specify a grouping with this type."));
    }
    let align = align.unwrap_or(default_align);
    let fill = fill.unwrap_or(' ');
    Ok(Spec { fill, align, sign, positive_zero, alternate, width, grouping, precision, kind })
}

fn format_text(context: &mut Context, text: &str, spec: &Spec) -> Result<String> {
    if !matches!(spec.kind, None | Some('s')) {
        return Err(invalid("Unknown format code for object of type 'str'"));
    }
    if spec.sign != '\0' || spec.positive_zero || spec.alternate || spec.align == '=' || spec.grouping.is_some() {
        return Err(invalid("sign, 'z', '#', grouping and '=' alignment are not allowed in string format specifier"));
    }
    context.spend(text.len() as u64 / 32)?;
    let cut = match spec.precision {
        Some(precision) => &text[..super::access::byte_of(text, precision)],
        None => text,
    };
    aligned(context, spec, "", cut)
}

/// Pads to the width; `sign` stands before the padding of '='.
fn aligned(context: &mut Context, spec: &Spec, sign: &str, body: &str) -> Result<String> {
    let length = sign.chars().count() + body.chars().count();
    let margin = spec.width.saturating_sub(length);
    context.allocate(sign.len() + body.len() + margin.saturating_mul(spec.fill.len_utf8()))?;
    let left = match spec.align {
        '>' => margin,
        '^' => margin / 2,
        _ => 0,
    };
    let run = |count: usize| std::iter::repeat_n(spec.fill, count);
    if spec.align == '=' {
        return Ok(sign.chars().chain(run(margin)).chain(body.chars()).collect());
    }
    Ok(run(left).chain(sign.chars()).chain(body.chars()).chain(run(margin - left)).collect())
}

fn format_int(context: &mut Context, value: &Int, spec: &Spec) -> Result<String> {
    let kind = spec.kind.unwrap_or('d');
    if matches!(kind, 'e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%') {
        return format_float(context, value.to_f64()?, spec);
    }
    if spec.precision.is_some() {
        return Err(invalid("Precision not allowed in integer format specifier"));
    }
    if spec.positive_zero {
        return Err(invalid("Negative zero coercion (z) not allowed in format specifier with an integer format code"));
    }
    if kind == 'c' {
        if spec.sign != '\0' || spec.alternate {
            return Err(invalid("Sign and '#' not allowed with integer format specifier 'c'"));
        }
        let code = value.to_i64().filter(|code| (0..0x110000).contains(code));
        let code = code.ok_or_else(|| Error::runtime("OverflowError", "%c arg not in range(0x110000)"))?;
        return aligned(context, spec, "", &code_point(code)?.to_string());
    }
    let (digits, prefix) = match kind {
        'd' | 'n' => (value.abs().to_decimal(context)?, ""),
        'b' => (value.abs().to_radix(context, 2)?, "0b"),
        'o' => (value.abs().to_radix(context, 8)?, "0o"),
        'x' => (value.abs().to_radix(context, 16)?, "0x"),
        'X' => (value.abs().to_radix(context, 16)?.to_uppercase(), "0X"),
        _ => return Err(invalid("Unknown format code for object of type 'int'")),
    };
    let prefix = if spec.alternate { prefix } else { "" };
    let sign = sign_text(spec, value.is_negative());
    finish(context, spec, &format!("{sign}{prefix}"), &digits, "")
}

fn sign_text(spec: &Spec, negative: bool) -> &'static str {
    match (negative, spec.sign) {
        (true, _) => "-",
        (false, '+') => "+",
        (false, ' ') => " ",
        _ => "",
    }
}

/// Groups the digits, extends them with zeros where '0' fills after the sign, and aligns.
fn finish(context: &mut Context, spec: &Spec, sign: &str, digits: &str, rest: &str) -> Result<String> {
    let size = if matches!(spec.kind, Some('b' | 'o' | 'x' | 'X')) { 4 } else { 3 };
    let others = sign.len() + rest.len();
    let minimum = if spec.fill == '0' && spec.align == '=' { spec.width.saturating_sub(others) } else { 0 };
    context.allocate(minimum.saturating_add(digits.len() * 2))?;
    let Some(separator) = spec.grouping else {
        let zeros = "0".repeat(minimum.saturating_sub(digits.len()));
        return aligned(context, spec, sign, &format!("{zeros}{digits}{rest}"));
    };
    let mut count = digits.len();
    let grouped_length = |count: usize| count + count.saturating_sub(1) / size;
    if grouped_length(count) < minimum {
        // size digits and a separator take size + 1 characters.
        count = count.max(minimum / (size + 1) * size);
        while grouped_length(count) < minimum {
            count += 1;
        }
    }
    let mut grouped = String::with_capacity(grouped_length(count));
    let zeros = count - digits.len();
    for (at, c) in std::iter::repeat_n('0', zeros).chain(digits.chars()).enumerate() {
        if at > 0 && (count - at) % size == 0 {
            grouped.push(separator);
        }
        grouped.push(c);
    }
    aligned(context, spec, sign, &format!("{grouped}{rest}"))
}

fn format_float(context: &mut Context, value: f64, spec: &Spec) -> Result<String> {
    let kind = spec.kind.unwrap_or('r');
    if !matches!(kind, 'r' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'n' | '%') || spec.kind == Some('r') {
        return Err(invalid("Unknown format code for object of type 'float'"));
    }
    let precision = checked_precision(context, spec.precision)?;
    let value = if kind == '%' { value * 100.0 } else { value };
    let lower = match kind {
        '%' => 'f',
        'n' => 'g',
        'r' if precision.is_some() => 'g',
        other => other.to_ascii_lowercase(),
    };
    let body = float_text(value, lower, precision.unwrap_or(6), spec.alternate, spec.kind.is_none());
    let body = if kind.is_ascii_uppercase() { body.to_uppercase() } else { body };
    let split = body.find(|c: char| !c.is_ascii_digit()).unwrap_or(body.len());
    let (digits, rest) = body.split_at(split);
    let zero = !body.bytes().any(|b| (b'1'..=b'9').contains(&b)) && value.is_finite();
    // The exponent of a zero is zero too, so no digit counts but that of the number itself.
    let negative = value.is_sign_negative() && !value.is_nan() && !(spec.positive_zero && zero);
    let rest = format!("{rest}{}", if kind == '%' { "%" } else { "" });
    finish(context, spec, sign_text(spec, negative), digits, &rest)
}

/// Python would print any number of digits; nothing needs thousands of them.
pub fn checked_precision(context: &mut Context, precision: Option<usize>) -> Result<Option<usize>> {
    if let Some(precision) = precision {
        if i32::try_from(precision).is_err() {
            return Err(Error::value_error("precision too big"));
        }
        if precision > MAX_PRECISION {
            return Err(Error::unsupported(format!("a float with more than {MAX_PRECISION} digits after the point")));
        }
        context.allocate(precision)?;
        context.spend(precision as u64 / 8)?;
    }
    Ok(precision)
}

/// The magnitude of a float as e, f, g or r (repr) write it. `alternate`: the point stays; `dot_zero`: ".0" after a whole number.
pub fn float_text(value: f64, kind: char, precision: usize, alternate: bool, dot_zero: bool) -> String {
    if let Some(text) = float::special(value) {
        return text.trim_start_matches('-').to_string();
    }
    let value = value.abs();
    match kind {
        'e' => {
            let (digits, exponent) = float::significant(value, precision + 1);
            float::scientific(&digits, exponent, 'e', alternate)
        }
        'f' => with_point(format!("{value:.precision$}"), alternate),
        _ => {
            let (mut digits, exponent, limit) = if kind == 'g' {
                let precision = precision.max(1);
                let (digits, exponent) = float::significant(value, precision);
                (digits, exponent, precision as i32 - i32::from(dot_zero))
            } else {
                let (digits, exponent) = float::shortest(value);
                (digits, exponent, 16)
            };
            if !alternate || kind == 'r' {
                digits.truncate(digits.trim_end_matches('0').len().max(1));
            }
            if exponent < -4 || exponent >= limit {
                return float::scientific(&digits, exponent, 'e', alternate);
            }
            with_point(float::fixed(&digits, exponent, dot_zero), alternate)
        }
    }
}

fn with_point(text: String, alternate: bool) -> String {
    if alternate && !text.contains('.') {
        return text + ".";
    }
    text
}
