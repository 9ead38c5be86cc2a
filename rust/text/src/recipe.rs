//! A tokenizer with a BPE of ours, made of its tables and of the few things that stand beside them (`Recipe`). Tables
//! that were just made and those of an earlier start go the same way from here on.

use crate::bpe::{Bpe, Rules};
use crate::error::{Error, Result};
use crate::pre_tokenizers;
use crate::sentencepiece;
use crate::tables::{Bytes, Tables};
use crate::tokenizer::{Frame, Merger, Parts, Tokenizer};
use std::sync::Arc;
use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::AddedToken;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Every byte is a character (GPT-2 and nearly all since).
    ByteLevel,
    /// Llama 1 and 2, Mistral, Gemma.
    SentencePiece,
}

const FAMILIES: [Family; 2] = [Family::ByteLevel, Family::SentencePiece];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    pub family: Family,
    /// A space goes before a text.
    pub space_prefix: bool,
    /// What goes around a text when special tokens are asked for.
    pub before: Option<u32>,
    pub after: Option<u32>,
    pub unknown: Option<u32>,
    pub skipped_merges: u32,
    /// Name of the pre-tokenizer.
    pub pre: String,
}

impl Recipe {
    /// As it stands in the tables.
    pub fn to_bytes(&self) -> Vec<u8> {
        let family = FAMILIES.iter().position(|&family| family == self.family).unwrap_or_default();
        let mut bytes = vec![family as u8, u8::from(self.space_prefix)];
        for id in [self.before, self.after, self.unknown] {
            bytes.extend(id.unwrap_or(u32::MAX).to_le_bytes());
        }
        bytes.extend(self.skipped_merges.to_le_bytes());
        bytes.extend(self.pre.as_bytes());
        bytes
    }

    /// Ids are below n_tokens.
    fn from_bytes(bytes: &[u8], n_tokens: usize) -> Option<Self> {
        let (&[family, prefix], rest) = bytes.split_first_chunk()?;
        let (numbers, pre) = rest.split_first_chunk::<16>()?;
        let number = |at: usize| Some(u32::from_le_bytes(*numbers.get(4 * at..)?.first_chunk()?));
        let id = |at| match number(at)? {
            u32::MAX => Some(None),
            id => ((id as usize) < n_tokens).then_some(Some(id)),
        };
        Some(Self {
            family: *FAMILIES.get(usize::from(family))?,
            space_prefix: prefix != 0,
            before: id(0)?,
            after: id(1)?,
            unknown: id(2)?,
            skipped_merges: number(3)?,
            pre: std::str::from_utf8(pre).ok()?.to_owned(),
        })
    }

    fn frame(&self) -> Frame {
        Frame::Ids { before: self.before.into_iter().collect(), after: self.after.into_iter().collect() }
    }
}

/// Control, unknown and user-defined tokens are found before the model runs.
fn added_of(tables: &Tables) -> Vec<(u32, AddedToken)> {
    let added = (0..tables.len()).filter(|&id| tables.is_added(id));
    added
        .map(|id| {
            let text = String::from_utf8_lossy(tables.piece(id)).into_owned();
            (id as u32, AddedToken::from(text, tables.is_special(id)).normalized(false))
        })
        .collect()
}

pub fn assemble(tables: Tables) -> Result<Tokenizer> {
    let recipe = Recipe::from_bytes(tables.about(), tables.len())
        .ok_or_else(|| Error::corrupt("tables of a vocabulary: no tokenizer beside them"))?;
    let tables = Arc::new(tables);
    let (normalizer, pre_tokenizer, decoder, rules) = match recipe.family {
        Family::ByteLevel => {
            let pre = pre_tokenizers::find(&recipe.pre)?;
            let rules = Rules { ignore_merges: pre.ignore_merges, ..Rules::default() };
            (pre.normalizer(), Some(pre.build()?), ByteLevel::default().into(), rules)
        }
        Family::SentencePiece => {
            let (normalizer, decoder) = sentencepiece::spaces(recipe.space_prefix)?;
            let rules =
                Rules { unknown: recipe.unknown, fuse_unknown: true, byte_fallback: true, ignore_merges: false };
            (Some(normalizer), None, decoder, rules)
        }
    };
    Tokenizer::new(Parts {
        normalizer,
        pre_tokenizer,
        model: Merger::Bpe(Bpe::new(tables.clone(), rules)),
        decoder: Some(decoder),
        frame: recipe.frame(),
        added: added_of(&tables),
        tables,
        skipped_merges: recipe.skipped_merges as usize,
    })
}

/// From the bytes of `Tables::as_bytes`, of this start or of an earlier one.
pub fn from_tables(bytes: Bytes) -> Result<Tokenizer> {
    assemble(Tables::open(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pieces::{Entry, Spelling};
    use crate::tables::Lookup;

    fn tables(about: &[u8]) -> Tables {
        let entries: Vec<Entry> =
            ["a", "b"].iter().map(|&piece| Entry { piece: piece.to_owned(), ..Entry::default() }).collect();
        Tables::make(&entries, Spelling::Plain, Some(&Lookup::new(&entries)), &[], about).unwrap()
    }

    fn recipe() -> Recipe {
        Recipe {
            family: Family::SentencePiece,
            space_prefix: true,
            before: Some(1),
            after: None,
            unknown: Some(0),
            skipped_merges: 7,
            pre: "smollm".to_owned(),
        }
    }

    #[test]
    fn a_recipe_comes_back() {
        assert_eq!(Recipe::from_bytes(&recipe().to_bytes(), 2), Some(recipe()));
        assert!(assemble(tables(&recipe().to_bytes())).is_ok());
    }

    #[test]
    fn what_is_no_recipe_is_refused() {
        let good = recipe().to_bytes();
        for length in 0..18 {
            assert!(assemble(tables(&good[..length])).is_err(), "{length} bytes");
        }
        for (at, byte) in [(0, 2), (2, 2), (10, 2), (18, 0xFF)] {
            let mut bytes = good.clone();
            bytes[at] = byte;
            assert!(assemble(tables(&bytes)).is_err(), "byte {at}");
        }
        let unknown = Recipe { family: Family::ByteLevel, pre: "no-such".to_owned(), ..recipe() };
        assert!(assemble(tables(&unknown.to_bytes())).is_err());
    }
}
