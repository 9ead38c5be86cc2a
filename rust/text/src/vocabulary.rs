//! A GGUF vocabulary becomes a tokenizer: one builder for each value of tokenizer.ggml.model.

use crate::error::{Error, Result};
use crate::pieces::{Entry, Spelling, MAX_VOCABULARY};
use crate::recipe::{assemble, Family, Recipe};
use crate::tables::{Lookup, Merge, Tables};
use crate::tokenizer::{unreachable_piece, Frame, Merger, Parts, Tokenizer};
use crate::{pre_tokenizers, sentencepiece};
use ahash::AHashMap;
use std::sync::Arc;
use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::AddedToken;

/// A longer token is a damaged file; the longest known real ones have about a thousand bytes.
pub const MAX_TOKEN_BYTES: usize = 16384;

/// More are a damaged file; the largest vocabularies have some half a million.
const MAX_MERGES: usize = 1 << 28;

pub struct Vocabulary<'a> {
    pub kind: &'a str,
    pub pre: &'a str,
    pub tokens: Vec<&'a [u8]>,
    pub scores: &'a [f32],
    pub types: &'a [i8],
    pub merges: Vec<&'a [u8]>,
    pub bos: i32,
    pub eos: i32,
    pub unknown: i32,
    pub separator: i32,
    pub cls: i32,
    pub add_bos: Option<bool>,
    pub add_eos: Option<bool>,
    pub add_space_prefix: Option<bool>,
    pub remove_extra_whitespaces: Option<bool>,
    pub lowercase: Option<bool>,
    pub strip_accents: Option<bool>,
    pub clean_text: Option<bool>,
    pub handle_chinese_chars: Option<bool>,
    pub charsmap: &'a [u8],
}

/// Values of tokenizer.ggml.token_type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte,
}

impl Type {
    fn of(value: i8) -> Option<Self> {
        const TYPES: [Type; 7] =
            [Type::Normal, Type::Normal, Type::Unknown, Type::Control, Type::UserDefined, Type::Unused, Type::Byte];
        TYPES.get(usize::try_from(value).ok()?).copied()
    }
    pub fn is_special(self) -> bool {
        matches!(self, Type::Control | Type::Unknown)
    }
    fn is_added(self) -> bool {
        self.is_special() || self == Type::UserDefined
    }
}

/// The vocabulary, checked: what the builders work from.
pub struct Checked<'a> {
    pub raw: &'a Vocabulary<'a>,
    pub tokens: Vec<&'a str>,
    pub types: Vec<Type>,
}

impl<'a> Checked<'a> {
    fn new(raw: &'a Vocabulary<'a>) -> Result<Self> {
        let n = raw.tokens.len();
        if n == 0 || n > MAX_VOCABULARY {
            return Err(Error::corrupt(format!("{n} tokens, from 1 to {MAX_VOCABULARY}")));
        }
        for (what, length) in [("scores", raw.scores.len()), ("token types", raw.types.len())] {
            if length != 0 && length != n {
                return Err(Error::corrupt(format!("{length} {what} for {n} tokens")));
            }
        }
        let tokens: Result<Vec<&str>> =
            raw.tokens.iter().enumerate().map(|(id, token)| checked_token(id, token)).collect();
        let types: Result<Vec<Type>> = (0..n)
            .map(|id| {
                let value = raw.types.get(id).copied().unwrap_or(1);
                Type::of(value).ok_or_else(|| Error::corrupt(format!("token {id} has type {value}, at most 6")))
            })
            .collect();
        if let Some(id) = raw.scores.iter().position(|score| !score.is_finite()) {
            return Err(Error::corrupt(format!("token {id} has score {}", raw.scores[id])));
        }
        let mut checked = Self { raw, tokens: tokens?, types: types? };
        for (what, id) in [
            ("bos", raw.bos),
            ("eos", raw.eos),
            ("unknown", raw.unknown),
            ("separator", raw.separator),
            ("cls", raw.cls),
        ] {
            if id < -1 || id >= n as i32 {
                return Err(Error::corrupt(format!("{what} token {id} of {n} tokens")));
            }
        }
        if let Some(id) = checked.token_or(raw.unknown, None) {
            checked.types[id as usize] = Type::Unknown;
        }
        Ok(checked)
    }

    /// A token id of the file, or the kind's usual one.
    pub fn token_or(&self, id: i32, usual: Option<u32>) -> Option<u32> {
        u32::try_from(id).ok().or(usual).filter(|&id| (id as usize) < self.tokens.len())
    }

    /// Control, unknown and user-defined tokens are found before the model runs. `spell` gives their text.
    pub fn added(&self, spell: impl Fn(&str) -> String) -> Vec<(u32, AddedToken)> {
        let kinds = self.tokens.iter().zip(&self.types).enumerate();
        let added = kinds.filter(|(_, (_, kind))| kind.is_added());
        added
            .map(|(id, (token, kind))| (id as u32, AddedToken::from(spell(token), kind.is_special()).normalized(false)))
            .collect()
    }

    pub fn entries(&self, spell: impl Fn(&str) -> String) -> Vec<Entry> {
        let kinds = self.tokens.iter().zip(&self.types);
        kinds
            .map(|(token, kind)| Entry { piece: spell(token), added: kind.is_added(), special: kind.is_special() })
            .collect()
    }

    /// Text to id; of equal tokens the first one counts. Left out: empty tokens and those `leave_out` names.
    pub fn map(&self, spell: impl Fn(&str) -> String, leave_out: impl Fn(Type) -> bool) -> AHashMap<String, u32> {
        let mut map = AHashMap::with_capacity(self.tokens.len());
        for (id, (token, kind)) in self.tokens.iter().zip(&self.types).enumerate() {
            if !token.is_empty() && !leave_out(*kind) {
                map.entry(spell(token)).or_insert(id as u32);
            }
        }
        map
    }

    /// As `map`, for the tables. The entries are those of all tokens.
    pub fn lookup<'b>(&self, entries: &'b [Entry], leave_out: impl Fn(Type) -> bool) -> Lookup<'b> {
        let mut lookup = Lookup::new(entries);
        for (id, kind) in self.types.iter().enumerate() {
            if !entries[id].piece.is_empty() && !leave_out(*kind) {
                lookup.add(id as u32);
            }
        }
        lookup
    }

    /// Those of the two that go around a text when special tokens are asked for. `usual`: where the file does not say.
    pub fn around(&self, before: Option<u32>, after: Option<u32>, usual: (bool, bool)) -> (Option<u32>, Option<u32>) {
        let begins = self.raw.add_bos.unwrap_or(usual.0);
        let ends = self.raw.add_eos.unwrap_or(usual.1);
        (before.filter(|_| begins), after.filter(|_| ends))
    }

    pub fn frame(&self, before: Option<u32>, after: Option<u32>, usual: (bool, bool)) -> Frame {
        let (before, after) = self.around(before, after, usual);
        Frame::Ids { before: before.into_iter().collect(), after: after.into_iter().collect() }
    }
}

fn checked_token(id: usize, token: &[u8]) -> Result<&str> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Error::corrupt(format!("token {id} has {} bytes, at most {MAX_TOKEN_BYTES}", token.len())));
    }
    std::str::from_utf8(token).map_err(|_| Error::corrupt(format!("token {id} is not UTF-8")))
}

type Builder = fn(&Checked) -> Result<Tokenizer>;

const KINDS: &[(&str, Builder)] =
    &[("gpt2", byte_level), ("llama", sentencepiece::bpe), ("bert", word_piece), ("t5", sentencepiece::unigram)];

pub fn from_vocabulary(vocabulary: &Vocabulary) -> Result<Tokenizer> {
    let Some((_, build)) = KINDS.iter().find(|(kind, _)| *kind == vocabulary.kind) else {
        let known: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
        let shown: String = vocabulary.kind.chars().take(64).collect();
        return Err(Error::unsupported(format!(
            "tokenizer kind \"{shown}\" is not known; known are {}",
            known.join(", ")
        )));
    };
    build(&Checked::new(vocabulary)?)
}

/// "a b": the first space after the first character parts the two.
pub fn merge(index: usize, line: &[u8]) -> Result<(&str, &str)> {
    let shown = || String::from_utf8_lossy(&line[..line.len().min(64)]).into_owned();
    let text = std::str::from_utf8(line).map_err(|_| Error::corrupt(format!("merge {index} is not UTF-8")))?;
    let first = text.chars().next().map_or(0, char::len_utf8);
    match text[first..].find(' ') {
        Some(rest) => Ok((&text[..first + rest], &text[first + rest + 1..])),
        None => Err(Error::corrupt(format!("merge {index} \"{}\" is not two tokens", shown()))),
    }
}

/// The file's merges, without those that the vocabulary lacks a token for: a part, or the result. Converters leave
/// such lines where they left tokens out; no text can use them. Also how many they are.
pub fn merges_within(checked: &Checked, lookup: &Lookup) -> Result<(Vec<Merge>, u32)> {
    let lines = &checked.raw.merges;
    if lines.len() > MAX_MERGES {
        return Err(Error::corrupt(format!("{} merges, at most {MAX_MERGES}", lines.len())));
    }
    let mut kept = Vec::with_capacity(lines.len());
    let mut result = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let (left, right) = merge(index, line)?;
        result.clear();
        result.extend_from_slice(left.as_bytes());
        result.extend_from_slice(right.as_bytes());
        let ids = [left.as_bytes(), right.as_bytes(), &result].map(|piece| lookup.find(piece));
        if let [Some(left), Some(right), Some(result)] = ids {
            kept.push([left, right, result]);
        }
    }
    let skipped = lines.len() - kept.len();
    Ok((kept, skipped as u32))
}

/// Byte-level BPE (GPT-2 and nearly all since).
fn byte_level(checked: &Checked) -> Result<Tokenizer> {
    let pre = pre_tokenizers::find(checked.raw.pre)?;
    // Where whole pieces are looked up, a control token must not be found in plain text.
    let leave_out = |kind: Type| pre.ignore_merges && kind.is_special();
    let entries = checked.entries(str::to_owned);
    let lookup = checked.lookup(&entries, leave_out);
    let (merges, skipped_merges) = merges_within(checked, &lookup)?;
    let before = checked.token_or(checked.raw.bos, None);
    let eos = checked.token_or(checked.raw.eos, None);
    let after = if pre.add_separator { checked.token_or(checked.raw.separator, eos) } else { eos };
    let (before, after) = checked.around(before, after, (pre.add_bos || pre.add_separator, pre.add_separator));
    let recipe = Recipe {
        family: Family::ByteLevel,
        space_prefix: false,
        before,
        after,
        unknown: None,
        skipped_merges,
        pre: checked.raw.pre.to_owned(),
    };
    assemble(Tables::make(&entries, Spelling::ByteLevel, Some(&lookup), &merges, &recipe.to_bytes())?)
}

/// GGUF marks the start of a word by U+2581, BERT its continuation by "##"; "[CLS]" and its like are bare in both.
fn word_piece_spelling(token: &str) -> String {
    let bare = token.starts_with('[') && token.ends_with(']');
    match token.strip_prefix('\u{2581}') {
        Some(word) => word.to_owned(),
        None if bare || token.is_empty() => token.to_owned(),
        None => format!("##{token}"),
    }
}

/// As the file's keys say. Where it does not say whether case counts: a vocabulary without capitals can only be used
/// in lower case.
fn bert_normalizer(checked: &Checked) -> BertNormalizer {
    let raw = checked.raw;
    let capitals = || {
        let mut words = checked.tokens.iter().zip(&checked.types).filter(|(_, kind)| **kind == Type::Normal);
        words.any(|(token, _)| !token.starts_with('[') && token.bytes().any(|b| b.is_ascii_uppercase()))
    };
    BertNormalizer::new(
        raw.clean_text.unwrap_or(true),
        raw.handle_chinese_chars.unwrap_or(true),
        raw.strip_accents,
        raw.lowercase.unwrap_or_else(|| !capitals()),
    )
}

fn word_piece(checked: &Checked) -> Result<Tokenizer> {
    let vocabulary = checked.map(word_piece_spelling, |_| false);
    let find = |piece: &str| vocabulary.get(piece).copied();
    let unknown = checked.token_or(checked.raw.unknown, find("[UNK]"));
    let Some(unknown) = unknown.map(|id| word_piece_spelling(checked.tokens[id as usize])) else {
        return Err(Error::corrupt("a bert vocabulary needs an unknown token"));
    };
    let cls = checked.token_or(checked.raw.cls, checked.token_or(checked.raw.bos, find("[CLS]")));
    let separator = checked.token_or(checked.raw.separator, checked.token_or(checked.raw.eos, find("[SEP]")));
    let model = WordPiece::builder()
        .vocab(vocabulary)
        .unk_token(unknown)
        .continuing_subword_prefix("##".to_owned())
        .build()
        .map_err(|e| Error::corrupt(e.to_string()))?;
    let tables = Tables::of_entries(&checked.entries(word_piece_spelling), Spelling::WordPiece)?;
    Tokenizer::new(Parts {
        normalizer: Some(bert_normalizer(checked).into()),
        pre_tokenizer: Some(BertPreTokenizer.into()),
        model: Merger::Crate(Box::new(model.into())),
        decoder: Some(WordPieceDecoder::new("##".to_owned(), true).into()),
        frame: checked.frame(cls, separator, (true, true)),
        added: checked.added(word_piece_spelling),
        tables: Arc::new(tables),
        skipped_merges: 0,
    })
}

/// The piece a Unigram model keeps for a token that plain text must not become.
pub fn hidden_unless_typable(id: usize, token: &str, kind: Type) -> String {
    if token.is_empty() || kind.is_special() || kind == Type::Unused {
        unreachable_piece(id)
    } else {
        token.to_owned()
    }
}
