//! The state of one rendering: its limits, its clock, and the objects to be emptied at its end.

use super::error::{Error, Result};
use super::value::{Args, Namespace, Value};
use std::rc::Rc;

/// Statements and expressions within each other at one time, over all calls: bounds the stack.
const MAX_LEVELS: u32 = 1500;

/// What may come to hold itself, or to hold others in a chain of any length.
pub trait Clear {
    /// Drops what is held.
    fn clear(&self);
}

impl Clear for Namespace {
    fn clear(&self) {
        drop(std::mem::take(&mut *self.fields.borrow_mut()));
    }
}

#[derive(Clone, Copy)]
pub struct Limits {
    /// Steps: statements, expressions, items of loops and filters.
    pub fuel: u64,
    /// Bytes that strings and lists made on the way may take in all.
    pub bytes: u64,
    /// Calls within calls.
    pub recursion: usize,
}

pub struct Context {
    limits: Limits,
    fuel: u64,
    bytes: u64,
    depth: usize,
    levels: u32,
    /// Seconds since 1970, UTC, for strftime_now.
    pub now: i64,
    /// How many items the filter random has drawn.
    n_draws: u64,
    /// {% autoescape true %}
    pub autoescape: bool,
    /// A constant is being evaluated, as jinja2 does when it compiles.
    pub is_constant: bool,
    kept: Vec<Rc<dyn Clear>>,
}

impl Context {
    pub fn new(limits: Limits, now: i64) -> Self {
        Self {
            limits,
            fuel: limits.fuel,
            bytes: limits.bytes,
            depth: 0,
            levels: 0,
            now,
            n_draws: 0,
            autoescape: false,
            is_constant: false,
            kept: Vec::new(),
        }
    }

    /// A number below n (not 0), as if by chance: by the clock and the draws before it, so that a conversation
    /// rendered again for typed.rs draws the same. SplitMix64 (Steele, Lea, Flood 2014).
    pub fn draw(&mut self, n: usize) -> usize {
        self.n_draws += 1;
        let mut x = (self.now as u64).wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(self.n_draws);
        x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) % n as u64) as usize
    }

    /// Pays for steps. Every loop of this engine over what a template may make long calls this per item.
    pub fn spend(&mut self, steps: u64) -> Result<()> {
        self.fuel = self
            .fuel
            .checked_sub(steps)
            .ok_or_else(|| Error::limit(format!("the template took more than {} steps", self.limits.fuel)))?;
        Ok(())
    }

    /// Pays for bytes before they are allocated: repeated strings, padding, concatenation, ranges made lists.
    pub fn allocate(&mut self, bytes: usize) -> Result<()> {
        self.bytes = self.bytes.checked_sub(bytes as u64).ok_or_else(|| {
            Error::limit(format!("the template made more than {} bytes of values", self.limits.bytes))
        })?;
        self.spend(bytes as u64 / 64)
    }

    /// Runs `work` one level deeper.
    pub fn nested<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= self.limits.recursion {
            return Err(Error::limit(format!("the template nests deeper than {}", self.limits.recursion)));
        }
        self.depth += 1;
        let result = work(self);
        self.depth -= 1;
        result
    }

    /// One statement or expression deeper; `ascend` follows, unless an error ends the rendering.
    pub fn descend(&mut self) -> Result<()> {
        self.spend(1)?;
        self.levels += 1;
        if self.levels > MAX_LEVELS {
            return Err(Error::limit(format!(
                "the template nests deeper than {MAX_LEVELS} statements and expressions"
            )));
        }
        Ok(())
    }

    pub fn ascend(&mut self) {
        self.levels -= 1;
    }

    pub fn call(&mut self, callee: &Value, args: Args) -> Result<Value> {
        match callee {
            Value::Object(object) => {
                let object = object.clone();
                self.nested(|context| object.call(context, args))
            }
            Value::Undefined(undefined) => Err(undefined.used()),
            other => Err(Error::type_error(format!("'{}' object is not callable", other.type_name()))),
        }
    }

    /// Empties `kept` when the rendering ends, so that cycles are freed and long chains are not dropped one
    /// within the other.
    pub fn keep(&mut self, kept: Rc<dyn Clear>) {
        self.kept.push(kept);
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        for kept in &self.kept {
            kept.clear();
        }
    }
}
