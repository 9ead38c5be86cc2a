//! What Python's str methods say about code points, from unicode.txt (the Unicode version of CPython 3.11),
//! because that of Rust's library is newer and changes with the compiler.

use std::collections::HashMap;
use std::sync::OnceLock;

/// Sorted ranges, both ends included.
pub struct Set(Vec<(u32, u32)>);

impl Set {
    pub fn contains(&self, c: char) -> bool {
        let code = c as u32;
        let at = self.0.partition_point(|&(first, _)| first <= code);
        at > 0 && self.0[at - 1].1 >= code
    }
}

/// Code points to one or more others; what is not there maps to itself.
struct Mapping(HashMap<char, Vec<char>>);

pub struct Tables {
    pub alpha: Set,
    pub decimal: Set,
    pub digit: Set,
    pub numeric: Set,
    pub lower: Set,
    pub upper: Set,
    pub titlecase: Set,
    pub printable: Set,
    pub identifier_start: Set,
    pub identifier: Set,
    pub cased: Set,
    pub case_ignorable: Set,
    to_lower: Mapping,
    to_upper: Mapping,
    to_title: Mapping,
    to_folded: Mapping,
}

pub fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        let lines: HashMap<&str, &str> =
            include_str!("unicode.txt").lines().filter_map(|line| line.split_once(' ')).collect();
        let set = |name: &str| read_set(lines.get(name).unwrap_or(&""));
        let mapping = |name: &str| read_mapping(lines.get(name).unwrap_or(&""));
        Tables {
            alpha: set("alpha"),
            decimal: set("decimal"),
            digit: set("digit"),
            numeric: set("numeric"),
            lower: set("lower"),
            upper: set("upper"),
            titlecase: set("titlecase"),
            printable: set("printable"),
            identifier_start: set("identifier_start"),
            identifier: set("identifier"),
            cased: set("cased"),
            case_ignorable: set("case_ignorable"),
            to_lower: mapping("to_lower"),
            to_upper: mapping("to_upper"),
            to_title: mapping("to_title"),
            to_folded: mapping("to_folded"),
        }
    })
}

fn hex(text: &str) -> u32 {
    u32::from_str_radix(text, 16).unwrap_or(0)
}

/// "41-5a 61"
fn read_set(line: &str) -> Set {
    let range = |item: &str| match item.split_once('-') {
        Some((first, last)) => (hex(first), hex(last)),
        None => (hex(item), hex(item)),
    };
    Set(line.split(' ').filter(|item| !item.is_empty()).map(range).collect())
}

/// "41*1a/1+20" is 26 code points from 0x41 with stride 1, each plus 0x20; "df>53,53" is one to several.
fn read_mapping(line: &str) -> Mapping {
    let mut map = HashMap::new();
    for item in line.split(' ').filter(|item| !item.is_empty()) {
        if let Some((from, to)) = item.split_once('>') {
            let to = to.split(',').filter_map(|code| char::from_u32(hex(code))).collect();
            map.extend(char::from_u32(hex(from)).map(|from| (from, to)));
            continue;
        }
        let Some((first, rest)) = item.split_once('*') else { continue };
        let Some((count, rest)) = rest.split_once('/') else { continue };
        let (stride, delta) = rest.split_at(1);
        let delta = i64::from_str_radix(delta, 16).unwrap_or(0);
        for step in 0..hex(count) {
            let from = hex(first) + step * hex(stride);
            let to = u32::try_from(i64::from(from) + delta).ok().and_then(char::from_u32);
            if let (Some(from), Some(to)) = (char::from_u32(from), to) {
                map.insert(from, vec![to]);
            }
        }
    }
    Mapping(map)
}

fn push_mapped(mappings: &[&Mapping], c: char, out: &mut String) {
    match mappings.iter().find_map(|mapping| mapping.0.get(&c)) {
        Some(to) => out.extend(to),
        None => out.push(c),
    }
}

const SIGMA: char = 'Σ';

/// A capital sigma at the end of a word has a form of its own.
fn push_lower(chars: &[char], at: usize, out: &mut String) {
    let table = tables();
    if chars[at] != SIGMA {
        return push_mapped(&[&table.to_lower], chars[at], out);
    }
    let cased = |c: Option<&char>| c.is_some_and(|c| table.cased.contains(*c));
    let ignorable = |c: &&char| table.case_ignorable.contains(**c);
    let before = cased(chars[..at].iter().rev().find(|c| !ignorable(c)));
    let after = cased(chars[at + 1..].iter().find(|c| !ignorable(c)));
    out.push(if before && !after { 'ς' } else { 'σ' });
}

pub fn lower(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut out = String::with_capacity(text.len());
    if !text.contains(SIGMA) {
        for c in text.chars() {
            push_mapped(&[&tables().to_lower], c, &mut out);
        }
        return out;
    }
    let chars: Vec<char> = text.chars().collect();
    for at in 0..chars.len() {
        push_lower(&chars, at, &mut out);
    }
    out
}

pub fn upper(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_uppercase();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        push_mapped(&[&tables().to_upper], c, &mut out);
    }
    out
}

pub fn casefold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let table = tables();
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        push_mapped(&[&table.to_folded, &table.to_lower], c, &mut out);
    }
    out
}

pub fn swapcase(text: &str) -> String {
    let table = tables();
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    for (at, c) in chars.iter().enumerate() {
        if table.upper.contains(*c) {
            push_lower(&chars, at, &mut out);
        } else if table.lower.contains(*c) {
            push_mapped(&[&table.to_upper], *c, &mut out);
        } else {
            out.push(*c);
        }
    }
    out
}

/// str.capitalize: the first in title case, the others in lower case.
pub fn capitalize(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    for (at, c) in chars.iter().enumerate() {
        if at == 0 {
            push_mapped(&[&tables().to_title, &tables().to_upper], *c, &mut out);
        } else {
            push_lower(&chars, at, &mut out);
        }
    }
    out
}

/// str.title: title case after what has no case.
pub fn title(text: &str) -> String {
    let table = tables();
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for (at, c) in chars.iter().enumerate() {
        if inside {
            push_lower(&chars, at, &mut out);
        } else {
            push_mapped(&[&table.to_title, &table.to_upper], *c, &mut out);
        }
        inside = table.cased.contains(*c);
    }
    out
}

/// str.isspace of one code point: what strip, split and \s of patterns take for white space.
pub fn is_space(c: char) -> bool {
    matches!(c as u32, 0x09..=0x0d | 0x1c..=0x20 | 0x85 | 0xa0 | 0x1680 | 0x2000..=0x200a | 0x2028 | 0x2029 | 0x202f | 0x205f | 0x3000)
}

/// Where splitlines breaks.
pub fn is_line_break(c: char) -> bool {
    matches!(c as u32, 0x0a..=0x0d | 0x1c..=0x1e | 0x85 | 0x2028 | 0x2029)
}

pub fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return matches!(c, ' '..='~');
    }
    tables().printable.contains(c)
}

pub fn is_alphanumeric(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric();
    }
    let table = tables();
    table.alpha.contains(c) || table.decimal.contains(c) || table.digit.contains(c) || table.numeric.contains(c)
}

/// \w of patterns
pub fn is_word(c: char) -> bool {
    c == '_' || is_alphanumeric(c)
}

/// What int() and float() take off: of ASCII less than str.strip does.
pub fn strip_number(text: &str) -> &str {
    text.trim_matches(|c| matches!(c, '\t'..='\r' | ' ') || (!c.is_ascii() && is_space(c)))
}

/// The value of a decimal digit of any script.
pub fn decimal(c: char) -> Option<u32> {
    if c.is_ascii() {
        return c.to_digit(10);
    }
    let ranges = &tables().decimal.0;
    let at = ranges.partition_point(|&(first, _)| first <= c as u32);
    // Every range begins at a zero and holds whole tens.
    (at > 0 && ranges[at - 1].1 >= c as u32).then(|| (c as u32 - ranges[at - 1].0) % 10)
}

/// Digits of all scripts as ASCII ones; what int() and float() read.
pub fn ascii_digits(text: &str) -> String {
    let ascii = |c: char| match decimal(c) {
        Some(digit) => char::from(b'0' + digit as u8),
        None => c,
    };
    text.chars().map(ascii).collect()
}
