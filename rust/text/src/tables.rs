//! A vocabulary as flat tables in one stretch of bytes: what a token is, which token a text is, which two tokens
//! merge. They are read where they lie, so that a program can map those of an earlier start instead of making them.
//!
//! Little-endian, in this order, nothing between:
//!
//!   HEADER u32 numbers, named by the constants below
//!   u32 end of each piece in the pieces' text | u32 end of each token's bytes in the bytes' text
//!   u32 slots of the lookup by text: 0, or an id and 1
//!   merges by rank, 3 u32 each: left, right, result | u32 slots of the lookup by pair: 0, or a rank and 1
//!   u8 flags of each token | what the maker wants to be told again (`about`) | the pieces' text | the bytes' text
//!
//! A lookup begins at its key's hash and goes on to the next slot until one is empty. The hash has a seed of its own in
//! every file: a vocabulary cannot be written so that all of its tokens meet.

use crate::error::{Error, Result};
use crate::pieces::{Entry, Spelling, MAX_VOCABULARY};
use std::collections::hash_map::RandomState;
use std::ffi::c_void;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

/// To be raised whenever the same vocabulary gives other bytes, or the same bytes mean something else.
pub const VERSION: u32 = 1;

const VERSION_AT: usize = 0;
const TOKENS: usize = 1;
const TEXT_SLOTS: usize = 2;
const MERGES: usize = 3;
const PAIR_SLOTS: usize = 4;
const SEED: usize = 5; // two of them
const ABOUT: usize = 7; // bytes, here and below
const PIECES: usize = 8;
const BYTES: usize = 9;
const HEADER: usize = 10;

const ADDED: u8 = 1;
const SPECIAL: u8 = 2;

/// Bytes that somebody else owns and is told when they are no longer needed.
pub struct Lent {
    bytes: *const [u8],
    owner: *mut c_void,
    release: extern "C" fn(*mut c_void),
}

// Safety: the bytes are only read; the owner is only handed back, which may happen on any thread (see new).
unsafe impl Send for Lent {}
unsafe impl Sync for Lent {}

impl Lent {
    /// Safety: the bytes stay as they are until `release` is called with `owner`, on whatever thread.
    pub unsafe fn new(bytes: &[u8], owner: *mut c_void, release: extern "C" fn(*mut c_void)) -> Self {
        Self { bytes, owner, release }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        (self.release)(self.owner);
    }
}

pub enum Bytes {
    Own(Vec<u8>),
    Lent(Lent),
}

impl Bytes {
    fn get(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            // Safety: as Lent::new says.
            Self::Lent(lent) => unsafe { &*lent.bytes },
        }
    }
}

fn fold(x: u64) -> u64 {
    let product = u128::from(x) * 0x9b05_688c_2b3e_6c1f_u128;
    (product >> 64) as u64 ^ product as u64
}

fn hash_text(seed: u64, text: &[u8]) -> u64 {
    let mut hash = fold(seed ^ text.len() as u64);
    let mut chunks = text.chunks_exact(8);
    for chunk in &mut chunks {
        hash = fold(hash ^ u64::from_le_bytes(chunk.try_into().unwrap_or_default()));
    }
    let mut rest = [0; 8];
    rest[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    fold(fold(hash ^ u64::from_le_bytes(rest)) ^ seed)
}

fn hash_pair(seed: u64, left: u32, right: u32) -> u64 {
    fold(fold(seed ^ (u64::from(left) << 32 | u64::from(right))) ^ seed)
}

/// A number of slots of which at most two thirds are taken.
fn slots_for(count: usize) -> usize {
    if count == 0 {
        0
    } else {
        (count + count / 2 + 1).next_power_of_two()
    }
}

fn random_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Which token a text is, while tables are made; becomes the slots.
pub struct Lookup<'a> {
    seed: u64,
    /// 0, or an id and 1 below the upper half of the piece's hash: most other pieces are passed over unread.
    slots: Vec<u64>,
    pieces: &'a [Entry],
}

impl<'a> Lookup<'a> {
    /// Room for every piece.
    pub fn new(pieces: &'a [Entry]) -> Self {
        Self { seed: random_seed(), slots: vec![0; slots_for(pieces.len())], pieces }
    }

    /// The slot of a text, and what stands above the id there.
    fn slot(&self, text: &[u8]) -> (usize, u64) {
        let hash = hash_text(self.seed, text);
        let (mask, tag) = (self.slots.len() - 1, hash & !u64::from(u32::MAX));
        let is_other = |slot: u64| {
            slot & !u64::from(u32::MAX) != tag || self.pieces[slot as u32 as usize - 1].piece.as_bytes() != text
        };
        let mut at = hash as usize & mask;
        while self.slots[at] != 0 && is_other(self.slots[at]) {
            at = (at + 1) & mask;
        }
        (at, tag)
    }

    pub fn find(&self, text: &[u8]) -> Option<u32> {
        (self.slots[self.slot(text).0] as u32).checked_sub(1)
    }

    /// Of equal pieces the first one counts.
    pub fn add(&mut self, id: u32) {
        let (slot, tag) = self.slot(self.pieces[id as usize].piece.as_bytes());
        if self.slots[slot] == 0 {
            self.slots[slot] = tag | u64::from(id + 1);
        }
    }

    /// This one counts for its text from now on.
    pub fn replace(&mut self, id: u32) {
        let (slot, tag) = self.slot(self.pieces[id as usize].piece.as_bytes());
        self.slots[slot] = tag | u64::from(id + 1);
    }
}

/// left, right, result
pub type Merge = [u32; 3];

fn pair_slots(seed: u64, merges: &[Merge]) -> Vec<u32> {
    let mut slots = vec![0; slots_for(merges.len())];
    for (rank, &[left, right, _]) in merges.iter().enumerate() {
        let mut at = hash_pair(seed, left, right) as usize & (slots.len() - 1);
        while slots[at] != 0 && merges[slots[at] as usize - 1][..2] != [left, right] {
            at = (at + 1) & (slots.len() - 1);
        }
        // Of equal pairs the last one counts, as in the crate.
        slots[at] = rank as u32 + 1;
    }
    slots
}

struct Layout {
    tokens: usize,
    seed: u64,
    piece_ends: Range<usize>,
    byte_ends: Range<usize>,
    text_slots: Range<usize>,
    merges: Range<usize>,
    pair_slots: Range<usize>,
    flags: Range<usize>,
    about: Range<usize>,
    pieces: Range<usize>,
    bytes: Range<usize>,
}

pub struct Tables {
    bytes: Bytes,
    at: Layout,
}

fn word(bytes: &[u8], index: usize) -> Option<u32> {
    let at = index.checked_mul(4)?;
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap_or_default()))
}

fn damaged(what: &str) -> Error {
    Error::corrupt(format!("tables of a vocabulary: {what}"))
}

impl Layout {
    /// The sections' places; together they are as long as the bytes.
    fn of(bytes: &[u8]) -> Result<Self> {
        let number = |index| word(bytes, index).map(|n| n as usize).ok_or_else(|| damaged("cut short"));
        if number(VERSION_AT)? != VERSION as usize {
            return Err(Error::unsupported("tables of a vocabulary: of another version"));
        }
        let mut end = HEADER * 4;
        let mut take = |count: usize, each: usize| {
            let start = end;
            end = count.checked_mul(each).and_then(|size| start.checked_add(size)).ok_or_else(|| damaged("sizes"))?;
            Ok::<_, Error>(start..end)
        };
        let tokens = number(TOKENS)?;
        let layout = Self {
            tokens,
            seed: (number(SEED)? as u64) | (number(SEED + 1)? as u64) << 32,
            piece_ends: take(tokens, 4)?,
            byte_ends: take(tokens, 4)?,
            text_slots: take(number(TEXT_SLOTS)?, 4)?,
            merges: take(number(MERGES)?, 12)?,
            pair_slots: take(number(PAIR_SLOTS)?, 4)?,
            flags: take(tokens, 1)?,
            about: take(number(ABOUT)?, 1)?,
            pieces: take(number(PIECES)?, 1)?,
            bytes: take(number(BYTES)?, 1)?,
        };
        if end != bytes.len() {
            return Err(damaged("not as long as they say"));
        }
        Ok(layout)
    }

    /// That every number in the tables lies within what it counts.
    fn check(&self, bytes: &[u8]) -> Result<()> {
        if self.tokens > MAX_VOCABULARY {
            return Err(damaged("too many tokens"));
        }
        for (ends, text) in [(&self.piece_ends, &self.pieces), (&self.byte_ends, &self.bytes)] {
            let mut last = 0;
            for end in words(&bytes[ends.clone()]) {
                if end < last {
                    return Err(damaged("ends do not ascend"));
                }
                last = end;
            }
            if last as usize != text.len() {
                return Err(damaged("ends do not fit the text"));
            }
        }
        let merges = self.merges.len() / 12;
        for (slots, count) in [(&self.text_slots, self.tokens), (&self.pair_slots, merges)] {
            let n = slots.len() / 4;
            if (n != 0 && !n.is_power_of_two()) || words(&bytes[slots.clone()]).any(|slot| slot as usize > count) {
                return Err(damaged("slots"));
            }
        }
        if words(&bytes[self.merges.clone()]).any(|id| id as usize >= self.tokens) {
            return Err(damaged("merges of unknown tokens"));
        }
        Ok(())
    }
}

impl Tables {
    /// Checks them as a stranger's.
    pub fn open(bytes: Bytes) -> Result<Self> {
        let at = Layout::of(bytes.get())?;
        at.check(bytes.get())?;
        Ok(Self { bytes, at })
    }

    /// Of tokens that are only to be named and spelt.
    pub fn of_entries(entries: &[Entry], spelling: Spelling) -> Result<Self> {
        Self::make(entries, spelling, None, &[], &[])
    }

    pub fn make(
        entries: &[Entry],
        spelling: Spelling,
        lookup: Option<&Lookup>,
        merges: &[Merge],
        about: &[u8],
    ) -> Result<Self> {
        if entries.len() > MAX_VOCABULARY {
            return Err(Error::corrupt(format!("{} tokens, at most {MAX_VOCABULARY}", entries.len())));
        }
        let seed = lookup.map_or(0, |lookup| lookup.seed);
        let text_slots: Vec<u32> = lookup.iter().flat_map(|lookup| &lookup.slots).map(|&slot| slot as u32).collect();
        let (mut pieces, mut texts) = (Strings::default(), Strings::default());
        for entry in entries {
            pieces.push(entry.piece.as_bytes());
            match entry.added {
                true => texts.push(entry.piece.as_bytes()),
                false => texts.push(&spelling.bytes(&entry.piece)),
            }
        }
        let pair_slots = pair_slots(seed, merges);
        let mut header = [0; HEADER];
        for (at, count) in [
            (TOKENS, entries.len()),
            (TEXT_SLOTS, text_slots.len()),
            (MERGES, merges.len()),
            (PAIR_SLOTS, pair_slots.len()),
            (ABOUT, about.len()),
            (PIECES, pieces.text.len()),
            (BYTES, texts.text.len()),
        ] {
            header[at] = u32::try_from(count).map_err(|_| Error::corrupt("a vocabulary of more than 4 GB"))?;
        }
        header[VERSION_AT] = VERSION;
        header[SEED] = seed as u32;
        header[SEED + 1] = (seed >> 32) as u32;
        let mut bytes = Vec::with_capacity(
            4 * (HEADER + 2 * entries.len() + text_slots.len() + 3 * merges.len() + pair_slots.len())
                + entries.len()
                + about.len()
                + pieces.text.len()
                + texts.text.len(),
        );
        let merges = merges.as_flattened();
        for section in [&header[..], &pieces.ends, &texts.ends, &text_slots, merges, &pair_slots] {
            bytes.extend(section.iter().flat_map(|word| word.to_le_bytes()));
        }
        bytes.extend(
            entries.iter().map(|entry| if entry.added { ADDED } else { 0 } | if entry.special { SPECIAL } else { 0 }),
        );
        for section in [about, &pieces.text, &texts.text] {
            bytes.extend_from_slice(section);
        }
        Self::open(Bytes::Own(bytes))
    }

    fn section(&self, range: &Range<usize>) -> &[u8] {
        &self.bytes.get()[range.clone()]
    }

    fn string(&self, ends: &Range<usize>, text: &Range<usize>, id: usize) -> &[u8] {
        let ends = self.section(ends);
        let Some(end) = word(ends, id) else { return &[] };
        let start = id.checked_sub(1).and_then(|before| word(ends, before)).unwrap_or(0);
        &self.section(text)[start as usize..end as usize]
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get()
    }
    pub fn about(&self) -> &[u8] {
        self.section(&self.at.about)
    }
    pub fn len(&self) -> usize {
        self.at.tokens
    }
    /// The vocabulary's own spelling of a token.
    pub fn piece(&self, id: usize) -> &[u8] {
        self.string(&self.at.piece_ends, &self.at.pieces, id)
    }
    /// What a token is inside a running text.
    pub fn bytes(&self, id: usize) -> &[u8] {
        self.string(&self.at.byte_ends, &self.at.bytes, id)
    }
    fn has(&self, id: usize, flag: u8) -> bool {
        self.section(&self.at.flags).get(id).is_some_and(|flags| flags & flag != 0)
    }
    pub fn is_special(&self, id: usize) -> bool {
        self.has(id, SPECIAL)
    }
    pub fn is_added(&self, id: usize) -> bool {
        self.has(id, ADDED)
    }

    /// The entry of a table with `slots` that begins at `hash` and for which `is` holds.
    fn probe(&self, slots: &Range<usize>, hash: u64, is: impl Fn(usize) -> bool) -> Option<usize> {
        let slots = self.section(slots);
        let count = slots.len() / 4;
        let first = hash as usize & count.checked_sub(1)?;
        // A table made here has empty slots; another one ends too.
        for at in (first..count).chain(0..first) {
            let entry = word(slots, at)?.checked_sub(1)? as usize;
            if is(entry) {
                return Some(entry);
            }
        }
        None
    }

    /// The token that this text is for the model.
    pub fn find(&self, text: &[u8]) -> Option<u32> {
        self.probe(&self.at.text_slots, hash_text(self.at.seed, text), |id| self.piece(id) == text).map(|id| id as u32)
    }

    /// What two tokens become, and with which rank.
    pub fn merge(&self, left: u32, right: u32) -> Option<(u32, u32)> {
        let merges = self.section(&self.at.merges);
        let part = |rank: usize, which: usize| word(merges, 3 * rank + which);
        let rank = self.probe(&self.at.pair_slots, hash_pair(self.at.seed, left, right), |rank| {
            part(rank, 0) == Some(left) && part(rank, 1) == Some(right)
        })?;
        Some((rank as u32, part(rank, 2)?))
    }
}

/// Strings end to end, while tables are made.
#[derive(Default)]
struct Strings {
    text: Vec<u8>,
    ends: Vec<u32>,
}

impl Strings {
    fn push(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
        self.ends.push(self.text.len() as u32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(piece: &str, added: bool) -> Entry {
        Entry { piece: piece.to_owned(), added, special: added }
    }

    fn sample() -> Tables {
        let entries = [entry("a", false), entry("b", false), entry("", false), entry("ab", false), entry("<x>", true)];
        let mut lookup = Lookup::new(&entries);
        [0, 1, 3, 4].into_iter().for_each(|id| lookup.add(id));
        Tables::make(&entries, Spelling::ByteLevel, Some(&lookup), &[[0, 1, 3], [3, 0, 4]], b"about").unwrap()
    }

    /// Calls everything that reads tables.
    fn use_all(tables: &Tables) {
        for id in [0, 1, 2, 3, 4, 5, usize::MAX] {
            let _ = (tables.piece(id), tables.bytes(id), tables.is_special(id), tables.is_added(id));
            let _ = tables.find(tables.piece(id));
        }
        for (left, right) in [(0, 1), (3, 0), (1, 0), (u32::MAX, 7)] {
            let _ = tables.merge(left, right);
        }
        let _ = (tables.about(), tables.find(b"none"));
    }

    #[test]
    fn what_was_put_in_is_found() {
        let made = sample();
        let tables = Tables::open(Bytes::Own(made.as_bytes().to_vec())).unwrap();
        assert_eq!(tables.len(), 5);
        assert_eq!((tables.piece(3), tables.bytes(4), tables.piece(2)), (&b"ab"[..], &b"<x>"[..], &b""[..]));
        assert_eq!((tables.find(b"ab"), tables.find(b""), tables.find(b"ba")), (Some(3), None, None));
        assert_eq!((tables.merge(0, 1), tables.merge(3, 0), tables.merge(1, 0)), (Some((0, 3)), Some((1, 4)), None));
        assert!(tables.is_special(4) && tables.is_added(4) && !tables.is_special(3) && !tables.is_special(9));
        assert_eq!((tables.about(), tables.piece(5), tables.bytes(usize::MAX)), (&b"about"[..], &b""[..], &b""[..]));
    }

    #[test]
    fn equal_keys_follow_the_crate() {
        let entries = [entry("a", false), entry("a", false), entry("b", false)];
        let mut lookup = Lookup::new(&entries);
        (0..3).for_each(|id| lookup.add(id));
        assert_eq!(lookup.find(b"a"), Some(0));
        lookup.replace(1);
        let tables = Tables::make(&entries, Spelling::Plain, Some(&lookup), &[[0, 2, 0], [0, 2, 1]], b"").unwrap();
        assert_eq!((tables.find(b"a"), tables.merge(0, 2)), (Some(1), Some((1, 1))));
    }

    #[test]
    fn damage_is_an_error_or_harmless() {
        let whole = sample().as_bytes().to_vec();
        for length in 0..whole.len() {
            assert!(Tables::open(Bytes::Own(whole[..length].to_vec())).is_err(), "{length} bytes");
        }
        let mut longer = whole.clone();
        longer.push(0);
        assert!(Tables::open(Bytes::Own(longer)).is_err());
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                if let Ok(tables) = Tables::open(Bytes::Own(bytes)) {
                    use_all(&tables);
                }
            }
        }
        // Every count and every number of the tables as large as it can be.
        for at in (0..whole.len() - 3).step_by(4) {
            let mut bytes = whole.clone();
            bytes[at..at + 4].fill(0xFF);
            if let Ok(tables) = Tables::open(Bytes::Own(bytes)) {
                use_all(&tables);
            }
        }
    }

    #[test]
    fn a_table_without_empty_slots_ends_the_search() {
        let mut bytes = sample().as_bytes().to_vec();
        let slots = sample().at.text_slots.clone();
        bytes[slots].chunks_exact_mut(4).for_each(|slot| slot.copy_from_slice(&1_u32.to_le_bytes()));
        assert_eq!(Tables::open(Bytes::Own(bytes)).unwrap().find(b"none"), None);
    }

    #[test]
    fn lent_bytes_are_given_back() {
        extern "C" fn release(owner: *mut c_void) {
            unsafe { *owner.cast::<u32>() += 1 };
        }
        let bytes = sample().as_bytes().to_vec();
        let mut released = 0_u32;
        let owner = (&raw mut released).cast();
        let tables = Tables::open(Bytes::Lent(unsafe { Lent::new(&bytes, owner, release) })).unwrap();
        assert_eq!((tables.find(b"ab"), released), (Some(3), 0));
        drop(tables);
        assert_eq!(released, 1);
        assert!(Tables::open(Bytes::Lent(unsafe { Lent::new(&bytes[1..], owner, release) })).is_err());
        assert_eq!(released, 2);
    }
}
