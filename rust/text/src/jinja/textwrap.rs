//! Python's textwrap.wrap, for the wordwrap filter.

use super::context::Context;
use super::error::{Error, Result};
use super::unicode;

pub struct Options {
    /// A float where the template gave one: it compares, but cuts no word.
    pub width: f64,
    pub is_whole: bool,
    pub break_long_words: bool,
    pub break_on_hyphens: bool,
}

/// The lines that a paragraph wraps to.
pub fn wrap(context: &mut Context, text: &str, options: &Options) -> Result<Vec<String>> {
    if options.width <= 0.0 || options.width.is_nan() {
        return Err(Error::value_error(format!("invalid width {} (must be > 0)", options.width)));
    }
    let width = options.width;
    context.allocate(text.len() * 8)?;
    let chars: Vec<char> = text.chars().collect();
    let mut chunks = split(context, &chars, options.break_on_hyphens)?;
    chunks.reverse();
    let mut lines = Vec::new();
    while !chunks.is_empty() {
        context.spend(1)?;
        if !lines.is_empty() && chunks.last().is_some_and(|chunk| is_blank(chunk)) {
            chunks.pop();
        }
        let mut line: Vec<&[char]> = Vec::new();
        let mut length = 0;
        while let Some(chunk) = chunks.pop_if(|chunk| (length + chunk.len()) as f64 <= width) {
            length += chunk.len();
            line.push(chunk);
        }
        if chunks.last().is_some_and(|chunk| chunk.len() as f64 > width) {
            if options.break_long_words && !options.is_whole {
                return Err(Error::type_error("slice indices must be integers or None or have an __index__ method"));
            }
            break_word(&mut chunks, &mut line, width as usize - length, options);
        }
        line.pop_if(|chunk| is_blank(chunk));
        if !line.is_empty() {
            lines.push(line.concat().into_iter().collect());
        }
    }
    Ok(lines)
}

fn is_blank(chunk: &[char]) -> bool {
    chunk.iter().all(|c| unicode::is_space(*c))
}

/// A word longer than a line: cut to the space left, behind a hyphen where there is one.
fn break_word<'a>(chunks: &mut Vec<&'a [char]>, line: &mut Vec<&'a [char]>, space: usize, options: &Options) {
    let Some(word) = chunks.pop() else { return };
    if options.break_long_words {
        let mut end = space;
        if options.break_on_hyphens && word.len() > space {
            let hyphen = word[..space].iter().rposition(|c| *c == '-');
            end = match hyphen {
                Some(hyphen) if word[..hyphen].iter().any(|c| *c != '-') => hyphen + 1,
                _ => space,
            };
        }
        line.push(&word[..end]);
        chunks.push(&word[end..]);
    } else if line.is_empty() {
        line.push(word);
    } else {
        chunks.push(word);
    }
}

/// The white space that separates words: ASCII only.
fn is_white(c: char) -> bool {
    matches!(c, '\t'..='\r' | ' ')
}

fn is_letter(c: Option<&char>) -> bool {
    c.is_some_and(|c| unicode::is_word(*c) && unicode::decimal(*c).is_none())
}

fn is_word(c: Option<&char>) -> bool {
    c.is_some_and(|c| unicode::is_word(*c))
}

fn may_end_word(c: Option<&char>) -> bool {
    is_word(c) || c.is_some_and(|c| "!\"'&.,?".contains(*c))
}

/// Words, runs of white space, and dashes between words.
fn split<'a>(context: &mut Context, text: &'a [char], hyphens: bool) -> Result<Vec<&'a [char]>> {
    let mut chunks = Vec::new();
    let mut start = 0;
    while start < text.len() {
        context.spend(1)?;
        let end = if is_white(text[start]) {
            run(text, start, is_white)
        } else if !hyphens {
            run(text, start, |c| !is_white(c))
        } else {
            match em_dash(text, start) {
                Some(end) => end,
                None => word_end(text, start),
            }
        };
        chunks.push(&text[start..end]);
        start = end;
    }
    Ok(chunks)
}

fn run(text: &[char], start: usize, test: impl Fn(char) -> bool) -> usize {
    start + text[start..].iter().take_while(|c| test(**c)).count()
}

fn before(text: &[char], at: usize, back: usize) -> Option<&char> {
    at.checked_sub(back).and_then(|at| text.get(at))
}

/// The end of two or more dashes that stand between words.
fn em_dash(text: &[char], start: usize) -> Option<usize> {
    if text.get(start) != Some(&'-') || !may_end_word(before(text, start, 1)) {
        return None;
    }
    let end = run(text, start, |c| c == '-');
    (end - start >= 2 && is_word(text.get(end))).then_some(end)
}

/// A word ends at white space, behind a hyphen between letters, or before an em-dash.
fn word_end(text: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < text.len() && !is_white(text[at]) {
        if text[at] == '-' {
            let letter = |back| is_letter(before(text, at, back));
            let behind = letter(1) && (letter(2) || (before(text, at, 2) == Some(&'-') && letter(3)));
            let next = if text.get(at + 2) == Some(&'-') { at + 3 } else { at + 2 };
            if behind && is_letter(text.get(at + 1)) && is_letter(text.get(next)) {
                return at + 1;
            }
            if em_dash(text, at).is_some() {
                return at;
            }
        }
        at += 1;
    }
    at
}
