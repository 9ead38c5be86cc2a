//! Tokenizers, chat templates and grammars for Quern, behind the C ABI of include/quern_text.h.
//!
//! The crates `tokenizers` and `llguidance` do the work for the first and the last; jinja/ renders templates; bpe.rs
//! merges the tokens of a GGUF vocabulary, over tables that an earlier start may have made (tables.rs). What
//! else stands here turns GGUF vocabularies into `tokenizers` parts, tells typed text from the template's own,
//! makes schemas strict, and keeps bounds.

// Every exported function takes pointers from C; what they must point at is said in the header.
#![allow(clippy::missing_safety_doc)]

pub mod abi;
mod added;
mod bpe;
mod error;
mod grammar;
pub mod grammar_abi;
mod grammar_formats;
mod grammar_notes;
mod grammar_parts;
mod grammar_pattern;
mod grammar_schema;
mod grammar_tokens;
mod grammar_tools;
mod jinja;
pub mod memory;
mod pieces;
mod pre_tokenizers;
mod recipe;
mod sentencepiece;
mod tables;
mod template;
pub mod template_abi;
mod tokenizer;
pub mod tokenizer_abi;
mod typed;
mod vocabulary;
