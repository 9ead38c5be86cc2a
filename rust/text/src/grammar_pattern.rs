//! Regular expressions of JSON Schema (ECMA-262, Unicode mode) as the regex crate writes them. What means
//! something else there is spelled out; what cannot be enforced is refused.

use crate::error::{Error, Result};
use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

const DIGIT: &str = "0-9";
const WORD: &str = "0-9A-Za-z_";
/// White space and line ends of ECMA-262.
const SPACE: &str = r"\t\n\x0B\x0C\r \x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}\x{FEFF}";
const NOT_LINE_END: &str = r"[^\n\r\x{2028}\x{2029}]";

/// What a backslash and what follows stand for.
enum Escape {
    Character(char),
    /// Members of a class, and whether it is negated.
    Class(&'static str, bool),
    /// \p{...}, as written.
    Property(String),
}

struct Translator<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
}

pub fn to_rust(pattern: &str) -> Result<String> {
    let mut translator = Translator { rest: pattern.chars().peekable(), out: String::with_capacity(pattern.len() * 2) };
    translator.run().map_err(|e| Error { message: format!("{} in pattern {pattern:?}", e.message), ..e })?;
    Ok(translator.out)
}

fn malformed(what: &str) -> Error {
    Error::invalid(what.to_owned())
}

fn literal(out: &mut String, c: char) {
    if c.is_ascii_alphanumeric() || (!c.is_ascii() && !c.is_control()) {
        out.push(c);
    } else {
        let _ = write!(out, "\\x{{{:X}}}", c as u32);
    }
}

/// Control characters that a JSON string can hold only as \uXXXX, which ours never do.
fn checked(c: char) -> Result<char> {
    if c < ' ' && !"\u{8}\t\n\u{C}\r".contains(c) {
        return Err(Error::unsupported("a control character"));
    }
    Ok(c)
}

fn class(out: &mut String, members: &str, negated: bool) {
    let _ = write!(out, "[{}{members}]", if negated { "^" } else { "" });
}

impl Translator<'_> {
    fn run(&mut self) -> Result<()> {
        while let Some(c) = self.rest.next() {
            match c {
                '.' => self.out.push_str(NOT_LINE_END),
                '\\' => match self.escape()? {
                    Escape::Character(c) => literal(&mut self.out, checked(c)?),
                    Escape::Class(members, negated) => class(&mut self.out, members, negated),
                    Escape::Property(text) => self.out.push_str(&text),
                },
                '[' => self.class()?,
                '(' => self.group()?,
                '*' | '+' | '?' => self.repeated(c),
                '{' => self.counted()?,
                ')' | '|' | '^' | '$' => self.out.push(c),
                ']' | '}' => return Err(malformed(&format!("{c:?} without its other half"))),
                _ => literal(&mut self.out, checked(c)?),
            }
        }
        Ok(())
    }

    /// Whether a match is short or long makes no difference to what matches.
    fn repeated(&mut self, operator: char) {
        self.out.push(operator);
        self.rest.next_if_eq(&'?');
    }

    fn counted(&mut self) -> Result<()> {
        let mut inside = String::new();
        loop {
            match self.rest.next() {
                Some('}') => break,
                Some(c) if c.is_ascii_digit() || c == ',' => inside.push(c),
                _ => return Err(malformed("\"{\" that starts no count")),
            }
        }
        let (low, high) = inside.split_once(',').unwrap_or((&inside, &inside));
        if low.is_empty() || high.contains(',') {
            return Err(malformed("a count that is none"));
        }
        let _ = write!(self.out, "{{{inside}}}");
        self.rest.next_if_eq(&'?');
        Ok(())
    }

    fn group(&mut self) -> Result<()> {
        self.out.push_str("(?:");
        if self.rest.next_if_eq(&'?').is_none() {
            return Ok(());
        }
        match self.rest.next() {
            Some(':') => Ok(()),
            Some('=' | '!') => Err(Error::unsupported("lookahead")),
            Some('<') => match self.rest.peek() {
                Some('=' | '!') => Err(Error::unsupported("lookbehind")),
                _ => {
                    while self.rest.next().ok_or_else(|| malformed("a group's name that does not end"))? != '>' {}
                    Ok(())
                }
            },
            _ => Err(malformed("an unknown kind of group")),
        }
    }

    fn hexadecimal(&mut self, digits: usize) -> Result<u32> {
        let mut value = 0;
        for _ in 0..digits {
            let digit = self.rest.next().and_then(|c| c.to_digit(16));
            value = value << 4 | digit.ok_or_else(|| malformed("an escape with too few hexadecimal digits"))?;
        }
        Ok(value)
    }

    fn unicode(&mut self) -> Result<char> {
        let no_character = || malformed("an escape that is no character");
        if self.rest.next_if_eq(&'{').is_some() {
            let mut value = 0_u32;
            loop {
                let c = self.rest.next().ok_or_else(no_character)?;
                if c == '}' {
                    return char::from_u32(value).ok_or_else(no_character);
                }
                let digit = c.to_digit(16).ok_or_else(no_character)?;
                value = value.checked_mul(16).and_then(|v| v.checked_add(digit)).ok_or_else(no_character)?;
            }
        }
        let high = self.hexadecimal(4)?;
        if !(0xD800..0xDC00).contains(&high) {
            return char::from_u32(high).ok_or_else(no_character);
        }
        if self.rest.next() != Some('\\') || self.rest.next() != Some('u') {
            return Err(no_character());
        }
        let low = self.hexadecimal(4)?;
        if !(0xDC00..0xE000).contains(&low) {
            return Err(no_character());
        }
        char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)).ok_or_else(no_character)
    }

    fn property(&mut self, kind: char) -> Result<Escape> {
        let mut text = format!("\\{kind}");
        loop {
            let c = self.rest.next().ok_or_else(|| malformed("\\p that does not end"))?;
            text.push(c);
            if c == '}' {
                return Ok(Escape::Property(text));
            }
        }
    }

    fn escape(&mut self) -> Result<Escape> {
        let c = self.rest.next().ok_or_else(|| malformed("\"\\\" at the end"))?;
        Ok(match c {
            'd' | 'D' => Escape::Class(DIGIT, c == 'D'),
            'w' | 'W' => Escape::Class(WORD, c == 'W'),
            's' | 'S' => Escape::Class(SPACE, c == 'S'),
            't' => Escape::Character('\t'),
            'n' => Escape::Character('\n'),
            'v' => Escape::Character('\x0B'),
            'f' => Escape::Character('\x0C'),
            'r' => Escape::Character('\r'),
            '0' if !self.rest.peek().is_some_and(char::is_ascii_digit) => Escape::Character('\0'),
            'x' => Escape::Character(char::from(self.hexadecimal(2)? as u8)),
            'u' => Escape::Character(self.unicode()?),
            'c' => match self.rest.next() {
                Some(letter) if letter.is_ascii_alphabetic() => Escape::Character((letter as u8 % 32) as char),
                _ => return Err(malformed("\\c without a letter")),
            },
            'p' | 'P' => self.property(c)?,
            'b' | 'B' => return Err(Error::unsupported("a word boundary (\\b)")),
            '0'..='9' | 'k' => return Err(Error::unsupported("a reference to a group")),
            _ if c.is_ascii_alphabetic() => return Err(malformed(&format!("unknown escape \\{c}"))),
            _ => Escape::Character(c),
        })
    }

    fn class(&mut self) -> Result<()> {
        let unfinished = || malformed("\"[\" without \"]\"");
        let negated = self.rest.next_if_eq(&'^').is_some();
        if self.rest.next_if_eq(&']').is_some() {
            return if negated {
                self.out.push_str("(?s:.)");
                Ok(())
            } else {
                Err(Error::unsupported("the empty class []"))
            };
        }
        self.out.push_str(if negated { "[^" } else { "[" });
        loop {
            let c = self.rest.next().ok_or_else(unfinished)?;
            if c == ']' {
                break;
            }
            let first = match c {
                '\\' => self.class_escape()?,
                _ => Some(c),
            };
            let Some(first) = first else { continue };
            let mut ahead = self.rest.clone();
            let is_range = ahead.next() == Some('-') && !matches!(ahead.next(), Some(']') | None);
            if !is_range {
                literal(&mut self.out, if negated { first } else { checked(first)? });
                continue;
            }
            self.rest.next();
            let last = match self.rest.next().ok_or_else(unfinished)? {
                '\\' => self.class_escape()?,
                last => Some(last),
            };
            if last == Some(first) && !negated {
                checked(first)?;
            }
            let last = last.filter(|last| *last >= first).ok_or_else(|| malformed("a range that runs backwards"))?;
            literal(&mut self.out, first);
            self.out.push('-');
            literal(&mut self.out, last);
        }
        self.out.push(']');
        Ok(())
    }

    /// A character, or nothing where the escape was a class and stands in the output already.
    fn class_escape(&mut self) -> Result<Option<char>> {
        if self.rest.next_if_eq(&'b').is_some() {
            return Ok(Some('\x08'));
        }
        match self.escape()? {
            Escape::Character(c) => return Ok(Some(c)),
            Escape::Class(members, negated) => class(&mut self.out, members, negated),
            Escape::Property(text) => self.out.push_str(&text),
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_spelled_out() {
        for (pattern, want) in [
            ("^a.b$", r"^a[^\n\r\x{2028}\x{2029}]b$"),
            (r"\d+\-\D", r"[0-9]+\x{2D}[^0-9]"),
            ("[a&&b~~c]", r"[a\x{26}\x{26}b\x{7E}\x{7E}c]"),
            ("[[a]", r"[\x{5B}a]"),
            ("[^]", "(?s:.)"),
            (r"[\w.-]", r"[[0-9A-Za-z_]\x{2E}\x{2D}]"),
            (r"(?<year>\d{4})-x*?", r"(?:[0-9]{4})\x{2D}x*"),
            (r"\u0041\x42\u{43}\uD83D\uDE00\cJ", "ABC\u{1F600}\\x{A}"),
            ("a/b", r"a\x{2F}b"),
        ] {
            assert_eq!(to_rust(pattern).unwrap(), want, "{pattern}");
        }
    }

    #[test]
    fn what_cannot_be_enforced_is_refused() {
        for pattern in ["a(?=b)", "a\\x01b", "[\\0]", "(?<!a)b", r"\bword", r"(a)\1", "[]"] {
            assert_eq!(to_rust(pattern).unwrap_err().code, crate::error::Code::Unsupported, "{pattern}");
        }
        for pattern in ["[a", "a{,3}", "a{", "(?i)a", r"\q", r"\u12", r"\uD800", "[z-a]", "a]", r"a\"] {
            assert_eq!(to_rust(pattern).unwrap_err().code, crate::error::Code::Invalid, "{pattern}");
        }
    }
}
