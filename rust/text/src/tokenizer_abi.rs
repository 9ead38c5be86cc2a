//! Tokenizers over the C ABI (include/quern_text.h).

use crate::abi::{answer, slice, ByteRange, Owned, View};
use crate::error::{Code, Error, Result};
use crate::recipe::from_tables;
use crate::tables::{Bytes, Lent};
use crate::tokenizer::{from_json, Tokenizer};
use crate::vocabulary::{from_vocabulary, Vocabulary};
use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::sync::Arc;

#[repr(C)]
pub struct RawVocabulary {
    kind: View,
    pre: View,
    tokens: *const View,
    n_tokens: usize,
    scores: *const f32,
    types: *const i8,
    merges: *const View,
    n_merges: usize,
    bos: i32,
    eos: i32,
    unknown: i32,
    separator: i32,
    cls: i32,
    add_bos: i8,
    add_eos: i8,
    add_space_prefix: i8,
    remove_extra_whitespaces: i8,
    lowercase: i8,
    strip_accents: i8,
    clean_text: i8,
    handle_chinese_chars: i8,
    charsmap: *const u8,
    charsmap_size: usize,
}

fn flag(value: i8) -> Option<bool> {
    (value >= 0).then_some(value != 0)
}

impl RawVocabulary {
    unsafe fn read<'a>(&self) -> Result<Vocabulary<'a>> {
        let optional = |present: bool| if present { self.n_tokens } else { 0 };
        unsafe {
            let tokens = slice(self.tokens, self.n_tokens);
            let merges = slice(self.merges, self.n_merges);
            Ok(Vocabulary {
                kind: self.kind.text("tokenizer.ggml.model")?,
                pre: self.pre.text("tokenizer.ggml.pre")?,
                tokens: tokens.iter().map(|v| v.bytes()).collect(),
                scores: slice(self.scores, optional(!self.scores.is_null())),
                types: slice(self.types, optional(!self.types.is_null())),
                merges: merges.iter().map(|v| v.bytes()).collect(),
                bos: self.bos,
                eos: self.eos,
                unknown: self.unknown,
                separator: self.separator,
                cls: self.cls,
                add_bos: flag(self.add_bos),
                add_eos: flag(self.add_eos),
                add_space_prefix: flag(self.add_space_prefix),
                remove_extra_whitespaces: flag(self.remove_extra_whitespaces),
                lowercase: flag(self.lowercase),
                strip_accents: flag(self.strip_accents),
                clean_text: flag(self.clean_text),
                handle_chinese_chars: flag(self.handle_chinese_chars),
                charsmap: slice(self.charsmap, self.charsmap_size),
            })
        }
    }
}

/// Grammars of a vocabulary hold its tokenizer too (grammar_abi.rs).
fn handle(tokenizer: Tokenizer) -> *mut Tokenizer {
    Arc::into_raw(Arc::new(tokenizer)).cast_mut()
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_tokenizer_from_json(
    json: View,
    out: *mut *mut Tokenizer,
    error: *mut Owned<u8>,
) -> Code {
    unsafe { answer(out, error, || Ok(handle(from_json(json.bytes())?))) }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_tokenizer_from_vocabulary(
    vocabulary: *const RawVocabulary,
    out: *mut *mut Tokenizer,
    error: *mut Owned<u8>,
) -> Code {
    unsafe { answer(out, error, || Ok(handle(from_vocabulary(&(*vocabulary).read()?)?))) }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_tokenizer_from_tables(
    tables: View,
    owner: *mut c_void,
    release: extern "C" fn(*mut c_void),
    out: *mut *mut Tokenizer,
    error: *mut Owned<u8>,
) -> Code {
    unsafe {
        let lent = Bytes::Lent(Lent::new(tables.bytes(), owner, release));
        answer(out, error, || Ok(handle(from_tables(lent)?)))
    }
}

/// Empty where the tables alone do not make the tokenizer again.
#[no_mangle]
pub unsafe extern "C" fn quern_text_tokenizer_tables(tokenizer: *const Tokenizer) -> View {
    let tables = unsafe { (*tokenizer).tables() };
    View::of(if tables.about().is_empty() { &[] } else { tables.as_bytes() })
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_tokenizer_free(tokenizer: *mut Tokenizer) {
    if !tokenizer.is_null() {
        drop(unsafe { Arc::from_raw(tokenizer) });
    }
}

/// Ascending, disjoint and inside the text; empty ones drop out.
fn checked_ranges(ranges: &[ByteRange], length: usize) -> Result<Vec<Range<usize>>> {
    let mut end = 0;
    for range in ranges {
        if range.first < end || range.last < range.first || range.last > length {
            return Err(Error::invalid(format!(
                "plain range [{}, {}) of a text of {length} bytes: ranges must ascend, not overlap and lie inside",
                range.first, range.last
            )));
        }
        end = range.last;
    }
    Ok(ranges.iter().filter(|r| r.first < r.last).map(|r| r.first..r.last).collect())
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_encode(
    tokenizer: *const Tokenizer,
    text: View,
    plain: *const ByteRange,
    n_plain: usize,
    add_special: c_int,
    out: *mut Owned<i32>,
    error: *mut Owned<u8>,
) -> Code {
    unsafe {
        answer(out, error, || {
            let text = text.bytes();
            let plain = checked_ranges(slice(plain, n_plain), text.len())?;
            let ids = (*tokenizer).encode(text, &plain, add_special != 0)?;
            // Ids are below MAX_VOCABULARY.
            Ok(Owned::new(ids.into_iter().map(|id| id as i32).collect()))
        })
    }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_decode(
    tokenizer: *const Tokenizer,
    ids: *const i32,
    n_ids: usize,
    special: c_int,
    out: *mut Owned<u8>,
    error: *mut Owned<u8>,
) -> Code {
    unsafe {
        answer(out, error, || {
            let text = (*tokenizer).decode(slice(ids, n_ids), special != 0)?;
            Ok(Owned::new(text.into_bytes()))
        })
    }
}

/// Negative ids become one that no vocabulary has.
fn index(id: i32) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_token_bytes(tokenizer: *const Tokenizer, id: i32) -> View {
    View::of(unsafe { (*tokenizer).tables().bytes(index(id)) })
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_token_piece(tokenizer: *const Tokenizer, id: i32) -> View {
    View::of(unsafe { (*tokenizer).tables().piece(index(id)) })
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_token_is_special(tokenizer: *const Tokenizer, id: i32) -> c_int {
    c_int::from(unsafe { (*tokenizer).tables().is_special(index(id)) })
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_token_id(tokenizer: *const Tokenizer, piece: View) -> i32 {
    let text = std::str::from_utf8(unsafe { piece.bytes() }).unwrap_or_default();
    let id = unsafe { (*tokenizer).id_of(text) };
    id.map_or(-1, |id| id as i32)
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_vocabulary_size(tokenizer: *const Tokenizer) -> i32 {
    // At most MAX_VOCABULARY.
    unsafe { (*tokenizer).tables().len() as i32 }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_skipped_merges(tokenizer: *const Tokenizer) -> usize {
    unsafe { (*tokenizer).skipped_merges() }
}
