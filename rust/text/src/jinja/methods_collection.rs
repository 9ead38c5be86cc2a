//! The methods of list, tuple, range, dict and the views of a dict.

use super::access::Found;
use super::args::{bind, exactly, index, POSITIONAL};
use super::context::Context;
use super::dict::Dict;
use super::error::{Error, Result};
use super::methods::method;
use super::value::{Args, Value, View};
use super::{iterate, ops};
use std::rc::Rc;

type ValueMethod = fn(&mut Context, &Value, Args) -> Result<Value>;
type Named = (&'static str, ValueMethod);

const TUPLE: &[Named] = &[("count", count), ("index", index_of)];
const LIST: &[Named] = &[("copy", copy_list), ("count", count), ("index", index_of)];
const DICT: &[Named] = &[
    ("get", get),
    ("items", |_, this, args| view(this, args, View::Items)),
    ("keys", |_, this, args| view(this, args, View::Keys)),
    ("values", |_, this, args| view(this, args, View::Values)),
    ("copy", copy_dict),
    ("fromkeys", fromkeys),
];

fn look_up(methods: &[Named], name: &str) -> Option<Named> {
    methods.iter().find(|(known, _)| *known == name).copied()
}

pub fn find_tuple(name: &str) -> Option<Named> {
    look_up(TUPLE, name)
}

pub fn find_list(name: &str) -> Option<Named> {
    look_up(LIST, name)
}

pub fn find_dict(name: &str) -> Option<Named> {
    look_up(DICT, name)
}

pub fn find_view(value: &Value, _dict: &Rc<Dict>, view: View, name: &str) -> Result<Found> {
    match name {
        "mapping" => Err(Error::unsupported("the attribute mapping of a dict view")),
        "isdisjoint" if view != View::Values => Ok(method(value, Some(("isdisjoint", is_disjoint)))),
        _ => Ok(Found::Absent),
    }
}

fn count(context: &mut Context, this: &Value, args: Args) -> Result<Value> {
    let [wanted] = exactly(args, "count")?;
    if let (Value::Range(_), Value::Int(_) | Value::Bool(_)) = (this, &wanted) {
        return Ok(Value::int(i64::from(ops::contains(context, this, &wanted)?)));
    }
    let mut items = iterate::iterate(context, this)?;
    let mut count = 0;
    while let Some(item) = items.next(context)? {
        count += i64::from(ops::identical_or_equal(context, &item, &wanted)?);
    }
    Ok(Value::int(count))
}

fn index_of(context: &mut Context, this: &Value, args: Args) -> Result<Value> {
    let [wanted, start, stop] = bind(args, "index", [POSITIONAL; 3], 1)?;
    let wanted = wanted.unwrap_or(Value::None);
    if matches!(this, Value::Range(_)) && start.is_some() {
        return Err(Error::type_error("range.index() takes exactly one argument"));
    }
    let length = iterate::length(context, this)? as i64;
    let bound = |value: Option<Value>, default: i64| -> Result<i64> {
        let given = value.as_ref().map_or(Ok(default), index)?;
        Ok(if given < 0 { given.saturating_add(length).max(0) } else { given })
    };
    let (start, stop) = (bound(start, 0)?, bound(stop, i64::MAX)?);
    let mut items = iterate::iterate(context, this)?;
    let mut at = 0;
    while let Some(item) = items.next(context)? {
        if at >= stop {
            break;
        }
        if at >= start && ops::identical_or_equal(context, &item, &wanted)? {
            return Ok(Value::int(at));
        }
        at += 1;
    }
    Err(Error::value_error(format!("the value is not in the {}", this.type_name())))
}

fn copy_list(context: &mut Context, this: &Value, args: Args) -> Result<Value> {
    let [] = exactly(args, "copy")?;
    Value::list(iterate::collect(context, this)?)
}

fn receiver(this: &Value) -> Result<&Rc<Dict>> {
    match this {
        Value::Dict(dict) => Ok(dict),
        other => Err(Error::type_error(format!("descriptor requires a 'dict' object, not {}", other.type_name()))),
    }
}

fn get(context: &mut Context, this: &Value, args: Args) -> Result<Value> {
    let [key, default] = bind(args, "get", [POSITIONAL; 2], 1)?;
    let found = receiver(this)?.get(context, &key.unwrap_or(Value::None))?.cloned();
    Ok(found.or(default).unwrap_or(Value::None))
}

fn view(this: &Value, args: Args, view: View) -> Result<Value> {
    let [] = exactly(args, "a dict view")?;
    Ok(Value::View(receiver(this)?.clone(), view))
}

fn copy_dict(context: &mut Context, this: &Value, args: Args) -> Result<Value> {
    let [] = exactly(args, "copy")?;
    Ok(Value::Dict(Rc::new(copied(context, receiver(this)?)?)))
}

pub fn copied(context: &mut Context, dict: &Dict) -> Result<Dict> {
    context.allocate(dict.len() * 4 * std::mem::size_of::<Value>())?;
    let mut copy = Dict::with_capacity(dict.len());
    for (key, value) in dict.iter() {
        copy.insert(context, key.clone(), value.clone())?;
    }
    Ok(copy)
}

pub fn fromkeys(context: &mut Context, _this: &Value, args: Args) -> Result<Value> {
    let [keys, value] = bind(args, "fromkeys", [POSITIONAL; 2], 1)?;
    let value = value.unwrap_or(Value::None);
    let mut dict = Dict::new();
    let mut keys = iterate::iterate(context, &keys.unwrap_or(Value::None))?;
    while let Some(key) = keys.next(context)? {
        context.allocate(4 * std::mem::size_of::<Value>())?;
        dict.insert(context, key, value.clone())?;
    }
    Ok(Value::Dict(Rc::new(dict)))
}

fn is_disjoint(context: &mut Context, this: &Value, args: Args) -> Result<Value> {
    let [other] = exactly(args, "isdisjoint")?;
    let mut items = iterate::iterate(context, &other)?;
    while let Some(item) = items.next(context)? {
        if ops::contains(context, this, &item)? {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}
