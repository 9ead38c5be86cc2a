//! The attributes of the built-in types.

use super::access::Found;
use super::context::Context;
use super::error::{Error, Result};
use super::int::Int;
use super::value::{Args, Items, Object, Str, Value};
use super::{methods_collection, methods_number, methods_str, text};
use std::rc::Rc;

/// A method bound to its object.
pub struct Method<T> {
    pub receiver: T,
    pub name: &'static str,
    pub function: fn(&mut Context, &T, Args) -> Result<Value>,
}

pub trait Receiver {
    fn depth(&self) -> u16;
    fn is_markup(&self) -> bool {
        false
    }
}

impl Receiver for Str {
    fn depth(&self) -> u16 {
        0
    }
    fn is_markup(&self) -> bool {
        self.safe
    }
}

impl Receiver for Value {
    fn depth(&self) -> u16 {
        Value::depth(self)
    }
}

impl<T: Receiver> Object for Method<T> {
    fn type_name(&self) -> &'static str {
        if self.receiver.is_markup() {
            "method"
        } else {
            "builtin_function_or_method"
        }
    }
    fn is_callable(&self) -> bool {
        true
    }
    fn call(&self, context: &mut Context, args: Args) -> Result<Value> {
        (self.function)(context, &self.receiver, args)
    }
    fn text(&self, _context: &mut Context) -> Option<Result<String>> {
        Some(Err(text::address(&format!("the method {}", self.name))))
    }
    fn depth(&self) -> u16 {
        self.receiver.depth() + 1
    }
}

fn bound<T: Receiver + 'static>(
    receiver: T,
    name: &'static str,
    function: fn(&mut Context, &T, Args) -> Result<Value>,
) -> Found {
    Found::Value(Value::Object(Rc::new(Method { receiver, name, function })))
}

/// Methods that would change the object; the sandbox hides them.
const LIST_CHANGES: &[&str] = &["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"];
const DICT_CHANGES: &[&str] = &["clear", "pop", "popitem", "setdefault", "update"];

/// A public name on one of the built-in types.
pub fn find(value: &Value, name: &str) -> Result<Found> {
    Ok(match value {
        Value::Str(text) => match methods_str::find(name, text.safe) {
            Some((name, function)) => bound(text.clone(), name, function),
            None => Found::Absent,
        },
        Value::Dict(_) if DICT_CHANGES.contains(&name) => Found::Unsafe,
        Value::List(_) if LIST_CHANGES.contains(&name) => Found::Unsafe,
        Value::Dict(_) => method(value, methods_collection::find_dict(name)),
        Value::List(_) => method(value, methods_collection::find_list(name)),
        Value::Tuple(items) => match group_field(items, name) {
            Some(field) => Found::Value(field),
            None => method(value, methods_collection::find_tuple(name)),
        },
        Value::Range(range) => match name {
            "start" => Found::Value(Value::int(range.start)),
            "stop" => Found::Value(Value::int(range.stop)),
            "step" => Found::Value(Value::int(range.step)),
            _ => method(value, methods_collection::find_tuple(name)),
        },
        Value::View(dict, view) => methods_collection::find_view(value, dict, *view, name)?,
        Value::Bool(flag) => methods_number::find_int(value, &Int::from(i64::from(*flag)), name)?,
        Value::Int(int) => methods_number::find_int(value, int, name)?,
        Value::Float(float) => methods_number::find_float(value, *float, name)?,
        Value::Iterator(_) if matches!(name, "gi_frame" | "gi_code") => Found::Unsafe,
        Value::Iterator(_)
            if matches!(name, "close" | "send" | "throw" | "gi_running" | "gi_suspended" | "gi_yieldfrom") =>
        {
            return Err(Error::unsupported(format!("the attribute {name} of a generator")));
        }
        _ => Found::Absent,
    })
}

type Named = (&'static str, fn(&mut Context, &Value, Args) -> Result<Value>);

pub fn method(value: &Value, found: Option<Named>) -> Found {
    match found {
        Some((name, function)) => bound(value.clone(), name, function),
        None => Found::Absent,
    }
}

fn group_field(items: &Items, name: &str) -> Option<Value> {
    match name {
        "grouper" if items.group => items.first().cloned(),
        "list" if items.group => items.get(1).cloned(),
        _ => None,
    }
}
