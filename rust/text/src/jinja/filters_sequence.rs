//! Filters over sequences and dicts.

use super::args::{bind, c_int, exactly, flag, index, POSITIONAL};
use super::context::Context;
use super::error::{Error, Result};
use super::filters_select::{lowered, sorted};
use super::iterate::{self, Iter};
use super::ops::{self, Binary, Comparison};
use super::value::{Args, Value};
use super::{access, unicode};

pub fn length(context: &mut Context, args: Args) -> Result<Value> {
    let [value] = exactly(args, "len")?;
    Ok(Value::int(iterate::length(context, &value)? as i64))
}

pub fn list(context: &mut Context, args: Args) -> Result<Value> {
    let [value] = bind(args, "list", ["value"], 1)?;
    Value::list(iterate::collect(context, &value.unwrap_or(Value::None))?)
}

pub fn items(_context: &mut Context, args: Args) -> Result<Value> {
    let [value] = bind(args, "items", ["value"], 1)?;
    let value = value.unwrap_or(Value::None);
    let sources = [value.clone()];
    let mut running: Option<Iter> = None;
    Value::lazy("do_items", sources.iter(), move |context| {
        if running.is_none() {
            running = Some(match &value {
                Value::Undefined(_) => Iter::Empty,
                Value::Dict(dict) => Iter::Dict(dict.clone(), super::value::View::Items, 0),
                _ => return Err(Error::type_error("Can only get item pairs from a mapping.")),
            });
        }
        running.as_mut().map_or(Ok(None), |iter| iter.next(context))
    })
}

pub fn first(context: &mut Context, args: Args) -> Result<Value> {
    let [value] = bind(args, "first", ["seq"], 1)?;
    let first = iterate::iterate(context, &value.unwrap_or(Value::None))?.next(context)?;
    Ok(first.unwrap_or_else(|| Value::undefined("No first item, sequence was empty.")))
}

pub fn last(context: &mut Context, args: Args) -> Result<Value> {
    let [value] = bind(args, "last", ["seq"], 1)?;
    let value = value.unwrap_or(Value::None);
    let count = reversible(context, &value)?
        .ok_or_else(|| Error::type_error(format!("'{}' object is not reversible", value.type_name())))?;
    match count {
        0 => Ok(Value::undefined("No last item, sequence was empty.")),
        count => at(context, &value, count - 1),
    }
}

/// The length of what reversed() takes; None: it does not.
fn reversible(context: &mut Context, value: &Value) -> Result<Option<usize>> {
    use Value::{Dict, List, Range, Str, Tuple, Undefined, View};
    match value {
        Str(_) | List(_) | Tuple(_) | Range(_) | Dict(_) | View(..) | Undefined(_) => {
            iterate::length(context, value).map(Some)
        }
        _ => Ok(None),
    }
}

/// The item at a position of what is reversible.
fn at(context: &mut Context, value: &Value, position: usize) -> Result<Value> {
    match value {
        Value::Dict(dict) | Value::View(dict, _) => {
            let view = if let Value::View(_, view) = value { *view } else { super::value::View::Keys };
            let (key, value) = dict.entry(position).ok_or_else(|| Error::runtime("IndexError", "out of range"))?;
            iterate::view_item(view, key, value)
        }
        other => access::subscript(context, other, &Value::int(position as i64)),
    }
}

pub fn reverse(context: &mut Context, args: Args) -> Result<Value> {
    let [value] = bind(args, "reverse", ["value"], 1)?;
    let value = value.unwrap_or(Value::None);
    if let Value::Str(text) = &value {
        context.allocate(text.len())?;
        return Ok(Value::text(text.chars().rev().collect::<String>(), text.safe));
    }
    let Some(mut left) = reversible(context, &value)? else {
        let mut values = match iterate::collect(context, &value) {
            Err(error) if error.is("TypeError") => {
                return Err(Error::runtime("FilterArgumentError", "argument must be iterable"));
            }
            other => other?,
        };
        values.reverse();
        return Value::list(values);
    };
    let sources = [value.clone()];
    Value::lazy("reversed", sources.iter(), move |context| {
        if left == 0 {
            return Ok(None);
        }
        left -= 1;
        at(context, &value, left).map(Some)
    })
}

/// One of the items, each as likely as another: any of them is what Python may give.
pub fn random(context: &mut Context, args: Args) -> Result<Value> {
    let [value] = bind(args, "random", ["seq"], 1)?;
    let value = value.unwrap_or(Value::None);
    let empty = || Ok(Value::undefined("No random item, sequence was empty."));
    let n = iterate::length(context, &value)?;
    if n == 0 {
        return empty();
    }
    let at = Value::int(context.draw(n) as i64);
    match access::subscript(context, &value, &at) {
        Err(error) if error.is("IndexError") => empty(),
        other => other,
    }
}

pub fn batch(_context: &mut Context, args: Args) -> Result<Value> {
    let [value, count, fill] = bind(args, "batch", ["value", "linecount", "fill_with"], 2)?;
    let (value, count) = (value.unwrap_or(Value::None), count.unwrap_or(Value::None));
    let fill = fill.filter(|fill| !matches!(fill, Value::None));
    let sources: Vec<Value> = [value.clone(), count.clone()].into_iter().chain(fill.clone()).collect();
    let mut running: Option<Iter> = None;
    let mut finished = false;
    let mut next_batch: Vec<Value> = Vec::new();
    Value::lazy("do_batch", sources.iter(), move |context| {
        if finished {
            return Ok(None);
        }
        if running.is_none() {
            running = Some(iterate::iterate(context, &value)?);
        }
        let Some(items) = &mut running else { return Ok(None) };
        while let Some(item) = items.next(context)? {
            context.allocate(std::mem::size_of::<Value>())?;
            let size = Value::int(next_batch.len() as i64);
            if ops::equals(context, &size, &count)? {
                let batch = std::mem::replace(&mut next_batch, vec![item]);
                return Value::list(batch).map(Some);
            }
            next_batch.push(item);
        }
        finished = true;
        if next_batch.is_empty() {
            return Ok(None);
        }
        let mut batch = std::mem::take(&mut next_batch);
        let size = Value::int(batch.len() as i64);
        if let Some(fill) = &fill {
            if ops::compare(context, Comparison::Lt, &size, &count)? {
                let missing = ops::binary(context, Binary::Sub, &count, &size)?;
                let missing = index(&missing)?.max(0) as usize;
                context.allocate(missing.saturating_mul(std::mem::size_of::<Value>()))?;
                batch.extend(std::iter::repeat_n(fill.clone(), missing));
            }
        }
        Value::list(batch).map(Some)
    })
}

pub fn slice(_context: &mut Context, args: Args) -> Result<Value> {
    let [value, slices, fill] = bind(args, "slice", ["value", "slices", "fill_with"], 2)?;
    let (value, slices) = (value.unwrap_or(Value::None), slices.unwrap_or(Value::None));
    let fill = fill.filter(|fill| !matches!(fill, Value::None));
    let sources: Vec<Value> = [value.clone()].into_iter().chain(fill.clone()).collect();
    let mut running: Option<Vec<Value>> = None;
    let (mut number, mut start) = (0usize, 0usize);
    Value::lazy("sync_do_slice", sources.iter(), move |context| {
        if running.is_none() {
            running = Some(iterate::collect(context, &value)?);
        }
        let Some(items) = &running else { return Ok(None) };
        if let Value::Undefined(undefined) = &slices {
            return Err(undefined.used());
        }
        let slices = index(&slices)?;
        if slices == 0 {
            return Err(Error::runtime("ZeroDivisionError", "integer division or modulo by zero"));
        }
        if slices < 0 || number as i64 >= slices {
            return Ok(None);
        }
        let (each, extra) = (items.len() / slices as usize, items.len() % slices as usize);
        let size = each + usize::from(number < extra);
        context.spend(size as u64 + 1)?;
        context.allocate((size + 2) * std::mem::size_of::<Value>())?;
        let mut taken = items[start..start + size].to_vec();
        if let (Some(fill), true) = (&fill, number >= extra) {
            taken.push(fill.clone());
        }
        (number, start) = (number + 1, start + size);
        Value::list(taken).map(Some)
    })
}

pub fn dictsort(context: &mut Context, args: Args) -> Result<Value> {
    let [value, case_sensitive, by, reverse] = bind(args, "dictsort", ["value", "case_sensitive", "by", "reverse"], 1)?;
    let case_sensitive = flag(context, case_sensitive, false)?;
    let by_value = match by.as_ref().map(|by| by.as_str()) {
        None | Some(Some("key")) => false,
        Some(Some("value")) => true,
        _ => {
            let message = "You can only sort by either \"key\" or \"value\"";
            return Err(Error::runtime("FilterArgumentError", message));
        }
    };
    let reverse = reverse.as_ref().map_or(Ok(0), c_int)? != 0;
    let value = value.unwrap_or(Value::None);
    let Value::Dict(dict) = &value else {
        if let Value::Undefined(undefined) = &value {
            return Err(undefined.used());
        }
        return Err(Error::runtime(
            "AttributeError",
            format!("'{}' object has no attribute 'items'", value.type_name()),
        ));
    };
    let mut keyed = Vec::with_capacity(dict.len());
    for (key, value) in dict.iter() {
        context.allocate(4 * std::mem::size_of::<Value>())?;
        let mut sort_key = if by_value { value.clone() } else { key.clone() };
        if !case_sensitive {
            sort_key = lowered(context, sort_key)?;
        }
        keyed.push((sort_key, Value::tuple(vec![key.clone(), value.clone()])?));
    }
    Value::list(sorted(context, keyed, reverse)?)
}

/// Where words begin for the title filter: after these.
pub fn separates_words(c: char) -> bool {
    unicode::is_space(c) || matches!(c, '-' | '(' | '{' | '[' | '<')
}

/// Only positions: abs, len and their like.
pub fn one(args: Args, function: &str) -> Result<Value> {
    let [value] = bind(args, function, [POSITIONAL], 1)?;
    Ok(value.unwrap_or(Value::None))
}
