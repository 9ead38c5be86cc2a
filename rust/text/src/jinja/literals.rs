//! Names, numbers and strings as jinja2's lexer reads them.

use super::ast::Literal;
use super::error::{Error, Result};
use super::int::MAX_DIGITS;
use super::unicode;
use num_bigint::BigInt;
use unicode_normalization_alignments::UnicodeNormalization;

/// Digits with single underscores between them; their length in bytes.
fn digits(text: &str, is_digit: impl Fn(u8) -> bool) -> usize {
    let bytes = text.as_bytes();
    let mut end = 0;
    loop {
        let next = end + usize::from(end > 0 && bytes.get(end) == Some(&b'_'));
        if !bytes.get(next).is_some_and(|b| is_digit(*b)) {
            return end;
        }
        end = next + 1;
    }
}

fn decimals(text: &str) -> usize {
    digits(text, |b| b.is_ascii_digit())
}

/// "1.5", "1e3", "1.5e-3"; 0: it is no float.
fn float_length(text: &str) -> usize {
    let whole = decimals(text);
    if whole == 0 {
        return 0;
    }
    let fraction = text[whole..].strip_prefix('.').map_or(0, decimals);
    let mantissa = if fraction > 0 { whole + 1 + fraction } else { whole };
    let exponent = text[mantissa..].strip_prefix(['e', 'E']).map_or(0, |rest| {
        let sign = usize::from(rest.starts_with(['+', '-']));
        match decimals(&rest[sign..]) {
            0 => 0,
            length => 1 + sign + length,
        }
    });
    if fraction == 0 && exponent == 0 {
        return 0;
    }
    mantissa + exponent
}

/// The digits, without a prefix, their base, and how long it all is.
fn integer(text: &str) -> Option<(&str, u32, usize)> {
    for (prefix, radix) in [("0b", 2), ("0o", 8), ("0x", 16)] {
        if !text.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(prefix)) {
            continue;
        }
        // An underscore may stand right behind the prefix too.
        let skipped = 2 + usize::from(text[2..].starts_with('_'));
        let length = digits(&text[skipped..], |b| (b as char).is_digit(radix));
        if length > 0 {
            return Some((&text[skipped..skipped + length], radix, skipped + length));
        }
    }
    let length = match text.as_bytes().first()? {
        b'0' => digits(text, |b| b == b'0'),
        _ => decimals(text),
    };
    (length > 0).then(|| (&text[..length], 10, length))
}

/// The number that `text` begins with and its length. What follows a dot (a.1) is no float.
pub fn number(text: &str, after_dot: bool) -> Result<Option<(Literal, usize)>> {
    let length = if after_dot { 0 } else { float_length(text) };
    if length > 0 {
        let value: f64 = text[..length].replace('_', "").parse().map_err(|_| Error::syntax("a bad float", 0))?;
        return Ok(Some((Literal::Float(value), length)));
    }
    let Some((digits, radix, length)) = integer(text) else {
        return Ok(None);
    };
    let digits = digits.replace('_', "");
    if digits.len() > MAX_DIGITS {
        return Err(Error::syntax(format!("an integer of more than {MAX_DIGITS} digits"), 0));
    }
    let value = i64::from_str_radix(&digits, radix).map_err(|_| {
        let big = BigInt::parse_bytes(digits.as_bytes(), radix);
        big.map_or_else(String::new, |big| big.to_string())
    });
    Ok(Some((Literal::Int(value), length)))
}

/// The length of the name that `text` begins with.
pub fn name(text: &str) -> Option<usize> {
    let part = |c: char| match c.is_ascii() {
        true => c.is_ascii_alphanumeric() || c == '_',
        false => unicode::is_word(c) || unicode::tables().identifier.contains(c),
    };
    let length = text.find(|c| !part(c)).unwrap_or(text.len());
    (length > 0).then_some(length)
}

/// Python's str.isidentifier, and that Python's own compiler would not rewrite the name.
pub fn check_name(name: &str) -> Result<()> {
    if name.is_ascii() {
        return Ok(());
    }
    let table = unicode::tables();
    let starts = |c: char| c == '_' || table.identifier_start.contains(c);
    if !name.starts_with(starts) || !name.chars().all(|c| table.identifier.contains(c)) {
        return Err(Error::syntax(format!("'{name}' is not a name"), 0));
    }
    if !name.nfkc().map(|(c, _)| c).eq(name.chars()) {
        return Err(Error::unsupported(format!("the name '{name}', which is not in normal form NFKC")));
    }
    Ok(())
}

/// The length of the string literal, with its quotes, that `text` begins with.
pub fn string_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let quote = *bytes.first().filter(|b| matches!(b, b'\'' | b'"'))?;
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2, // a later byte of a character is none of these
            b if b == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// jinja2 first writes what is not ASCII as escapes, then decodes all escapes, so a backslash before such a
/// character escapes the backslash of its escape.
fn as_ascii(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let code = c as u32;
        let written = match code {
            0..=0x7f => {
                out.push(c);
                Ok(())
            }
            0x80..=0xff => write!(out, "\\x{code:02x}"),
            0x100..=0xffff => write!(out, "\\u{code:04x}"),
            _ => write!(out, "\\U{code:08x}"),
        };
        debug_assert!(written.is_ok());
    }
    out
}

/// What a string literal says.
pub fn unescape(text: &str) -> Result<String> {
    if !text.contains('\\') {
        return Ok(text.to_owned());
    }
    let ascii = if text.is_ascii() { text.to_owned() } else { as_ascii(text) };
    let mut out = String::with_capacity(text.len());
    let mut rest = ascii.as_str();
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = escape(&rest[at + 1..], &mut out)?;
    }
    out.push_str(rest);
    Ok(out)
}

/// One escape, without its backslash; what is left after it.
fn escape<'a>(text: &'a str, out: &mut String) -> Result<&'a str> {
    let Some(letter) = text.chars().next() else {
        return Err(Error::syntax("a string that ends in a backslash", 0));
    };
    let rest = &text[1..];
    let simple = match letter {
        '\n' => return Ok(rest),
        '\\' | '\'' | '"' => letter,
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        '0'..='7' => {
            let length = text.bytes().take(3).take_while(|b| matches!(b, b'0'..=b'7')).count();
            out.push(character(&text[..length], 8)?);
            return Ok(&text[length..]);
        }
        'x' | 'u' | 'U' => {
            let length = [('x', 2), ('u', 4), ('U', 8)].iter().find(|(l, _)| *l == letter).map_or(0, |(_, n)| *n);
            let digits = rest.get(..length).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
            let Some(digits) = digits else {
                return Err(Error::syntax(format!("the escape \\{letter} takes {length} hexadecimal digits"), 0));
            };
            out.push(character(digits, 16)?);
            return Ok(&rest[length..]);
        }
        'N' => return Err(Error::unsupported("the escape \\N{...}, a character by its name")),
        other => {
            out.push('\\');
            other
        }
    };
    out.push(simple);
    Ok(rest)
}

fn character(digits: &str, radix: u32) -> Result<char> {
    let code = u32::from_str_radix(digits, radix).unwrap_or(u32::MAX);
    match char::from_u32(code) {
        Some(c) => Ok(c),
        None if (0xd800..0xe000).contains(&code) => {
            Err(Error::unsupported(format!("the escape of U+{code:04X}, half a surrogate pair, which is no character")))
        }
        None => Err(Error::syntax(format!("an escape beyond U+10FFFF: {digits}"), 0)),
    }
}
