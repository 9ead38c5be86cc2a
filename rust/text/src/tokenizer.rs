//! A tokenizer: the parts of the `tokenizers` crate, run in its order, with added tokens found by us.

use crate::added::{Added, AddedTokens, PlainRanges};
use crate::bpe::Bpe;
use crate::error::{Error, Result};
use crate::pieces::{Entry, Spelling, MAX_VOCABULARY};
use crate::sentencepiece::check_charsmap;
use crate::tables::Tables;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use tokenizers::tokenizer::pre_tokenizer::OffsetType;
use tokenizers::{
    AddedToken, Decoder, DecoderWrapper, Model, ModelWrapper, Normalizer, NormalizerWrapper, PostProcessor,
    PostProcessorWrapper, PreTokenizedString, PreTokenizer, PreTokenizerWrapper, Token,
};

/// A longer text is refused: while it is split every byte of it costs some 50 bytes.
pub const MAX_TEXT_BYTES: usize = 64 << 20;

/// What goes around a text when special tokens are asked for.
pub enum Frame {
    Processor(PostProcessorWrapper),
    Ids { before: Vec<u32>, after: Vec<u32> },
    None,
}

/// What makes tokens of a piece of text.
pub enum Merger {
    /// Ours, for the BPE of a vocabulary: the crate's takes half a second to make of a large one.
    Bpe(Bpe),
    Crate(Box<ModelWrapper>),
}

impl Merger {
    fn tokenize(&self, text: &str) -> tokenizers::Result<Vec<Token>> {
        match self {
            Self::Bpe(bpe) => {
                // Nobody reads a token's text and place: OffsetType::None leaves both out.
                let token = |&id: &u32| Token::new(id, String::new(), (0, 0));
                Ok(bpe.encode(text, |ids| ids.iter().map(token).collect()))
            }
            Self::Crate(model) => model.tokenize(text),
        }
    }

    fn token_to_id(&self, text: &str) -> Option<u32> {
        match self {
            Self::Bpe(bpe) => bpe.token_to_id(text),
            Self::Crate(model) => model.token_to_id(text),
        }
    }
}

pub struct Parts {
    pub normalizer: Option<NormalizerWrapper>,
    pub pre_tokenizer: Option<PreTokenizerWrapper>,
    pub model: Merger,
    pub decoder: Option<DecoderWrapper>,
    pub frame: Frame,
    pub added: Vec<Added>,
    pub tables: Arc<Tables>,
    /// Merges of the file that no text can use.
    pub skipped_merges: usize,
}

pub struct Tokenizer {
    normalizer: Option<NormalizerWrapper>,
    pre_tokenizer: Option<PreTokenizerWrapper>,
    model: Merger,
    decoder: Option<DecoderWrapper>,
    frame: Frame,
    added: AddedTokens,
    added_ids: HashMap<String, u32>,
    tables: Arc<Tables>,
    skipped_merges: usize,
}

#[derive(Deserialize)]
struct JsonAdded {
    id: u32,
    #[serde(flatten)]
    token: AddedToken,
}

#[derive(Deserialize)]
struct JsonTokenizer {
    #[serde(default)]
    added_tokens: Vec<JsonAdded>,
    #[serde(default)]
    normalizer: serde_json::Value,
    #[serde(default)]
    pre_tokenizer: Option<PreTokenizerWrapper>,
    model: serde_json::Value,
    #[serde(default)]
    post_processor: Option<PostProcessorWrapper>,
    #[serde(default)]
    decoder: Option<DecoderWrapper>,
}

/// A string no text can become, since its space would have become U+2581: the model keeps its ids, and
/// the token cannot be typed.
pub fn unreachable_piece(id: usize) -> String {
    format!("\0 token {id}")
}

/// A Unigram model finds its control tokens ("</s>") in any text; hide them from it.
fn hide_special_unigrams(model: &mut serde_json::Value, added: &[JsonAdded]) {
    if model.get("type").and_then(|t| t.as_str()) != Some("Unigram") {
        return;
    }
    let special: std::collections::HashSet<&str> =
        added.iter().filter(|a| a.token.special).map(|a| a.token.content.as_str()).collect();
    let Some(vocabulary) = model.get_mut("vocab").and_then(|v| v.as_array_mut()) else { return };
    for (id, pair) in vocabulary.iter_mut().enumerate() {
        let Some(piece) = pair.get_mut(0) else { continue };
        if piece.as_str().is_some_and(|text| special.contains(text)) {
            *piece = unreachable_piece(id).into();
        }
    }
}

/// The first four bytes of base64 text.
fn base64_head(text: &str) -> Option<[u8; 4]> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = 0_u64;
    for c in text.as_bytes().first_chunk::<6>()? {
        bits = bits << 6 | DIGITS.iter().position(|digit| digit == c)? as u64;
    }
    let [.., a, b, c, d] = (bits >> 4).to_be_bytes();
    Some([a, b, c, d])
}

/// Every precompiled_charsmap in a normalizer, before the crate reads it.
fn check_charsmaps(normalizer: &serde_json::Value) -> Result<()> {
    match normalizer {
        serde_json::Value::Array(items) => items.iter().try_for_each(check_charsmaps),
        serde_json::Value::Object(fields) => fields.iter().try_for_each(|(key, field)| match field.as_str() {
            Some(text) if key == "precompiled_charsmap" => check_charsmap(base64_head(text), text.len() / 4 * 3),
            _ => check_charsmaps(field),
        }),
        _ => Ok(()),
    }
}

fn vocabulary_of(model: &ModelWrapper) -> HashMap<String, u32> {
    match model {
        // Unigram's own map keeps one id of equal pieces; its list has them all.
        ModelWrapper::Unigram(unigram) => {
            unigram.iter().enumerate().map(|(id, (piece, _))| (piece.clone(), id as u32)).collect()
        }
        _ => model.get_vocab(),
    }
}

pub fn from_json(json: &[u8]) -> Result<Tokenizer> {
    let mut raw: JsonTokenizer =
        serde_json::from_slice(json).map_err(|e| Error::corrupt(format!("tokenizer.json: {e}")))?;
    check_charsmaps(&raw.normalizer)?;
    let normalizer: Option<NormalizerWrapper> = serde_json::from_value(raw.normalizer)
        .map_err(|e| Error::corrupt(format!("tokenizer.json: normalizer: {e}")))?;
    hide_special_unigrams(&mut raw.model, &raw.added_tokens);
    let model: ModelWrapper =
        serde_json::from_value(raw.model).map_err(|e| Error::corrupt(format!("tokenizer.json: model: {e}")))?;
    let vocabulary = vocabulary_of(&model);
    let added: Vec<Added> =
        raw.added_tokens.into_iter().map(|a| (model.token_to_id(&a.token.content).unwrap_or(a.id), a.token)).collect();
    let highest = vocabulary.values().copied().chain(added.iter().map(|a| a.0)).max();
    let size = highest.map_or(0, |id| id as usize + 1);
    if size > MAX_VOCABULARY {
        return Err(Error::corrupt(format!("tokenizer.json: token id {}, at most {MAX_VOCABULARY}", size - 1)));
    }
    let mut entries = vec![Entry::default(); size];
    for (piece, id) in vocabulary {
        entries[id as usize].piece = piece;
    }
    for (id, token) in &added {
        entries[*id as usize] = Entry { piece: token.content.clone(), added: true, special: token.special };
    }
    let tables = Tables::of_entries(&entries, Spelling::of(raw.decoder.as_ref()))?;
    Tokenizer::new(Parts {
        normalizer,
        pre_tokenizer: raw.pre_tokenizer,
        model: Merger::Crate(Box::new(model)),
        decoder: raw.decoder,
        frame: raw.post_processor.map_or(Frame::None, Frame::Processor),
        added,
        tables: Arc::new(tables),
        skipped_merges: 0,
    })
}

/// The text as UTF-8, and the ranges moved along with it. Bytes that are not UTF-8 become U+FFFD, one for
/// each maximal prefix of a well-formed sequence.
fn to_utf8<'a>(text: &'a [u8], plain: &[Range<usize>]) -> (Cow<'a, str>, Vec<Range<usize>>) {
    if let Ok(valid) = std::str::from_utf8(text) {
        return (Cow::Borrowed(valid), plain.to_vec());
    }
    let mut out = String::with_capacity(text.len() + 16);
    // (end of a stretch before, its end after), ascending.
    let mut ends = vec![(0, 0)];
    let mut read = 0;
    for chunk in text.utf8_chunks() {
        read += chunk.valid().len();
        out.push_str(chunk.valid());
        ends.push((read, out.len()));
        if !chunk.invalid().is_empty() {
            read += chunk.invalid().len();
            out.push(char::REPLACEMENT_CHARACTER);
            ends.push((read, out.len()));
        }
    }
    let moved = |position: usize| {
        let next = ends.partition_point(|end| end.0 < position);
        let (before, after) = ends[next.min(ends.len() - 1)];
        // Inside a valid stretch both texts run in step, counted from its end; inside an invalid one,
        // its end will do.
        after - (before - position.min(before)).min(after)
    };
    let ranges = plain.iter().map(|r| moved(r.start)..moved(r.end)).collect();
    (Cow::Owned(out), ranges)
}

fn failed(e: tokenizers::Error) -> Error {
    Error::internal(e.to_string())
}

impl Tokenizer {
    pub fn new(parts: Parts) -> Result<Self> {
        let added_ids = parts.added.iter().map(|(id, token)| (token.content.clone(), *id)).collect();
        Ok(Self {
            added: AddedTokens::new(parts.added, parts.normalizer.as_ref())?,
            normalizer: parts.normalizer,
            pre_tokenizer: parts.pre_tokenizer,
            model: parts.model,
            decoder: parts.decoder,
            frame: parts.frame,
            added_ids,
            tables: parts.tables,
            skipped_merges: parts.skipped_merges,
        })
    }

    pub fn encode(&self, text: &[u8], plain: &[Range<usize>], add_special: bool) -> Result<Vec<u32>> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(Error::invalid(format!("a text of {} bytes, at most {MAX_TEXT_BYTES}", text.len())));
        }
        let (text, plain) = to_utf8(text, plain);
        let plain = PlainRanges(plain);
        let mut pieces = PreTokenizedString::from(text.as_ref());
        pieces.split(|_, piece| Ok(self.added.split_raw(piece, &plain))).map_err(failed)?;
        pieces
            .split(|_, mut piece| {
                if let Some(normalizer) = &self.normalizer {
                    normalizer.normalize(&mut piece)?;
                }
                Ok(self.added.split_normalized(piece, &plain))
            })
            .map_err(failed)?;
        if let Some(pre_tokenizer) = &self.pre_tokenizer {
            pre_tokenizer.pre_tokenize(&mut pieces).map_err(failed)?;
        }
        pieces.tokenize(|piece| self.model.tokenize(piece.get())).map_err(failed)?;
        let encoding = pieces.into_encoding(None, 0, OffsetType::None).map_err(failed)?;
        match &self.frame {
            Frame::Processor(processor) if add_special => {
                let framed = processor.process(encoding, None, true).map_err(failed)?;
                Ok(framed.get_ids().to_vec())
            }
            Frame::Ids { before, after } if add_special => Ok([before, encoding.get_ids(), after].concat()),
            _ => Ok(encoding.get_ids().to_vec()),
        }
    }

    /// The whole text as valid UTF-8, by the decoder of the original. Ids outside the vocabulary give nothing.
    pub fn decode(&self, ids: &[i32], special: bool) -> Result<String> {
        let kept = ids.iter().filter_map(|&id| {
            let id = usize::try_from(id).ok().filter(|&id| id < self.tables.len())?;
            let wanted = special || !self.tables.is_special(id);
            wanted.then(|| String::from_utf8_lossy(self.tables.piece(id)).into_owned())
        });
        let tokens: Vec<String> = kept.collect();
        match &self.decoder {
            Some(decoder) => decoder.decode(tokens).map_err(failed),
            None => Ok(tokens.join(" ")),
        }
    }

    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    pub fn skipped_merges(&self) -> usize {
        self.skipped_merges
    }

    pub fn id_of(&self, piece: &str) -> Option<u32> {
        self.added_ids.get(piece).copied().or_else(|| self.model.token_to_id(piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charsmap_that_lies_about_its_size_is_refused() {
        assert_eq!(base64_head("/////w=="), Some([255; 4]));
        assert_eq!(base64_head("AAECAw=="), Some([0, 1, 2, 3]));
        let json = r#"{"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0.0]]},
            "normalizer":{"type":"Sequence","normalizers":[{"type":"Precompiled","precompiled_charsmap":"/////w=="}]}}"#;
        let error = from_json(json.as_bytes()).err().unwrap();
        assert_eq!(error.code, crate::error::Code::Corrupt);
        assert!(error.message.contains("charsmap"));
    }

    #[test]
    fn ranges_move_with_what_is_replaced() {
        let (text, ranges) = to_utf8(b"\xFFab\xE2\x82c", &[1..2, 2..5, 5..6]);
        assert_eq!(text, "\u{FFFD}ab\u{FFFD}c");
        assert_eq!(ranges, vec![3..4, 4..8, 8..9]);
    }
}
