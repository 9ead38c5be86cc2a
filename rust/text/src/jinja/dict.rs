//! Python's dict: keeps the order of insertion; keys that are equal (1, 1.0 and True) are one key.
//!
//! Nothing is ever removed, as the sandbox refuses the methods that would.

use super::context::Context;
use super::error::{Error, Result};
use super::int::Int;
use super::ops;
use super::value::{depth_of, Str, Value};
use ahash::RandomState;
use std::hash::{BuildHasher, Hash, Hasher};
use std::rc::Rc;
use std::sync::OnceLock;

/// Dicts up to this size are searched entry by entry.
const SMALL: usize = 8;
const EMPTY: u32 = u32::MAX;

struct Entry {
    hash: u64,
    key: Value,
    value: Value,
}

#[derive(Default)]
pub struct Dict {
    entries: Vec<Entry>,
    /// Open addressing over `entries`; not used while there are at most SMALL of them.
    slots: Vec<u32>,
    depth: u16,
}

fn hashing() -> &'static RandomState {
    static STATE: OnceLock<RandomState> = OnceLock::new();
    STATE.get_or_init(RandomState::new)
}

impl Dict {
    pub fn new() -> Self {
        Self { entries: Vec::new(), slots: Vec::new(), depth: 1 }
    }
    pub fn with_capacity(size: usize) -> Self {
        Self { entries: Vec::with_capacity(size), slots: Vec::new(), depth: 1 }
    }
    pub fn len(&self) -> usize {
        self.entries.len()
    }
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
    pub fn depth(&self) -> u16 {
        self.depth.max(1)
    }
    /// By position, in the order of insertion.
    pub fn entry(&self, position: usize) -> Option<(&Value, &Value)> {
        self.entries.get(position).map(|entry| (&entry.key, &entry.value))
    }
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Value, &Value)> + ExactSizeIterator {
        self.entries.iter().map(|entry| (&entry.key, &entry.value))
    }

    /// Replaces the value of an equal key (the first key stays). Errors: a key that cannot be hashed, too deep.
    pub fn insert(&mut self, context: &mut Context, key: Value, value: Value) -> Result<()> {
        let hash = hash(context, &key)?;
        self.depth = self.depth.max(depth_of([&key, &value].into_iter())?);
        match self.position(context, hash, &key)? {
            Some(position) => self.entries[position].value = value,
            None => self.push(Entry { hash, key, value }),
        }
        Ok(())
    }

    pub fn insert_str(&mut self, key: impl Into<Str>, value: Value) -> Result<()> {
        let key = key.into();
        let hash = hash_str(&key);
        self.depth = self.depth.max(depth_of(std::iter::once(&value))?);
        match self.position_str(hash, &key) {
            Some(position) => self.entries[position].value = value,
            None => self.push(Entry { hash, key: Value::Str(key), value }),
        }
        Ok(())
    }

    /// Errors: a key that cannot be hashed.
    pub fn get(&self, context: &mut Context, key: &Value) -> Result<Option<&Value>> {
        if let Value::Str(text) = key {
            return Ok(self.get_str(text));
        }
        let hash = hash(context, key)?;
        Ok(self.position(context, hash, key)?.map(|position| &self.entries[position].value))
    }

    pub fn get_str(&self, key: &str) -> Option<&Value> {
        if self.entries.is_empty() {
            return None;
        }
        self.position_str(hash_str(key), key).map(|position| &self.entries[position].value)
    }

    fn position(&self, context: &mut Context, hash: u64, key: &Value) -> Result<Option<usize>> {
        if let Value::Str(text) = key {
            return Ok(self.position_str(hash, text));
        }
        for position in Candidates::of(self, hash) {
            context.spend(1)?;
            if ops::identical_or_equal(context, &self.entries[position].key, key)? {
                return Ok(Some(position));
            }
        }
        Ok(None)
    }

    fn position_str(&self, hash: u64, key: &str) -> Option<usize> {
        Candidates::of(self, hash).find(|&position| self.entries[position].key.as_str() == Some(key))
    }

    fn push(&mut self, entry: Entry) {
        let position = self.entries.len();
        let hash = entry.hash;
        self.entries.push(entry);
        if position < SMALL {
            return;
        }
        if self.entries.len() * 3 > self.slots.len() * 2 {
            let size = (self.entries.len() * 2).next_power_of_two().max(4 * SMALL);
            self.slots = vec![EMPTY; size];
            for (at, entry) in self.entries.iter().enumerate() {
                place(&mut self.slots, entry.hash, at);
            }
        } else {
            place(&mut self.slots, hash, position);
        }
    }
}

fn place(slots: &mut [u32], hash: u64, position: usize) {
    let mask = slots.len() - 1;
    let mut at = hash as usize & mask;
    while slots[at] != EMPTY {
        at = (at + 1) & mask;
    }
    slots[at] = position as u32;
}

/// The positions of the entries with a given hash.
struct Candidates<'a> {
    dict: &'a Dict,
    hash: u64,
    at: usize,
}

impl<'a> Candidates<'a> {
    fn of(dict: &'a Dict, hash: u64) -> Self {
        let at = if dict.slots.is_empty() { 0 } else { hash as usize & (dict.slots.len() - 1) };
        Self { dict, hash, at }
    }
}

impl Iterator for Candidates<'_> {
    type Item = usize;
    fn next(&mut self) -> Option<usize> {
        let Dict { entries, slots, .. } = self.dict;
        if slots.is_empty() {
            let rest = entries.get(self.at..)?;
            let found = self.at + rest.iter().position(|entry| entry.hash == self.hash)?;
            self.at = found + 1;
            return Some(found);
        }
        loop {
            let position = slots[self.at];
            if position == EMPTY {
                return None;
            }
            self.at = (self.at + 1) & (slots.len() - 1);
            if entries[position as usize].hash == self.hash {
                return Some(position as usize);
            }
        }
    }
}

fn hash_str(text: &str) -> u64 {
    hashing().hash_one((1u8, text))
}

/// Equal values hash alike. Errors: TypeError for lists, dicts and their views.
pub fn hash(context: &mut Context, value: &Value) -> Result<u64> {
    if let Value::Str(text) = value {
        return Ok(hash_str(text));
    }
    let mut state = hashing().build_hasher();
    feed(context, value, &mut state)?;
    Ok(state.finish())
}

fn feed(context: &mut Context, value: &Value, state: &mut impl Hasher) -> Result<()> {
    context.spend(1)?;
    match value {
        Value::Undefined(_) => 0u8.hash(state),
        Value::Str(text) => (1u8, &**text).hash(state),
        Value::None => 2u8.hash(state),
        Value::Bool(value) => feed_int(&Int::from(i64::from(*value)), state),
        Value::Int(value) => feed_int(value, state),
        Value::Float(value) => {
            if value.is_nan() {
                return Err(Error::unsupported("NaN as a key: which NaN is the same one depends on addresses"));
            }
            match Int::from_f64(*value) {
                Ok(whole) if value.fract() == 0.0 => feed_int(&whole, state),
                _ => (4u8, value.to_bits()).hash(state),
            }
        }
        Value::Tuple(items) => {
            (5u8, items.len()).hash(state);
            for item in items.iter() {
                feed(context, item, state)?;
            }
        }
        Value::Range(range) => {
            let length = range.len();
            (6u8, length).hash(state);
            if length > 0 {
                range.start.hash(state);
            }
            if length > 1 {
                range.step.hash(state);
            }
        }
        Value::Namespace(namespace) => (7u8, Rc::as_ptr(namespace) as usize).hash(state),
        Value::Iterator(lazy) => (7u8, Rc::as_ptr(lazy) as usize).hash(state),
        Value::Object(object) if ops::is_method(object.type_name()) => {
            return Err(Error::unsupported("a method as a key: which methods are one depends on addresses"));
        }
        Value::Object(object) => (7u8, Rc::as_ptr(object) as *const () as usize).hash(state),
        Value::View(dict, super::value::View::Values) => (7u8, Rc::as_ptr(dict) as usize).hash(state),
        Value::List(_) | Value::Dict(_) | Value::View(..) | Value::Slice(_) => {
            return Err(Error::type_error(format!("unhashable type: '{}'", value.type_name())));
        }
    }
    Ok(())
}

fn feed_int(value: &Int, state: &mut impl Hasher) {
    match value {
        Int::Small(value) => (3u8, value).hash(state),
        Int::Big(value) => (3u8, &**value).hash(state),
    }
}
