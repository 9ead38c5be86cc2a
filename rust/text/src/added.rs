//! Added tokens (control tokens, user-defined tokens): found in a text before the model sees it.
//!
//! The rules are those of `tokenizers`' AddedVocabulary; it is not used itself because it knows only
//! "special tokens everywhere" or "nowhere", and a rendered chat needs "everywhere but in what the
//! user typed". It also compares every new token with all earlier ones.

use crate::error::{Error, Result};
use aho_corasick::{AhoCorasick, Input, MatchKind};
use std::ops::Range;
use tokenizers::normalizer::Range as Referential;
use tokenizers::{AddedToken, NormalizedString, Normalizer, NormalizerWrapper, Token};

/// An added token and its id.
pub type Added = (u32, AddedToken);

/// Those that are looked for in one pass: before the normalizer, or after it.
struct Pass {
    finder: AhoCorasick,
    tokens: Vec<Added>,
}

pub struct AddedTokens {
    raw: Pass,
    normalized: Pass,
}

impl Pass {
    fn new(tokens: Vec<Added>, patterns: &[String]) -> Result<Self> {
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(patterns)
            .map_err(|e| Error::corrupt(format!("the added tokens do not fit: {e}")))?;
        Ok(Self { finder, tokens })
    }

    /// The next match in `text` at or after `from`; special tokens only where they touch no plain
    /// range. `plain` is in positions of `text`.
    fn next(&self, text: &str, mut from: usize, plain: &PlainRanges) -> Option<(Range<usize>, &Added)> {
        loop {
            let found = self.finder.find(Input::new(text).range(from..))?;
            let added = &self.tokens[found.pattern().as_usize()];
            if !added.1.special {
                return Some((found.range(), added));
            }
            let Some(typed) = plain.touching(found.range()) else {
                return Some((found.range(), added));
            };
            if typed.start > found.start() {
                // Part of it is the template's: a shorter marker may lie wholly there.
                let inner = Input::new(text).range(found.start()..typed.start);
                if let Some(short) = self.finder.find(inner) {
                    return Some((short.range(), &self.tokens[short.pattern().as_usize()]));
                }
                from = typed.start;
            } else {
                from = found.end().min(typed.end);
            }
        }
    }

    fn split(&self, piece: NormalizedString, plain: &PlainRanges) -> Vec<(NormalizedString, Option<Vec<Token>>)> {
        if self.tokens.is_empty() {
            return vec![(piece, None)];
        }
        let text = piece.get();
        let plain = plain.within(&piece);
        let cut = |range: Range<usize>| piece.slice(Referential::Normalized(range));
        let mut pieces = Vec::new();
        let (mut done, mut from) = (0, 0);
        while let Some((mut range, (id, token))) = self.next(text, from, &plain) {
            from = range.end;
            if token.single_word && !stands_alone(text, &range) {
                continue;
            }
            if token.lstrip {
                range.start = text[..range.start].trim_end().len().max(done);
            }
            if token.rstrip {
                range.end = text.len() - text[range.end..].trim_start().len();
                from = range.end;
            }
            pieces.extend(cut(done..range.start).map(|s| (s, None)));
            let length = range.len();
            let token = Token::new(*id, text[range.clone()].to_owned(), (0, length));
            pieces.extend(cut(range.clone()).map(|s| (s, Some(vec![token]))));
            done = range.end;
        }
        pieces.extend(cut(done..text.len()).map(|s| (s, None)));
        pieces
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    let before = text[..range.start].chars().next_back();
    let after = text[range.end..].chars().next();
    !before.is_some_and(is_word) && !after.is_some_and(is_word)
}

/// Byte ranges of a text, ascending and disjoint, in which special tokens are plain text.
pub struct PlainRanges(pub Vec<Range<usize>>);

impl PlainRanges {
    fn touching(&self, range: Range<usize>) -> Option<Range<usize>> {
        let first = self.0.partition_point(|r| r.end <= range.start);
        self.0.get(first).filter(|r| r.start < range.end).cloned()
    }

    /// The ranges as positions in the (normalized) text of one piece of the whole.
    fn within(&self, piece: &NormalizedString) -> PlainRanges {
        let (start, end) = piece.offsets_original();
        let first = self.0.partition_point(|r| r.end <= start);
        let mut ranges = Vec::new();
        for range in self.0[first..].iter().take_while(|r| r.start < end) {
            let original = range.start.max(start) - start..range.end.min(end) - start;
            if piece.get() == piece.get_original() {
                ranges.push(original);
                continue;
            }
            if let Some(normalized) = piece.convert_offsets(Referential::Original(original)) {
                ranges.push(normalized);
            }
        }
        PlainRanges(ranges.into_iter().filter(|r| !r.is_empty()).collect())
    }
}

impl AddedTokens {
    pub fn new(mut tokens: Vec<Added>, normalizer: Option<&NormalizerWrapper>) -> Result<Self> {
        tokens.retain(|(_, token)| !token.content.is_empty());
        let (normalized, raw): (Vec<Added>, Vec<Added>) = tokens.into_iter().partition(|(_, t)| t.normalized);
        let raw_patterns: Vec<String> = raw.iter().map(|(_, t)| t.content.clone()).collect();
        let mut kept = Vec::new();
        let mut patterns = Vec::new();
        for added in normalized {
            let mut content = NormalizedString::from(added.1.content.as_str());
            if let Some(n) = normalizer {
                n.normalize(&mut content).map_err(|e| Error::corrupt(e.to_string()))?;
            }
            if !content.is_empty() {
                patterns.push(content.get().to_owned());
                kept.push(added);
            }
        }
        Ok(Self { raw: Pass::new(raw, &raw_patterns)?, normalized: Pass::new(kept, &patterns)? })
    }

    /// Before the normalizer.
    pub fn split_raw(
        &self,
        piece: NormalizedString,
        plain: &PlainRanges,
    ) -> Vec<(NormalizedString, Option<Vec<Token>>)> {
        self.raw.split(piece, plain)
    }

    /// After the normalizer.
    pub fn split_normalized(
        &self,
        piece: NormalizedString,
        plain: &PlainRanges,
    ) -> Vec<(NormalizedString, Option<Vec<Token>>)> {
        self.normalized.split(piece, plain)
    }
}
