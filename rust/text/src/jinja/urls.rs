//! The filters urlencode and urlize.

use super::args::{bind, flag};
use super::context::Context;
use super::error::{Error, Result};
use super::value::{Args, Value};
use super::{access, html, iterate, ops, text, unicode};

pub fn urlencode(context: &mut Context, args: Args) -> Result<Value> {
    let [value] = bind(args, "urlencode", ["value"], 1)?;
    let value = value.unwrap_or(Value::None);
    let mut items = match &value {
        Value::Str(_) => return Ok(Value::str(quote(context, &value, false)?)),
        Value::Dict(dict) => iterate::Iter::Dict(dict.clone(), super::value::View::Items, 0),
        other => match iterate::iterate(context, other) {
            Err(error) if error.is("TypeError") => return Ok(Value::str(quote(context, other, false)?)),
            iter => iter?,
        },
    };
    let mut out = String::new();
    while let Some(pair) = items.next(context)? {
        let pair = iterate::unpack(context, &pair, 2)?;
        let (key, value) = (quote(context, &pair[0], true)?, quote(context, &pair[1], true)?);
        context.allocate(key.len() + value.len() + 2)?;
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(&format!("{key}={value}"));
    }
    Ok(Value::str(out))
}

/// Percent signs for all but unreserved characters; in a query '/' is quoted too and a space is '+'.
fn quote(context: &mut Context, value: &Value, query: bool) -> Result<String> {
    let text = text::str_of(context, value)?;
    context.allocate(text.len() * 3)?;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => out.push(char::from(byte)),
            b'/' if !query => out.push('/'),
            b' ' if query => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(out)
}

pub fn urlize(context: &mut Context, args: Args) -> Result<Value> {
    let names = ["value", "trim_url_limit", "nofollow", "target", "rel", "extra_schemes"];
    let [value, limit, nofollow, target, rel, schemes] = bind(args, "urlize", names, 1)?;
    let limit = limit.filter(|limit| !matches!(limit, Value::None));
    let mut rels = vec!["noopener".to_string()];
    match rel {
        None | Some(Value::None) => {}
        Some(Value::Str(rel)) => {
            rels.extend(rel.split(unicode::is_space).filter(|rel| !rel.is_empty()).map(String::from))
        }
        Some(other) => {
            return Err(Error::runtime(
                "AttributeError",
                format!("'{}' object has no attribute 'split'", other.type_name()),
            ))
        }
    }
    if flag(context, nofollow, false)? {
        rels.push("nofollow".to_string());
    }
    rels.sort();
    rels.dedup();
    let mut attributes = format!(" rel=\"{}\"", html::escape(context, &rels.join(" "))?);
    if let Some(target) = target.filter(ops::is_true) {
        attributes.push_str(&format!(" target=\"{}\"", &*text::escape(context, &target)?));
    }
    let schemes = extra_schemes(context, schemes)?;
    let text = text::escape(context, &value.unwrap_or(Value::None))?;
    context.spend(text.len() as u64)?;
    let link = Link { limit, attributes, schemes };
    let mut out = String::new();
    let mut rest: &str = &text;
    while let Some(first) = rest.chars().next() {
        let space = unicode::is_space(first);
        let end = rest.find(|c| unicode::is_space(c) != space).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let word = if space { word.to_string() } else { link.word(context, word)? };
        context.allocate(word.len())?;
        out.push_str(&word);
        rest = after;
    }
    Ok(Value::text(out, context.autoescape))
}

fn extra_schemes(context: &mut Context, schemes: Option<Value>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let Some(schemes) = schemes.filter(|schemes| !matches!(schemes, Value::None)) else { return Ok(found) };
    for scheme in iterate::collect(context, &schemes)? {
        let Value::Str(scheme) = scheme else {
            return Err(Error::type_error("expected string or bytes-like object"));
        };
        let name = scheme.trim_end_matches('/');
        let slashes = scheme.len() - name.len();
        let name = name.strip_suffix(':').unwrap_or("");
        let valid = name.chars().count() >= 2 && name.chars().all(|c| unicode::is_word(c) || ".+-".contains(c));
        if !valid || slashes > 2 {
            let message = format!("{} is not a valid URI scheme prefix.", text::quoted(&scheme));
            return Err(Error::runtime("FilterArgumentError", message));
        }
        found.push(scheme.to_string());
    }
    Ok(found)
}

struct Link {
    /// Characters of an address that are shown; looked at where there is one.
    limit: Option<Value>,
    attributes: String,
    schemes: Vec<String>,
}

impl Link {
    fn word(&self, context: &mut Context, word: &str) -> Result<String> {
        let (head, middle, tail) = trim_punctuation(context, word)?;
        let attributes = &self.attributes;
        let middle = if is_address(&middle) {
            let scheme = if middle.starts_with("https://") || middle.starts_with("http://") { "" } else { "https://" };
            format!("<a href=\"{scheme}{middle}\"{attributes}>{}</a>", self.shown(context, &middle)?)
        } else if middle.strip_prefix("mailto:").is_some_and(is_email) {
            format!("<a href=\"{middle}\">{}</a>", &middle[7..])
        } else if middle.contains('@')
            && !middle.starts_with("www.")
            && !middle.starts_with('@')
            && !middle.contains(':')
            && is_email(&middle)
        {
            format!("<a href=\"mailto:{middle}\">{middle}</a>")
        } else {
            let mut linked = middle;
            for scheme in &self.schemes {
                if linked != *scheme && linked.starts_with(scheme.as_str()) {
                    linked = format!("<a href=\"{linked}\"{attributes}>{linked}</a>");
                }
            }
            linked
        };
        Ok(format!("{head}{middle}{tail}"))
    }

    fn shown(&self, context: &mut Context, address: &str) -> Result<String> {
        let Some(limit) = &self.limit else { return Ok(address.to_string()) };
        let length = Value::int(address.chars().count() as i64);
        if !ops::compare(context, ops::Comparison::Gt, &length, limit)? {
            return Ok(address.to_string());
        }
        let slice = access::slice(None, Some(limit.clone()), None);
        let cut = access::subscript(context, &Value::str(address), &slice)?;
        Ok(format!("{}...", cut.as_str().unwrap_or_default()))
    }
}

/// Splits off opening brackets before, and closing punctuation after; closing brackets stay while they balance.
fn trim_punctuation(context: &mut Context, word: &str) -> Result<(String, String, String)> {
    let mut rest = word;
    while let Some(after) = rest.strip_prefix(['(', '<']).or_else(|| rest.strip_prefix("&lt;")) {
        rest = after;
    }
    let head = &word[..word.len() - rest.len()];
    let mut middle = rest;
    while let Some(before) = middle.strip_suffix([')', '>', '.', ',']).or_else(|| middle.strip_suffix("&gt;")) {
        middle = before;
    }
    let mut tail = &rest[middle.len()..];
    for (open, close) in [("(", ")"), ("<", ">"), ("&lt;", "&gt;")] {
        let opened = middle.matches(open).count();
        if opened <= middle.matches(close).count() {
            continue;
        }
        for _ in 0..opened.min(tail.matches(close).count()) {
            context.spend(1)?;
            let end = tail.find(close).map_or(0, |at| at + close.len());
            middle = &rest[..middle.len() + end];
            tail = &rest[middle.len()..];
        }
    }
    Ok((head.to_string(), middle.to_string(), tail.to_string()))
}

fn label(c: char) -> bool {
    unicode::is_word(c) || matches!(c, '%' | '-')
}

/// [a-z] without regard to case: for Python also four letters beyond ASCII that fold to ASCII ones.
fn latin(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '\u{130}' | '\u{131}' | '\u{17f}' | '\u{212a}')
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let folds = |c: char| match c {
        '\u{130}' | '\u{131}' => 'i',
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    let mut chars = text.chars();
    prefix.chars().all(|wanted| chars.next().map(folds) == Some(wanted)).then_some(chars.as_str())
}

/// A web address: with a scheme or www., or a host under one of the old top-level domains.
fn is_address(text: &str) -> bool {
    let scheme = ["https://", "http://"].iter().find_map(|prefix| strip_prefix_ignoring_case(text, prefix));
    let hosts = scheme.into_iter().chain(strip_prefix_ignoring_case(text, "www."));
    for rest in hosts {
        let (host, after) = split_host(rest);
        if is_named_host(host) && is_path(after) {
            return true;
        }
    }
    let (host, after) = split_host(text);
    if is_old_domain(host) && is_path(after) {
        return true;
    }
    scheme.is_some_and(|rest| {
        let (host, after) = split_host(rest);
        (is_ipv4(host) && is_path(after)) || is_ipv6(rest)
    })
}

fn split_host(text: &str) -> (&str, &str) {
    text.split_at(text.find([':', '/', '?', '#']).unwrap_or(text.len()))
}

fn is_named_host(host: &str) -> bool {
    let (labels, top) = host.rsplit_once('.').map_or((None, host), |(labels, top)| (Some(labels), top));
    let length = top.chars().count();
    let plain = (2..=63).contains(&length) && top.chars().all(latin);
    let idna = strip_prefix_ignoring_case(top, "xn--").is_some_and(|rest| {
        (2..=59).contains(&rest.chars().count()) && rest.chars().all(|c| unicode::is_word(c) || c == '%')
    });
    let named = |part: &str| !part.is_empty() && part.chars().all(label);
    (plain || idna) && labels.is_none_or(|labels| labels.split('.').all(named))
}

fn is_old_domain(host: &str) -> bool {
    const TOP: [&str; 8] = ["com", "net", "int", "edu", "gov", "org", "info", "mil"];
    let Some((labels, top)) = host.rsplit_once('.') else { return false };
    let known = TOP.iter().any(|known| strip_prefix_ignoring_case(top, known) == Some(""));
    known && labels.split('.').all(|part| (2..=63).contains(&part.chars().count()) && part.chars().all(label))
}

fn digit(c: char) -> bool {
    unicode::decimal(c).is_some()
}

fn is_ipv4(host: &str) -> bool {
    let part = |part: &str| (1..=3).contains(&part.chars().count()) && part.chars().all(digit);
    host.split('.').count() == 4 && host.split('.').all(part)
}

/// [xxxx:xxxx:...]: two groups with a colon, then one to six with or without.
fn is_ipv6(text: &str) -> bool {
    let Some((inside, after)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) else { return false };
    let groups: Vec<&str> = inside.split(':').collect();
    let hex = |group: &&str| group.chars().all(|c| c.is_ascii_hexdigit());
    if groups.len() < 3 || !groups.iter().all(hex) || groups[..2].iter().any(|group| group.len() > 4) {
        return false;
    }
    let rest = &groups[2..];
    let pieces: usize = rest.iter().map(|group| group.len().div_ceil(4).max(1)).sum();
    let last_empty = rest.last().is_some_and(|group| group.is_empty());
    pieces - usize::from(last_empty) <= 6 && is_path(after)
}

/// A port, then a path, query or fragment; each may be missing.
fn is_path(text: &str) -> bool {
    let path = |rest: &str| rest.is_empty() || rest.starts_with(['/', '?', '#']);
    let Some(port) = text.strip_prefix(':') else { return path(text) };
    let digits = port.chars().take_while(|c| digit(*c)).count();
    (1..=5).contains(&digits) && path(port.trim_start_matches(digit))
}

fn is_email(text: &str) -> bool {
    let Some((name, domain)) = text.rsplit_once('@') else { return false };
    let Some((host, top)) = domain.rsplit_once('.') else { return false };
    let word = |text: &str| !text.is_empty() && text.chars().all(unicode::is_word);
    !name.is_empty()
        && word(top)
        && host.chars().next().is_some_and(unicode::is_word)
        && host.chars().all(|c| unicode::is_word(c) || matches!(c, '.' | '-'))
}
