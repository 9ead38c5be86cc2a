//! SentencePiece vocabularies: BPE by scores (kind "llama") and Unigram (kind "t5").

use crate::error::{Error, Result};
use crate::pieces::Spelling;
use crate::recipe::{assemble, Family, Recipe};
use crate::tables::{Lookup, Merge, Tables};
use crate::tokenizer::{Merger, Parts, Tokenizer};
use crate::vocabulary::{hidden_unless_typable, merges_within, Checked, Type};
use std::sync::Arc;
use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as DecoderSequence;
use tokenizers::decoders::strip::Strip as StripDecoder;
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{Precompiled, Prepend, Replace, Sequence, Strip};
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::{DecoderWrapper, NormalizerWrapper};

const SPACE: &str = "\u{2581}";

/// The merges that scores stand for: every way to part a token into two tokens, best score first. The order
/// of equal scores is that of the reference's converter, since ids depend on it: longer left part, longer right
/// part, then vocabulary order, then ids of the parts.
fn merges_from_scores(checked: &Checked, lookup: &Lookup) -> Vec<Merge> {
    struct Candidate {
        score: f32,
        lengths: (usize, usize),
        merge: Merge,
    }
    let mut candidates = Vec::new();
    for (id, token) in checked.tokens.iter().enumerate() {
        if lookup.find(token.as_bytes()) != Some(id as u32) || checked.types[id].is_special() {
            continue;
        }
        let count = token.chars().count();
        let cuts = token.char_indices().skip(1).enumerate();
        let mut splits: Vec<Candidate> = cuts
            .filter_map(|(before, (at, _))| {
                let (left, right) = token.as_bytes().split_at(at);
                let merge = [lookup.find(left)?, lookup.find(right)?, id as u32];
                Some(Candidate { score: checked.raw.scores[id], lengths: (before + 1, count - before - 1), merge })
            })
            .collect();
        splits.sort_by_key(|split| split.merge);
        candidates.extend(splits);
    }
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.lengths.cmp(&a.lengths)));
    candidates.into_iter().map(|c| c.merge).collect()
}

fn spaces_to_marks() -> Result<NormalizerWrapper> {
    let replace = Replace::new(ReplacePattern::String(" ".to_owned()), SPACE);
    Ok(replace.map_err(|e| Error::internal(e.to_string()))?.into())
}

/// Spaces become marks, and a mark goes before a text if `prefix`; the decoder does the reverse.
pub fn spaces(prefix: bool) -> Result<(NormalizerWrapper, DecoderWrapper)> {
    let mut normalizers: Vec<NormalizerWrapper> = vec![spaces_to_marks()?];
    let marks =
        Replace::new(ReplacePattern::String(SPACE.to_owned()), " ").map_err(|e| Error::internal(e.to_string()))?;
    let mut decoders: Vec<DecoderWrapper> = vec![marks.into(), ByteFallback::new().into(), Fuse::new().into()];
    if prefix {
        normalizers.insert(0, Prepend::new(SPACE.to_owned()).into());
        decoders.push(StripDecoder::new(' ', 1, 0).into());
    }
    Ok((Sequence::new(normalizers).into(), DecoderSequence::new(decoders).into()))
}

/// SentencePiece BPE with byte fallback (Llama 1 and 2, Mistral, Gemma).
pub fn bpe(checked: &Checked) -> Result<Tokenizer> {
    let raw = checked.raw;
    if raw.scores.is_empty() && raw.merges.is_empty() {
        return Err(Error::corrupt("a llama vocabulary needs scores"));
    }
    let unknown = checked.token_or(raw.unknown, Some(0));
    let entries = checked.entries(str::to_owned);
    let mut lookup = checked.lookup(&entries, |kind| kind == Type::Control);
    let (mut merges, skipped_merges) = if raw.scores.is_empty() {
        merges_within(checked, &lookup)?
    } else {
        (merges_from_scores(checked, &lookup), 0)
    };
    if let Some(unknown) = unknown {
        // Its text is this token from here on, in merges too.
        if let Some(before) = lookup.find(checked.tokens[unknown as usize].as_bytes()) {
            merges.as_flattened_mut().iter_mut().filter(|id| **id == before).for_each(|id| *id = unknown);
        }
        lookup.replace(unknown);
    }
    let (bos, eos) = (checked.token_or(raw.bos, Some(1)), checked.token_or(raw.eos, Some(2)));
    let (before, after) = checked.around(bos, eos, (true, false));
    let recipe = Recipe {
        family: Family::SentencePiece,
        space_prefix: raw.add_space_prefix.unwrap_or(true),
        before,
        after,
        unknown,
        skipped_merges,
        pre: String::new(),
    };
    assemble(Tables::make(&entries, Spelling::Metaspace, Some(&lookup), &merges, &recipe.to_bytes())?)
}

/// A charsmap starts with the size in bytes of its trie of 32-bit words, which the crate allocates unasked.
pub fn check_charsmap(head: Option<[u8; 4]>, length: usize) -> Result<()> {
    let size = head.map(|head| u32::from_le_bytes(head) as usize);
    match size {
        Some(size) if size % 4 == 0 && size.saturating_add(4) <= length => Ok(()),
        _ => Err(Error::corrupt(format!("precompiled_charsmap of {length} bytes does not hold its trie"))),
    }
}

/// SentencePiece Unigram (T5, XLM-RoBERTa).
pub fn unigram(checked: &Checked) -> Result<Tokenizer> {
    let raw = checked.raw;
    if raw.scores.is_empty() {
        return Err(Error::corrupt("a t5 vocabulary needs scores"));
    }
    let unknown = checked.token_or(raw.unknown, Some(2));
    let tokens = checked.tokens.iter().zip(&checked.types).zip(raw.scores).enumerate();
    let pieces =
        tokens.map(|(id, ((token, kind), score))| (hidden_unless_typable(id, token, *kind), f64::from(*score)));
    let bytes = checked.types.contains(&Type::Byte);
    let model = Unigram::from(pieces.collect(), unknown.map(|id| id as usize), bytes)
        .map_err(|e| Error::corrupt(e.to_string()))?;
    let mut normalizers: Vec<NormalizerWrapper> = Vec::new();
    if !raw.charsmap.is_empty() {
        check_charsmap(raw.charsmap.first_chunk().copied(), raw.charsmap.len())?;
        let map =
            Precompiled::from(raw.charsmap).map_err(|e| Error::corrupt(format!("precompiled_charsmap: {e:?}")))?;
        normalizers.push(map.into());
    }
    if raw.remove_extra_whitespaces.unwrap_or(true) {
        let runs = Replace::new(ReplacePattern::Regex(" {2,}".to_owned()), SPACE);
        normalizers.push(Strip::new(false, true).into());
        normalizers.push(runs.map_err(|e| Error::internal(e.to_string()))?.into());
    }
    let scheme = if raw.add_space_prefix.unwrap_or(true) { PrependScheme::Always } else { PrependScheme::Never };
    let space = Metaspace::new('\u{2581}', scheme, true);
    let keep = |text: &str| text.to_owned();
    let (bos, eos) = (checked.token_or(raw.bos, None), checked.token_or(raw.eos, Some(1)));
    let tables = Tables::of_entries(&checked.entries(keep), Spelling::Metaspace)?;
    Tokenizer::new(Parts {
        normalizer: Some(Sequence::new(normalizers).into()),
        pre_tokenizer: Some(space.clone().into()),
        model: Merger::Crate(Box::new(model.into())),
        decoder: Some(space.into()),
        frame: checked.frame(bos, eos, (false, true)),
        added: checked.added(keep),
        tables: Arc::new(tables),
        skipped_merges: 0,
    })
}
