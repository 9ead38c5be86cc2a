//! The vocabulary as llguidance sees it: a trie of the tokens' bytes, and how forced text is cut into tokens.

use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;
use llguidance::toktrie::{SimpleVob, TokRxInfo, TokTrie, TokenId, TokenizerEnv, INVALID_TOKEN};
use std::sync::Arc;

/// The trie holds 1023 bytes at most; longer tokens (long runs of spaces) are never produced.
const LONGEST_TOKEN: usize = 1000;

/// A piece of text that no merge joins to what follows: tokenizers that put a space before a text put it here.
const SENTINEL: &str = "\n";

pub struct Tokens {
    tokenizer: Arc<Tokenizer>,
    trie: TokTrie,
    /// Control tokens: their text can be produced by ordinary tokens only, they themselves where named.
    control: SimpleVob,
}

/// In the trie control tokens start with a byte that no UTF-8 text has, and "<" as llguidance wants it.
fn control_word(piece: &[u8]) -> Vec<u8> {
    let mut word = vec![TokTrie::SPECIAL_TOKEN_MARKER];
    if piece.starts_with(b"<") {
        word.extend_from_slice(piece);
    } else {
        word.push(b'<');
        word.extend_from_slice(piece);
        word.push(b'>');
    }
    word
}

impl Tokens {
    /// ends: the tokens that end an answer, allowed exactly where a grammar may end.
    pub fn new(tokenizer: Arc<Tokenizer>, ends: &[i32]) -> Result<Self> {
        let pieces = tokenizer.tables();
        let n = pieces.len();
        let known = |id: &i32| usize::try_from(*id).is_ok_and(|id| id < n);
        if let Some(id) = ends.iter().find(|id| !known(id)) {
            return Err(Error::invalid(format!("end token {id} of a vocabulary of {n} tokens")));
        }
        let ends: Vec<TokenId> = ends.iter().map(|&id| id as TokenId).collect();
        let is_control = |id: usize| pieces.is_special(id) || ends.contains(&(id as TokenId));
        let word = |id: usize| {
            let word = if is_control(id) { control_word(pieces.bytes(id)) } else { pieces.bytes(id).to_vec() };
            let text = if is_control(id) { &word[1..] } else { &word[..] };
            let usable = word.len() <= LONGEST_TOKEN && !text.contains(&TokTrie::SPECIAL_TOKEN_MARKER);
            if usable {
                word
            } else {
                Vec::new()
            }
        };
        let words: Vec<Vec<u8>> = (0..n).map(word).collect();
        let info = TokRxInfo::new(n as u32, INVALID_TOKEN);
        let mut trie = TokTrie::from(&info, &words);
        if !ends.is_empty() {
            trie = trie.with_eos_tokens(&ends);
        }
        let mut control = trie.alloc_token_set();
        for id in (0..n).filter(|&id| is_control(id)) {
            control.allow_token(id as TokenId);
        }
        Ok(Self { tokenizer, trie, control })
    }

    pub fn control(&self) -> &SimpleVob {
        &self.control
    }
    pub fn trie(&self) -> &TokTrie {
        &self.trie
    }
    pub fn is_end(&self, id: TokenId) -> bool {
        self.trie.eos_tokens().contains(&id)
    }
    pub fn piece(&self, id: usize) -> &[u8] {
        self.tokenizer.tables().piece(id)
    }
    #[cfg(test)]
    pub fn piece_bytes(&self, id: usize) -> &[u8] {
        self.tokenizer.tables().bytes(id)
    }

    /// The tokenizer's own ids of `text`, if they spell it byte for byte.
    fn exact(&self, text: &str) -> Option<Vec<TokenId>> {
        let spells = |ids: &[TokenId], text: &str| {
            let mut rest = text.as_bytes();
            let next = |id: &TokenId| {
                rest = rest.strip_prefix(self.trie.token(*id)).filter(|_| !self.trie.token(*id).is_empty())?;
                Some(())
            };
            ids.iter().map(next).all(|step| step.is_some()) && rest.is_empty()
        };
        let encode = |text: &str| {
            let whole = 0..text.len();
            self.tokenizer.encode(text.as_bytes(), std::slice::from_ref(&whole), false).ok()
        };
        let ids = encode(text)?;
        if spells(&ids, text) {
            return Some(ids);
        }
        let ids = encode(&format!("{SENTINEL}{text}"))?;
        let alone = encode(SENTINEL)?;
        let ids = ids.strip_prefix(alone.as_slice())?;
        spells(ids, text).then(|| ids.to_vec())
    }
}

impl TokenizerEnv for Tokens {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }
    fn tokenize_bytes(&self, text: &[u8]) -> Vec<TokenId> {
        let exact = std::str::from_utf8(text).ok().and_then(|text| self.exact(text));
        exact.unwrap_or_else(|| self.trie.greedy_tokenize(text))
    }
}
