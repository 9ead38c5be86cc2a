//! Iteration over values, as Python's iter() and next() give it.

use super::context::Context;
use super::dict::Dict;
use super::error::{Error, Result};
use super::value::{Items, Lazy, Range, Value, View};
use std::rc::Rc;

pub enum Iter {
    Empty,
    Items(Rc<Items>, usize),
    /// Byte position of the next code point. The items of a Markup are plain strs.
    Chars(Rc<str>, usize),
    Dict(Rc<Dict>, View, usize),
    Range(Range, usize),
    Lazy(Rc<Lazy>),
}

pub fn iterate(context: &mut Context, value: &Value) -> Result<Iter> {
    Ok(match value {
        Value::Undefined(_) => Iter::Empty,
        Value::List(items) | Value::Tuple(items) => Iter::Items(items.clone(), 0),
        Value::Str(text) => Iter::Chars(text.text.clone(), 0),
        Value::Dict(dict) => Iter::Dict(dict.clone(), View::Keys, 0),
        Value::View(dict, view) => Iter::Dict(dict.clone(), *view, 0),
        Value::Range(range) => Iter::Range(*range, 0),
        Value::Iterator(lazy) => Iter::Lazy(lazy.clone()),
        Value::Object(object) => match object.iterate(context) {
            Some(inner) => {
                let inner = inner?;
                return context.nested(|context| iterate(context, &inner));
            }
            None => return Err(not_iterable(value)),
        },
        _ => return Err(not_iterable(value)),
    })
}

fn not_iterable(value: &Value) -> Error {
    Error::type_error(format!("'{}' object is not iterable", value.type_name()))
}

impl Iter {
    pub fn next(&mut self, context: &mut Context) -> Result<Option<Value>> {
        context.spend(1)?;
        Ok(match self {
            Self::Empty => None,
            Self::Items(items, at) => {
                *at += 1;
                items.get(*at - 1).cloned()
            }
            Self::Chars(text, at) => text[*at..].chars().next().map(|c| {
                *at += c.len_utf8();
                Value::str(c.encode_utf8(&mut [0; 4]))
            }),
            Self::Dict(dict, view, at) => {
                *at += 1;
                dict.entry(*at - 1).map(|(key, value)| view_item(*view, key, value)).transpose()?
            }
            Self::Range(range, at) => {
                *at += 1;
                (*at <= range.len()).then(|| Value::int(range.at(*at - 1)))
            }
            Self::Lazy(lazy) => return advance(context, lazy),
        })
    }

    /// All that is left, paid for by its size.
    pub fn collect(mut self, context: &mut Context) -> Result<Vec<Value>> {
        let mut values = Vec::new();
        while let Some(value) = self.next(context)? {
            context.allocate(std::mem::size_of::<Value>())?;
            values.push(value);
        }
        Ok(values)
    }
}

pub fn view_item(view: View, key: &Value, value: &Value) -> Result<Value> {
    match view {
        View::Keys => Ok(key.clone()),
        View::Values => Ok(value.clone()),
        View::Items => Value::tuple(vec![key.clone(), value.clone()]),
    }
}

/// next() of a generator.
pub fn advance(context: &mut Context, lazy: &Rc<Lazy>) -> Result<Option<Value>> {
    context.nested(|context| match lazy.next.try_borrow_mut() {
        Ok(mut next) => next(context),
        Err(_) => Err(Error::value_error("generator already executing")),
    })
}

/// list(value)
pub fn collect(context: &mut Context, value: &Value) -> Result<Vec<Value>> {
    iterate(context, value)?.collect(context)
}

/// len(value)
pub fn length(context: &mut Context, value: &Value) -> Result<usize> {
    Ok(match value {
        Value::Undefined(_) => 0,
        Value::Str(text) => {
            context.spend(text.len() as u64 / 256)?;
            text.chars().count()
        }
        Value::List(items) | Value::Tuple(items) => items.len(),
        Value::Dict(dict) | Value::View(dict, _) => dict.len(),
        Value::Range(range) => range.len(),
        Value::Object(object) => match object.length(context) {
            Some(length) => length?,
            None => return Err(no_length(value)),
        },
        _ => return Err(no_length(value)),
    })
}

fn no_length(value: &Value) -> Error {
    Error::type_error(format!("object of type '{}' has no len()", value.type_name()))
}

/// The values of `a, b, ... = value`.
pub fn unpack(context: &mut Context, value: &Value, count: usize) -> Result<Vec<Value>> {
    let mut iter = match iterate(context, value) {
        Err(error) if error.is("TypeError") => {
            return Err(Error::type_error(format!("cannot unpack non-iterable {} object", value.type_name())));
        }
        other => other?,
    };
    let mut values = Vec::with_capacity(count);
    while let Some(value) = iter.next(context)? {
        if values.len() == count {
            return Err(Error::value_error(format!("too many values to unpack (expected {count})")));
        }
        values.push(value);
    }
    if values.len() < count {
        return Err(Error::value_error(format!(
            "not enough values to unpack (expected {count}, got {})",
            values.len()
        )));
    }
    Ok(values)
}
