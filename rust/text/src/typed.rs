//! Which parts of a rendered chat came from the request rather than from the template.
//!
//! The chat is rendered a second time with a mark (a noncharacter that occurs nowhere else) behind every
//! character of every string of the request. Where that text without its marks is the same as the first
//! one, a character was typed if a mark follows it. Spaces carry no mark, so trimming works as before.
//!
//! A template may look at what it was given ("</think>" in content, an id's length), and marks change what it
//! sees. Then the strings are marked group by group, halving a group that changes the text; in a string that does
//! so alone, what the template's own literals say is left bare, occurrence by occurrence: what a template
//! looks for it treats as its own. A string that bears no marks at all is protected by its words: wherever
//! they occur in the text they count as typed.

use crate::jinja::json;
use crate::template::Data;
use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::Value;
use std::ops::Range;

/// Renderings the search may take beyond the first two.
const MAX_TRIALS: usize = 96;

/// What a template may compare with: its string literals.
pub fn literals<'a>(strings: impl Iterator<Item = &'a str>) -> Vec<String> {
    let trimmed = strings.map(str::trim).filter(|literal| !literal.is_empty());
    let mut found: Vec<String> = trimmed.map(str::to_owned).collect();
    found.sort();
    found.dedup();
    found
}

fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.$".contains(c))
}

/// How much of one string of the request is marked.
#[derive(Clone)]
enum Marking {
    All,
    /// Not in these byte ranges.
    AllBut(Vec<Range<usize>>),
    Nothing,
}

fn marked(text: &str, marking: &Marking, mark: char) -> String {
    let bare: &[Range<usize>] = match marking {
        Marking::All => &[],
        Marking::AllBut(ranges) => ranges,
        Marking::Nothing => return text.to_owned(),
    };
    let mut out = String::with_capacity(text.len() * 4);
    let mut next = 0;
    for (at, c) in text.char_indices() {
        out.push(c);
        while bare.get(next).is_some_and(|r| r.end <= at) {
            next += 1;
        }
        let is_bare = bare.get(next).is_some_and(|r| r.start <= at);
        if !c.is_whitespace() && !is_bare {
            out.push(mark);
        }
    }
    out
}

/// Calls `visit` on every string that can carry typed text, always in the same order. Role and type are words
/// the template compares with, as long as they are plain words; so are keys.
fn visit_strings(value: &mut Value, visit: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter_mut().for_each(|item| visit_strings(item, visit)),
        number if json::is_number(number) => {}
        Value::Object(fields) => {
            for (key, mut field) in std::mem::take(fields) {
                let mut key = key;
                let plain_word = field.as_str().is_some_and(is_name) && matches!(key.as_str(), "role" | "type");
                if !is_name(&key) {
                    visit(&mut key);
                }
                if !plain_word {
                    visit_strings(&mut field, visit);
                }
                fields.insert(key, field);
            }
        }
        _ => {}
    }
}

fn visit_data(data: &mut Data, mut visit: impl FnMut(&mut String)) {
    for value in [&mut data.messages, &mut data.tools, &mut data.documents, &mut data.kwargs] {
        visit_strings(value, &mut visit);
    }
}

/// The text without marks, and what bore one.
fn unmark(text: &str, mark: char) -> (String, Vec<Range<usize>>) {
    let mut bare = String::with_capacity(text.len());
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut last = 0;
    for c in text.chars() {
        if c != mark {
            last = bare.len();
            bare.push(c);
            continue;
        }
        // A template that turned text around or took parts of it leaves marks that follow no character of their own.
        let behind = ranges.last().map_or(0, |range| range.end);
        if bare.len() == behind {
            continue;
        }
        match ranges.last_mut() {
            // Spaces between typed words carry no mark, and are nobody's markers.
            Some(range) if bare[range.end..last].trim().is_empty() => range.end = bare.len(),
            _ => ranges.push(last..bare.len()),
        }
    }
    (bare, ranges)
}

struct Search<'a, F> {
    text: &'a str,
    data: &'a Data,
    strings: Vec<String>,
    markings: Vec<Marking>,
    mark: char,
    trials: usize,
    render: F,
}

impl<F: Fn(&Data) -> Option<String>> Search<'_, F> {
    fn attempt(&self) -> Option<Vec<Range<usize>>> {
        let mut data = self.data.clone();
        let mut markings = self.markings.iter();
        visit_data(&mut data, |text| {
            if let Some(marking) = markings.next() {
                *text = marked(text, marking, self.mark);
            }
        });
        let (bare, ranges) = unmark(&(self.render)(&data)?, self.mark);
        (bare == self.text).then_some(ranges)
    }

    /// Puts `marking` on the strings if that leaves the text as it is.
    fn try_on(&mut self, which: Range<usize>, marking: Marking) -> bool {
        if self.trials == 0 {
            return false;
        }
        self.trials -= 1;
        let before = self.markings[which.clone()].to_vec();
        self.markings[which.clone()].fill(marking);
        let fits = self.attempt().is_some();
        if !fits {
            self.markings[which].clone_from_slice(&before);
        }
        fits
    }

    fn mark_group(&mut self, which: Range<usize>, literals: &AhoCorasick) {
        if which.is_empty() || self.try_on(which.clone(), Marking::All) {
            return;
        }
        if which.len() == 1 {
            return self.mark_around_literals(which.start, literals);
        }
        let middle = which.start + which.len() / 2;
        self.mark_group(which.start..middle, literals);
        self.mark_group(middle..which.end, literals);
    }

    fn mark_around_literals(&mut self, index: usize, literals: &AhoCorasick) {
        let mut bare: Vec<Range<usize>> = Vec::new();
        for found in literals.find_iter(&self.strings[index]) {
            bare.push(found.range());
        }
        if bare.is_empty() || !self.try_on(index..index + 1, Marking::AllBut(bare.clone())) {
            return;
        }
        let mut at = 0;
        while at < bare.len() && self.trials > 0 {
            let mut fewer = bare.clone();
            fewer.remove(at);
            if self.try_on(index..index + 1, Marking::AllBut(fewer.clone())) {
                bare = fewer;
            } else {
                at += 1;
            }
        }
    }
}

fn all_of(text: &str) -> Vec<Range<usize>> {
    std::iter::once(0..text.len()).collect()
}

/// Every place in `text` of every word of the strings that is more than a name.
fn ranges_of_words(text: &str, strings: &[&str]) -> Vec<Range<usize>> {
    let mut words: Vec<&str> =
        strings.iter().flat_map(|s| s.split_whitespace()).filter(|word| !is_name(word)).collect();
    words.sort_unstable();
    words.dedup();
    if words.is_empty() {
        return Vec::new();
    }
    let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(words);
    finder.map_or_else(|_| all_of(text), |f| f.find_iter(text).map(|found| found.range()).collect())
}

fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|r| r.start);
    let mut out: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match out.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => out.push(range),
        }
    }
    out
}

/// The typed parts of `text`, ascending and disjoint. `render` renders other data with the same template.
pub fn ranges(
    text: &str,
    data: &Data,
    literals: &[String],
    render: impl Fn(&Data) -> Option<String>,
) -> Vec<Range<usize>> {
    let mut strings = Vec::new();
    let mut copy = data.clone();
    visit_data(&mut copy, |string| strings.push(string.clone()));
    // Noncharacters: no text has a reason to hold one, but a hostile one may.
    let free = ('\u{FDD0}'..='\u{FDEF}').find(|mark| {
        !text.contains(*mark)
            && !strings.iter().any(|s| s.contains(*mark))
            && !literals.iter().any(|l| l.contains(*mark))
    });
    let Some(mark) = free else {
        return all_of(text);
    };
    let count = strings.len();
    let markings = vec![Marking::All; count];
    let mut search = Search { text, data, strings, markings, mark, trials: MAX_TRIALS, render };
    if let Some(ranges) = search.attempt() {
        return ranges;
    }
    let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(literals);
    let Ok(finder) = finder else {
        return all_of(text);
    };
    search.markings.fill(Marking::Nothing);
    search.mark_group(0..count, &finder);
    let mut found = search.attempt().unwrap_or_default();
    let bare = search.strings.iter().zip(&search.markings);
    let bare: Vec<&str> = bare.filter(|(_, m)| matches!(m, Marking::Nothing)).map(|(s, _)| s.as_str()).collect();
    found.extend(ranges_of_words(text, &bare));
    merged(found)
}
