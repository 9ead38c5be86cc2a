//! Attributes and items, as the sandbox of jinja2 lets a template reach them.

use super::context::Context;
use super::error::{Error, Result};
use super::int::Int;
use super::methods;
use super::text;
use super::value::{Items, Range, Str, Undefined, Value};
use std::rc::Rc;

/// What getattr(value, name) finds.
pub enum Found {
    Value(Value),
    /// There, but the sandbox does not hand it out.
    Unsafe,
    Absent,
}

/// Private names that every object has.
const OF_OBJECTS: &str = "\
    __class__ __delattr__ __dir__ __doc__ __eq__ __format__ __ge__ __getattribute__ __getstate__ __gt__ \
    __hash__ __init__ __init_subclass__ __le__ __lt__ __ne__ __new__ __reduce__ __reduce_ex__ __repr__ \
    __setattr__ __sizeof__ __str__ __subclasshook__";

/// Those of a dict on top: a key of such a name is hidden behind the attribute.
const OF_DICTS: &str = "\
    __class_getitem__ __contains__ __delitem__ __getitem__ __ior__ __iter__ __len__ __or__ __reversed__ \
    __ror__ __setitem__";

/// Those of jinja2's Undefined on top.
const OF_UNDEFINED: &str = "\
    __add__ __aiter__ __bool__ __call__ __complex__ __div__ __float__ __floordiv__ __getattr__ __getitem__ \
    __int__ __iter__ __len__ __mod__ __module__ __mul__ __neg__ __pos__ __pow__ __radd__ __rdiv__ \
    __rfloordiv__ __rmod__ __rmul__ __rpow__ __rsub__ __rtruediv__ __slots__ __sub__ __truediv__ \
    _fail_with_undefined_error _undefined_exception _undefined_hint _undefined_message _undefined_name \
    _undefined_obj";

fn is_listed(names: &str, name: &str) -> bool {
    names.split(' ').any(|known| known == name)
}

/// An Undefined raises for a name that it has not, but says of those in double underscores that it has none.
pub fn is_hidden_from_undefined(name: &str) -> bool {
    name.starts_with("__") && name.ends_with("__") && !is_listed(OF_OBJECTS, name) && !is_listed(OF_UNDEFINED, name)
}

/// value.name in a template: the attribute, else the item.
pub fn attribute(context: &mut Context, value: &Value, name: &str) -> Result<Value> {
    match find_attribute(context, value, name)? {
        Found::Value(found) => Ok(found),
        Found::Unsafe => Ok(unsafe_access(value, name)),
        Found::Absent => match value {
            Value::Dict(dict) => match dict.get_str(name) {
                Some(item) => Ok(item.clone()),
                None => Ok(absent(value, &Value::str(name))),
            },
            Value::Undefined(undefined) => Err(undefined.used()),
            _ => Ok(absent(value, &Value::str(name))),
        },
    }
}

/// value[key] in a template: the item, else for a str key the attribute.
pub fn item(context: &mut Context, value: &Value, key: &Value) -> Result<Value> {
    match subscript(context, value, key) {
        Err(error) if error.is("TypeError") || error.is_lookup() => {}
        other => return other,
    }
    if let Value::Str(name) = key {
        match find_attribute(context, value, name)? {
            Found::Value(found) => return Ok(found),
            Found::Unsafe => return Ok(unsafe_access(value, name)),
            Found::Absent => {}
        }
    }
    Ok(absent(value, key))
}

/// getattr(value, name), and whether the sandbox allows it.
pub fn find_attribute(context: &mut Context, value: &Value, name: &str) -> Result<Found> {
    if name.starts_with('_') {
        return private_attribute(context, value, name);
    }
    Ok(match value {
        Value::Undefined(undefined) => return Err(undefined.used()),
        Value::Namespace(namespace) => match namespace.fields.borrow().get_str(name) {
            Some(field) => Found::Value(field.clone()),
            None => Found::Absent,
        },
        Value::Object(object) => match object.attribute(context, name)? {
            Some(found) => Found::Value(found),
            None => Found::Absent,
        },
        other => methods::find(other, name)?,
    })
}

/// Names with an underscore in front are never handed out; it matters whether they are there.
fn private_attribute(context: &mut Context, value: &Value, name: &str) -> Result<Found> {
    let there = match value {
        Value::Undefined(undefined) => {
            if !is_listed(OF_OBJECTS, name) && !is_listed(OF_UNDEFINED, name) {
                return Err(undefined.used());
            }
            true
        }
        Value::Namespace(namespace) => name == "__class__" || namespace.fields.borrow().get_str(name).is_some(),
        Value::Dict(_) => is_listed(OF_OBJECTS, name) || is_listed(OF_DICTS, name),
        Value::Object(object) => is_listed(OF_OBJECTS, name) || object.attribute(context, name)?.is_some(),
        _ => is_listed(OF_OBJECTS, name),
    };
    Ok(if there { Found::Unsafe } else { Found::Absent })
}

fn unsafe_access(value: &Value, name: &str) -> Value {
    let message = format!("access to attribute '{name}' of '{}' object is unsafe.", value.type_name());
    Value::Undefined(Rc::new(Undefined { message, unsafe_access: true }))
}

/// The Undefined that stands for a missing attribute or item.
pub fn absent(value: &Value, key: &Value) -> Value {
    let owner = match value {
        Value::None => "None".to_string(),
        other => format!("{} object", other.type_name()),
    };
    match key {
        Value::Str(name) => Value::undefined(format!("'{owner}' has no attribute {}", text::quoted(name))),
        Value::Int(Int::Small(index)) => Value::undefined(format!("{owner} has no element {index}")),
        other => Value::undefined(format!("{owner} has no element of type {}", other.type_name())),
    }
}

/// value[key] as Python has it, with its exceptions.
pub fn subscript(context: &mut Context, value: &Value, key: &Value) -> Result<Value> {
    match (value, key) {
        (Value::Undefined(undefined), _) => Err(undefined.used()),
        (Value::Dict(dict), _) => match dict.get(context, key)? {
            Some(found) => Ok(found.clone()),
            None => Err(Error::runtime("KeyError", "no such key")),
        },
        (Value::List(items) | Value::Tuple(items), Value::Slice(parts)) => {
            let values = sliced(context, items, parts)?;
            if matches!(value, Value::List(_)) {
                Value::list(values)
            } else {
                Value::tuple(values)
            }
        }
        (Value::Str(text), Value::Slice(parts)) => slice_text(context, text, parts),
        (Value::Range(range), Value::Slice(parts)) => slice_range(range, parts),
        (Value::List(items) | Value::Tuple(items), _) => {
            let at = position(key, items.len())?;
            Ok(items[at].clone())
        }
        (Value::Str(text), _) => character(context, text, key),
        (Value::Range(range), _) => Ok(Value::int(range.at(position(key, range.len())?))),
        _ => Err(Error::type_error(format!("'{}' object is not subscriptable", value.type_name()))),
    }
}

/// An index, from the end where negative.
fn position(key: &Value, length: usize) -> Result<usize> {
    let index = match key {
        Value::Int(int) => int.clamped(),
        Value::Bool(value) => i64::from(*value),
        other => return Err(Error::type_error(format!("indices must be integers, not {}", other.type_name()))),
    };
    let index = if index < 0 { index.saturating_add(length as i64) } else { index };
    match usize::try_from(index) {
        Ok(at) if at < length => Ok(at),
        _ => Err(Error::runtime("IndexError", "index out of range")),
    }
}

fn character(context: &mut Context, text: &Str, key: &Value) -> Result<Value> {
    context.spend(text.len() as u64 / 1024)?;
    if text.is_ascii() {
        let at = position(key, text.len())?;
        return Ok(Value::text(&text[at..=at], text.safe));
    }
    context.spend(text.len() as u64 / 16)?;
    let at = position(key, text.chars().count())?;
    let c = text.chars().nth(at).unwrap_or_default();
    Ok(Value::text(c.encode_utf8(&mut [0; 4]), text.safe))
}

/// start:stop:step. What is left out is None.
pub fn slice(start: Option<Value>, stop: Option<Value>, step: Option<Value>) -> Value {
    Value::Slice(Rc::new([start, stop, step].map(|part| part.unwrap_or(Value::None))))
}

/// First index, step and count of the items that a slice takes from `length` of them.
pub struct Steps {
    pub start: i64,
    pub step: i64,
    pub count: usize,
}

pub fn steps(parts: &[Value; 3], length: usize) -> Result<Steps> {
    let length = length as i64;
    let part = |value: &Value| match value {
        Value::None => Ok(None),
        Value::Int(int) => Ok(Some(int.clamped())),
        Value::Bool(value) => Ok(Some(i64::from(*value))),
        _ => Err(Error::type_error("slice indices must be integers or None or have an __index__ method")),
    };
    // CPython reads the step first.
    let step = part(&parts[2])?.unwrap_or(1);
    if step == 0 {
        return Err(Error::value_error("slice step cannot be zero"));
    }
    let step = step.max(-i64::MAX);
    let (lowest, highest) = if step < 0 { (-1, length - 1) } else { (0, length) };
    let bound = |value: Option<i64>, default: i64| match value {
        None => default,
        Some(value) if value < 0 => value.saturating_add(length).max(lowest),
        Some(value) => value.min(highest),
    };
    let start = bound(part(&parts[0])?, if step < 0 { highest } else { lowest });
    let stop = bound(part(&parts[1])?, if step < 0 { lowest } else { highest });
    let count = if step > 0 && start < stop {
        (stop - start - 1) / step + 1
    } else if step < 0 && stop < start {
        (start - stop - 1) / -step + 1
    } else {
        0
    };
    Ok(Steps { start, step, count: count as usize })
}

impl Steps {
    fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.count as i64).map(|at| (self.start + at * self.step) as usize)
    }
}

fn sliced(context: &mut Context, items: &Items, parts: &[Value; 3]) -> Result<Vec<Value>> {
    let steps = steps(parts, items.len())?;
    context.spend(steps.count as u64)?;
    context.allocate(steps.count * std::mem::size_of::<Value>())?;
    Ok(steps.positions().map(|at| items[at].clone()).collect())
}

fn slice_text(context: &mut Context, text: &Str, parts: &[Value; 3]) -> Result<Value> {
    context.spend(text.len() as u64 / 64)?;
    let ascii = text.is_ascii();
    let length = if ascii { text.len() } else { text.chars().count() };
    let steps = steps(parts, length)?;
    if steps.step == 1 {
        let start = byte_of(text, steps.start as usize);
        let end = start + byte_of(&text[start..], steps.count);
        context.allocate(end - start)?;
        return Ok(Value::text(&text[start..end], text.safe));
    }
    context.allocate(text.len())?;
    let chars: Vec<char> = text.chars().collect();
    let taken: String = steps.positions().map(|at| chars[at]).collect();
    Ok(Value::text(taken, text.safe))
}

/// The byte where a code point begins; past the end: the length.
pub fn byte_of(text: &str, index: usize) -> usize {
    if index >= text.len() || text.is_ascii() {
        return index.min(text.len());
    }
    text.char_indices().nth(index).map_or(text.len(), |(at, _)| at)
}

fn slice_range(range: &Range, parts: &[Value; 3]) -> Result<Value> {
    let steps = steps(parts, range.len())?;
    let (Value::None | Value::Bool(_) | Value::Int(Int::Small(_))) = parts[2] else {
        return Err(Error::unsupported("a range sliced by a step beyond 64 bits"));
    };
    let at = |index: i128| i128::from(range.start) + i128::from(range.step) * index;
    let step = i128::from(range.step) * i128::from(steps.step);
    let start = at(i128::from(steps.start));
    // As CPython computes it from the slice's own stop: the bounds show in repr().
    let stop = at(stop_index(parts, range.len(), steps.step));
    match (i64::try_from(start), i64::try_from(stop), i64::try_from(step)) {
        (Ok(start), Ok(stop), Ok(step)) => Ok(Value::Range(Range { start, stop, step })),
        _ => Err(Error::unsupported("a range beyond 64 bits")),
    }
}

fn stop_index(parts: &[Value; 3], length: usize, step: i64) -> i128 {
    let length = length as i64;
    let (lowest, highest) = if step < 0 { (-1, length - 1) } else { (0, length) };
    let stop = match &parts[1] {
        Value::Int(int) => int.clamped(),
        Value::Bool(value) => i64::from(*value),
        _ => return i128::from(if step < 0 { lowest } else { highest }),
    };
    i128::from(if stop < 0 { stop.saturating_add(length).max(lowest) } else { stop.min(highest) })
}
