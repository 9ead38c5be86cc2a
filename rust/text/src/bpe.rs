//! Byte pair encoding over a vocabulary's tables: the ids of the crate's BPE for every text, from tables that need not
//! be made at every start.

use crate::tables::Tables;
use ahash::AHashMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, RwLock};

/// Words whose ids are kept, and the longest of them.
const MAX_WORDS: usize = 10_000;
const MAX_WORD_BYTES: usize = 256;

/// What is not in the tables; the names are the crate's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// Stands for a character that no token is; without it such a character gives nothing.
    pub unknown: Option<u32>,
    pub fuse_unknown: bool,
    /// A character that no token is becomes its bytes' tokens, where there are all of them.
    pub byte_fallback: bool,
    /// A text that is a token is taken whole, whatever the merges say.
    pub ignore_merges: bool,
}

pub struct Bpe {
    tables: Arc<Tables>,
    rules: Rules,
    /// The tokens "<0x00>" to "<0xFF>"; empty without byte_fallback.
    byte_ids: Vec<Option<u32>>,
    words: RwLock<AHashMap<Box<str>, Box<[u32]>>>,
}

/// Part of a word; the parts are linked, so that a merge costs the same at every place.
#[derive(Clone, Copy)]
struct Part {
    id: u32,
    previous: Option<u32>,
    next: Option<u32>,
    gone: bool,
}

/// Lowest rank first, then the leftmost.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    rank: u32,
    at: u32,
    result: u32,
}

impl Bpe {
    pub fn new(tables: Arc<Tables>, rules: Rules) -> Self {
        let named = |byte: u8| tables.find(format!("<{byte:#04X}>").as_bytes());
        let byte_ids = if rules.byte_fallback { (0..=255).map(named).collect() } else { Vec::new() };
        Self { tables, rules, byte_ids, words: RwLock::default() }
    }

    pub fn token_to_id(&self, text: &str) -> Option<u32> {
        self.tables.find(text.as_bytes())
    }

    /// What `take` makes of the ids of a text.
    pub fn encode<T>(&self, text: &str, take: impl FnOnce(&[u32]) -> T) -> T {
        if text.is_empty() {
            return take(&[]);
        }
        if self.rules.ignore_merges {
            if let Some(id) = self.token_to_id(text) {
                return take(&[id]);
            }
        }
        // Threads do not wait for each other: a word that cannot be looked up now is computed.
        if let Ok(words) = self.words.try_read() {
            if let Some(ids) = words.get(text) {
                return take(ids);
            }
        }
        let mut parts = Vec::with_capacity(text.len());
        self.cut(text, &mut |id| parts.push(id));
        let ids = self.merge(&parts);
        let taken = take(&ids);
        if text.len() < MAX_WORD_BYTES {
            if let Ok(mut words) = self.words.try_write() {
                if words.len() < MAX_WORDS {
                    words.insert(text.into(), ids.into());
                }
            }
        }
        taken
    }

    /// One token for each character, or what stands for it.
    fn cut(&self, text: &str, put: &mut dyn FnMut(u32)) {
        let mut unknown = false;
        let mut buffer = [0; 4];
        for c in text.chars() {
            let c = c.encode_utf8(&mut buffer).as_bytes();
            if let Some(id) = self.tables.find(c) {
                if std::mem::take(&mut unknown) {
                    self.rules.unknown.into_iter().for_each(&mut *put);
                }
                put(id);
                continue;
            }
            let byte_id = |byte: &u8| self.byte_ids.get(usize::from(*byte)).copied().flatten();
            if c.iter().all(|byte| byte_id(byte).is_some()) {
                // One that is to be fused with later ones goes behind these, as it does in the crate.
                c.iter().filter_map(byte_id).for_each(&mut *put);
                continue;
            }
            if std::mem::replace(&mut unknown, self.rules.unknown.is_some()) && !self.rules.fuse_unknown {
                self.rules.unknown.into_iter().for_each(&mut *put);
            }
        }
        if unknown {
            self.rules.unknown.into_iter().for_each(put);
        }
    }

    fn merge(&self, ids: &[u32]) -> Vec<u32> {
        let last = ids.len().saturating_sub(1);
        let linked = |(at, &id): (usize, &u32)| Part {
            id,
            // A text has at most MAX_TEXT_BYTES.
            previous: (at as u32).checked_sub(1),
            next: (at < last).then_some(at as u32 + 1),
            gone: false,
        };
        let mut parts: Vec<Part> = ids.iter().enumerate().map(linked).collect();
        let candidate = |at: u32, left: u32, right: u32| {
            self.tables.merge(left, right).map(|(rank, result)| Reverse(Candidate { rank, at, result }))
        };
        let pairs = ids.windows(2).enumerate();
        let mut queue: BinaryHeap<Reverse<Candidate>> =
            pairs.filter_map(|(at, pair)| candidate(at as u32, pair[0], pair[1])).collect();
        while let Some(Reverse(Candidate { at, result, .. })) = queue.pop() {
            let left = parts[at as usize];
            let (false, Some(next)) = (left.gone, left.next) else { continue };
            let right = parts[next as usize];
            // The pair may have changed since it was queued.
            if self.tables.merge(left.id, right.id).is_none_or(|(_, now)| now != result) {
                continue;
            }
            parts[at as usize] = Part { id: result, next: right.next, ..left };
            parts[next as usize].gone = true;
            if let Some(after) = right.next {
                parts[after as usize].previous = Some(at);
                queue.extend(candidate(at, result, parts[after as usize].id));
            }
            if let Some(before) = left.previous {
                queue.extend(candidate(before, parts[before as usize].id, result));
            }
        }
        parts.iter().filter(|part| !part.gone).map(|part| part.id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pieces::{Entry, Spelling};
    use crate::tables::{Lookup, Merge};
    use tokenizers::models::bpe::BPE;
    use tokenizers::Model;

    struct Random(u64);

    impl Random {
        fn below(&mut self, n: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % n
        }
    }

    const ALPHABET: [&str; 8] = ["a", "b", "c", "é", "x", "\u{2581}", "😀", "\n"];

    fn random_text(random: &mut Random, longest: usize) -> String {
        (0..random.below(longest) + 1).map(|_| ALPHABET[random.below(ALPHABET.len())]).collect()
    }

    /// Random pieces over part of the alphabet, some twice; random merges of them, some twice.
    fn random_models(random: &mut Random) -> (BPE, Bpe) {
        let mut pieces: Vec<String> = ALPHABET[..4 + random.below(4)].iter().map(|&c| c.to_owned()).collect();
        if random.below(2) == 0 {
            pieces.extend((0..=255).filter(|byte| byte % 16 != 7).map(|byte| format!("<0x{byte:02X}>")));
        }
        let mut merges: Vec<(String, String)> = Vec::new();
        for _ in 0..random.below(60) {
            let (left, right) =
                (pieces[random.below(pieces.len())].clone(), pieces[random.below(pieces.len())].clone());
            if left.starts_with('<') || right.starts_with('<') || left.len() + right.len() > 24 {
                continue;
            }
            if !pieces.contains(&format!("{left}{right}")) || random.below(8) == 0 {
                pieces.push(format!("{left}{right}"));
            }
            merges.push((left, right));
        }
        for at in (1..merges.len()).rev() {
            merges.swap(at, random.below(at + 1));
        }
        if let Some(again) = merges.first().cloned() {
            merges.push(again);
        }
        pieces.push("<unk>".to_owned());
        let entries: Vec<Entry> =
            pieces.iter().map(|piece| Entry { piece: piece.clone(), ..Entry::default() }).collect();
        let mut lookup = Lookup::new(&entries);
        (0..entries.len() as u32).for_each(|id| lookup.add(id));
        let find = |text: &str| lookup.find(text.as_bytes()).unwrap();
        let rules = Rules {
            unknown: (random.below(2) == 0).then(|| find("<unk>")),
            fuse_unknown: random.below(2) == 0,
            byte_fallback: random.below(2) == 0,
            ignore_merges: random.below(3) == 0,
        };
        let vocabulary: AHashMap<String, u32> = pieces.iter().map(|piece| (piece.clone(), find(piece))).collect();
        let ids: Vec<Merge> = merges.iter().map(|(l, r)| [find(l), find(r), find(&format!("{l}{r}"))]).collect();
        let mut builder = BPE::builder()
            .vocab_and_merges(vocabulary, merges)
            .fuse_unk(rules.fuse_unknown)
            .byte_fallback(rules.byte_fallback)
            .ignore_merges(rules.ignore_merges);
        if rules.unknown.is_some() {
            builder = builder.unk_token("<unk>".to_owned());
        }
        let tables = Tables::make(&entries, Spelling::Plain, Some(&lookup), &ids, b"").unwrap();
        (builder.build().unwrap(), Bpe::new(Arc::new(tables), rules))
    }

    #[test]
    fn ids_are_those_of_the_crate() {
        let mut random = Random(11);
        for model in 0..400 {
            let (reference, ours) = random_models(&mut random);
            for longest in [1, 3, 8, 20, 20, 60, 300] {
                let text = random_text(&mut random, longest);
                let expected: Vec<u32> = reference.tokenize(&text).unwrap().iter().map(|token| token.id).collect();
                for round in ["computed", "kept"] {
                    assert_eq!(
                        ours.encode(&text, <[u32]>::to_vec),
                        expected,
                        "model {model}, {round}, {:?}, {text:?}",
                        ours.rules
                    );
                }
            }
        }
    }

    #[test]
    fn a_long_word_takes_no_longer_by_the_byte() {
        let mut random = Random(5);
        let (reference, ours) = random_models(&mut random);
        let text = random_text(&mut random, 10).repeat(20_000);
        let ids = ours.encode(&text, <[u32]>::to_vec);
        let expected: Vec<u32> = reference.tokenize(&text).unwrap().iter().map(|token| token.id).collect();
        assert_eq!(ids, expected);
    }
}
