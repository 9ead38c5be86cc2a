//! Escaping for HTML and back, as markupsafe and Python's html module do it.

use super::context::Context;
use super::error::{Error, Result};
use super::unicode;
use std::collections::HashMap;
use std::sync::OnceLock;

pub fn escape(context: &mut Context, text: &str) -> Result<String> {
    context.allocate(text.len())?;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&#39;"),
            '"' => out.push_str("&#34;"),
            c => out.push(c),
        }
    }
    context.allocate(out.len() - text.len())?;
    Ok(out)
}

/// Markup.striptags: comments and tags go, white space shrinks to single spaces, then entities are read.
pub fn strip_tags(context: &mut Context, text: &str) -> Result<String> {
    context.allocate(text.len() * 2)?;
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let (mark, skipped) = if rest[start..].starts_with("<!--") { ("-->", 4) } else { (">", 0) };
        let Some(end) = rest[start + skipped..].find(mark) else { break };
        plain.push_str(&rest[..start]);
        rest = &rest[start + skipped + end + mark.len()..];
    }
    plain.push_str(rest);
    let words: Vec<&str> = plain.split(unicode::is_space).filter(|word| !word.is_empty()).collect();
    unescape(context, &words.join(" "))
}

fn entities() -> &'static HashMap<&'static str, String> {
    static ENTITIES: OnceLock<HashMap<&'static str, String>> = OnceLock::new();
    ENTITIES.get_or_init(|| {
        let code = |code: &str| u32::from_str_radix(code, 16).ok().and_then(char::from_u32);
        let line = |line: &'static str| {
            line.split_once(' ').map(|(name, to)| (name, to.split(',').filter_map(code).collect()))
        };
        include_str!("entities.txt").lines().skip(1).filter_map(line).collect()
    })
}

/// html.unescape
pub fn unescape(context: &mut Context, text: &str) -> Result<String> {
    context.allocate(text.len())?;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        context.spend(1)?;
        match reference(rest)? {
            Some((character, length)) => {
                out.push_str(&character);
                rest = &rest[length..];
            }
            None => out.push('&'),
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// What stands behind an '&': the text it is for, and how many bytes it took.
fn reference(text: &str) -> Result<Option<(String, usize)>> {
    let Some(number) = text.strip_prefix('#') else { return Ok(named(text)) };
    let (radix, digits) = match number.strip_prefix(['x', 'X']) {
        Some(digits) => (16, digits),
        None => (10, number),
    };
    let length = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    if length == 0 {
        return Ok(None);
    }
    if radix == 10 && length > super::int::MAX_DIGITS {
        return Err(Error::value_error("exceeds the limit for integer string conversion"));
    }
    let significant = digits[..length].trim_start_matches('0');
    let code = if significant.is_empty() { 0 } else { u32::from_str_radix(significant, radix).unwrap_or(u32::MAX) };
    let semicolon = usize::from(digits[length..].starts_with(';'));
    Ok(Some((numeric(code), text.len() - digits.len() + length + semicolon)))
}

/// Bytes 0x80 to 0x9f mean Windows-1252, as browsers have it.
const WINDOWS_1252: [u32; 32] = [
    0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d,
    0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d,
    0x17e, 0x178,
];

fn numeric(code: u32) -> String {
    let code = match code {
        0 => 0xfffd,
        0x80..=0x9f => WINDOWS_1252[code as usize - 0x80],
        0xd => 0xd,
        0x1..=0x8 | 0xb | 0xe..=0x1f | 0x7f | 0xfdd0..=0xfdef => return String::new(),
        code if code <= 0x10ffff && code & 0xfffe == 0xfffe => return String::new(),
        other => other,
    };
    char::from_u32(code).unwrap_or('\u{fffd}').to_string()
}

/// A name, or the longest beginning of it that is one.
fn named(text: &str) -> Option<(String, usize)> {
    let stops = |c: char| matches!(c, '\t' | '\n' | '\x0c' | ' ' | '<' | '&' | '#' | ';');
    let end = text.char_indices().take(32).take_while(|(_, c)| !stops(*c)).map(|(at, c)| at + c.len_utf8()).last()?;
    let whole = if text[end..].starts_with(';') { end + 1 } else { end };
    let table = entities();
    if let Some(found) = table.get(&text[..whole]) {
        return Some((found.clone(), whole));
    }
    let boundary = |at: &usize| text.is_char_boundary(*at);
    let length = (2..whole).rev().filter(boundary).find(|at| table.contains_key(&text[..*at]))?;
    table.get(&text[..length]).map(|found| (found.clone(), length))
}
