//! Cuts a template's source into tokens, with the white space control of trim_blocks and lstrip_blocks.

use super::ast::{Literal, Text};
use super::error::{Error, Result};
use super::literals;
use super::unicode::is_space;
use std::borrow::Cow;

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    Data(Text),
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name(Text),
    Str(Text),
    Int(std::result::Result<i64, String>),
    Float(f64),
    Operator(&'static str),
    End,
}

#[derive(Clone, Debug)]
pub struct Positioned {
    pub token: Token,
    pub line: u32,
}

/// Longer ones first.
const OPERATORS: [&str; 26] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".",
    ":", "|", ",", ";",
];

impl Token {
    /// As messages name it.
    pub fn describe(&self) -> Cow<'static, str> {
        match self {
            Self::Data(_) => "text".into(),
            Self::VariableBegin => "'{{'".into(),
            Self::VariableEnd => "'}}'".into(),
            Self::BlockBegin => "'{%'".into(),
            Self::BlockEnd => "'%}'".into(),
            Self::Name(name) => format!("'{name}'").into(),
            Self::Str(_) => "a string".into(),
            Self::Int(_) => "an integer".into(),
            Self::Float(_) => "a float".into(),
            Self::Operator(operator) => format!("'{operator}'").into(),
            Self::End => "the end of the template".into(),
        }
    }
}

/// Line breaks become \n, and the last one of the source goes.
fn normalized(source: &str) -> String {
    let mut text = source.replace("\r\n", "\n").replace('\r', "\n");
    if text.ends_with('\n') {
        text.pop();
    }
    text
}

pub fn tokens(source: &str) -> Result<Vec<Positioned>> {
    let source = normalized(source);
    let mut lexer = Lexer { source: &source, rest: &source, line: 1, line_starting: true, out: Vec::new() };
    lexer.root()?;
    let line = lexer.line;
    lexer.out.push(Positioned { token: Token::End, line });
    Ok(lexer.out)
}

struct Lexer<'a> {
    source: &'a str,
    rest: &'a str,
    line: u32,
    /// Whether what came last ended with a line break.
    line_starting: bool,
    out: Vec<Positioned>,
}

#[derive(Clone, Copy, PartialEq)]
enum Opening {
    Variable,
    Block,
    Comment,
    Raw,
}

/// The characters of white space `text` begins with, in bytes.
fn spaces(text: &str) -> usize {
    text.find(|c| !is_space(c)).unwrap_or(text.len())
}

/// How many bytes `word` between spaces takes, with what must follow it; None: it is something else.
fn spaced_word(text: &str, word: &str, endings: &[Ending]) -> Option<usize> {
    let start = spaces(text);
    let after = text[start..].strip_prefix(word)?;
    let end = spaces(after);
    let closing = closing(&after[end..], endings)?;
    Some(start + word.len() + end + closing)
}

/// A closing delimiter and what white space after it goes.
struct Ending {
    delimiter: &'static str,
    swallows: Swallow,
}

enum Swallow {
    Nothing,
    Newline,
    Spaces,
}

const fn ending(delimiter: &'static str, swallows: Swallow) -> Ending {
    Ending { delimiter, swallows }
}

const BLOCK_ENDINGS: [Ending; 3] =
    [ending("+%}", Swallow::Nothing), ending("-%}", Swallow::Spaces), ending("%}", Swallow::Newline)];
const COMMENT_ENDINGS: [Ending; 3] =
    [ending("+#}", Swallow::Nothing), ending("-#}", Swallow::Spaces), ending("#}", Swallow::Newline)];
const VARIABLE_ENDINGS: [Ending; 2] = [ending("-}}", Swallow::Spaces), ending("}}", Swallow::Nothing)];
const RAW_ENDINGS: [Ending; 2] = [ending("-%}", Swallow::Spaces), ending("%}", Swallow::Nothing)];

fn closing(text: &str, endings: &[Ending]) -> Option<usize> {
    let found = endings.iter().find(|ending| text.starts_with(ending.delimiter))?;
    let after = &text[found.delimiter.len()..];
    let swallowed = match found.swallows {
        Swallow::Nothing => 0,
        Swallow::Newline => usize::from(after.starts_with('\n')),
        Swallow::Spaces => spaces(after),
    };
    Some(found.delimiter.len() + swallowed)
}

/// The earliest closing delimiter: where it begins and how long it is.
fn find_closing(text: &str, second: &str, endings: &[Ending]) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find(second)?;
        let signed = at > 0 && matches!(text.as_bytes()[at - 1], b'+' | b'-');
        let start = if signed { at - 1 } else { at };
        if let Some(length) = closing(&text[start..], endings) {
            return Some((start, length));
        }
        from = at + second.len();
    }
}

impl<'a> Lexer<'a> {
    fn push(&mut self, token: Token) {
        self.out.push(Positioned { token, line: self.line });
    }

    /// Consumes so many bytes, and counts their lines.
    fn advance(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        if !taken.is_empty() {
            self.line += taken.bytes().filter(|b| *b == b'\n').count() as u32;
            self.line_starting = taken.ends_with('\n');
        }
        taken
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T> {
        Err(Error::syntax(message, self.line))
    }

    /// Text without what white space control takes from its end; `sign` is that of the tag behind it.
    fn data(&mut self, text: &'a str, sign: Option<u8>, opening: Option<Opening>) {
        let line_start = text.rfind('\n').map_or(0, |at| at + 1);
        let blank = |text: &str| text.chars().all(is_space);
        let kept = match sign {
            Some(b'-') => text.trim_end_matches(is_space),
            Some(_) => text,
            None if opening.is_none_or(|opening| opening == Opening::Variable) => text,
            None if (line_start > 0 || self.line_starting) && blank(&text[line_start..]) => &text[..line_start],
            None => text,
        };
        if !kept.is_empty() {
            self.push(Token::Data(kept.into()));
        }
    }

    fn root(&mut self) -> Result<()> {
        loop {
            let Some((at, opening)) = self.next_opening() else {
                let rest = self.rest;
                self.data(rest, None, None);
                self.advance(rest.len());
                return Ok(());
            };
            let text = &self.rest[..at];
            let sign = self.rest.as_bytes().get(at + 2).copied().filter(|b| matches!(b, b'-' | b'+'));
            self.data(text, sign, Some(opening));
            self.advance(at);
            match opening {
                Opening::Raw => self.raw(sign)?,
                Opening::Comment => self.comment(sign)?,
                Opening::Variable => self.tag(sign, Token::VariableBegin, Token::VariableEnd, &VARIABLE_ENDINGS)?,
                Opening::Block => self.tag(sign, Token::BlockBegin, Token::BlockEnd, &BLOCK_ENDINGS)?,
            }
        }
    }

    fn next_opening(&self) -> Option<(usize, Opening)> {
        let bytes = self.rest.as_bytes();
        for (at, pair) in bytes.windows(2).enumerate() {
            if pair[0] != b'{' {
                continue;
            }
            match pair[1] {
                b'{' => return Some((at, Opening::Variable)),
                b'#' => return Some((at, Opening::Comment)),
                b'%' => {
                    let inside = &self.rest[at + 2..];
                    let inside = inside.strip_prefix(['-', '+']).unwrap_or(inside);
                    let raw = spaced_word(inside, "raw", &RAW_ENDINGS).is_some();
                    return Some((at, if raw { Opening::Raw } else { Opening::Block }));
                }
                _ => {}
            }
        }
        None
    }

    fn comment(&mut self, sign: Option<u8>) -> Result<()> {
        let begin = 2 + usize::from(sign.is_some());
        let Some((at, length)) = find_closing(&self.rest[begin..], "#}", &COMMENT_ENDINGS) else {
            return self.unclosed(begin, "the comment is not closed by #}");
        };
        self.advance(begin + at + length);
        Ok(())
    }

    fn raw(&mut self, sign: Option<u8>) -> Result<()> {
        let begin = 2 + usize::from(sign.is_some());
        let length = spaced_word(&self.rest[begin..], "raw", &RAW_ENDINGS).unwrap_or(0);
        self.advance(begin + length);
        let mut from = 0;
        while let Some(found) = self.rest[from..].find("{%") {
            let at = from + found;
            let inside = &self.rest[at + 2..];
            let sign = inside.bytes().next().filter(|b| matches!(b, b'-' | b'+'));
            let skipped = usize::from(sign.is_some());
            if let Some(length) = spaced_word(&inside[skipped..], "endraw", &BLOCK_ENDINGS) {
                let text = &self.rest[..at];
                self.data(text, sign, Some(Opening::Raw));
                self.advance(at + 2 + skipped + length);
                return Ok(());
            }
            from = at + 2;
        }
        self.unclosed(0, "{% raw %} is not closed by {% endraw %}")
    }

    /// With nothing behind it jinja2 lets an opening stand.
    fn unclosed(&mut self, opening: usize, message: &str) -> Result<()> {
        self.advance(opening);
        if self.rest.is_empty() {
            Ok(())
        } else {
            self.error(message)
        }
    }

    fn tag(&mut self, sign: Option<u8>, begin: Token, end: Token, endings: &[Ending]) -> Result<()> {
        self.push(begin);
        self.advance(2 + usize::from(sign.is_some()));
        let mut open: Vec<char> = Vec::new();
        loop {
            if open.is_empty() {
                if let Some(length) = closing(self.rest, endings) {
                    self.push(end);
                    self.advance(length);
                    return Ok(());
                }
            }
            if self.rest.is_empty() {
                return Ok(()); // the parser says what is missing
            }
            self.inside(&mut open)?;
        }
    }

    /// One token of a tag, or white space.
    fn inside(&mut self, open: &mut Vec<char>) -> Result<()> {
        let blank = spaces(self.rest);
        if blank > 0 {
            self.advance(blank);
            return Ok(());
        }
        let after_dot = self.source[..self.source.len() - self.rest.len()].ends_with('.');
        if let Some((literal, length)) = literals::number(self.rest, after_dot).map_err(|e| e.at(self.line))? {
            self.push(match literal {
                Literal::Float(value) => Token::Float(value),
                Literal::Int(value) => Token::Int(value),
                _ => Token::End,
            });
            self.advance(length);
            return Ok(());
        }
        if let Some(length) = literals::name(self.rest) {
            let name = &self.rest[..length];
            literals::check_name(name).map_err(|e| e.at(self.line))?;
            self.push(Token::Name(name.into()));
            self.advance(length);
            return Ok(());
        }
        if let Some(length) = literals::string_end(self.rest) {
            let value = literals::unescape(&self.rest[1..length - 1]).map_err(|e| e.at(self.line))?;
            self.push(Token::Str(value.into()));
            self.advance(length);
            return Ok(());
        }
        self.operator(open)
    }

    fn operator(&mut self, open: &mut Vec<char>) -> Result<()> {
        let Some(operator) = OPERATORS.iter().find(|operator| self.rest.starts_with(**operator)) else {
            let c = self.rest.chars().next().unwrap_or(' ');
            return match c {
                '\'' | '"' => self.error("the string is not closed"),
                c => self.error(format!("the character {c:?} is not expected")),
            };
        };
        match *operator {
            "{" => open.push('}'),
            "(" => open.push(')'),
            "[" => open.push(']'),
            "}" | ")" | "]" => match open.pop() {
                None => return self.error(format!("'{operator}' closes nothing")),
                Some(expected) if !operator.starts_with(expected) => {
                    return self.error(format!("'{operator}' stands where '{expected}' is expected"));
                }
                Some(_) => {}
            },
            _ => {}
        }
        self.push(Token::Operator(operator));
        self.advance(operator.len());
        Ok(())
    }
}
