//! Binds the arguments of a call to a function's parameters, as Python does.

use super::context::Context;
use super::error::{Error, Result};
use super::ops;
use super::value::{Args, Str, Value};

/// A parameter that only positions reach.
pub const POSITIONAL: &str = "";

/// One slot per parameter; None where the call leaves it out. The first `required` must be given.
pub fn bind<const N: usize>(
    args: Args,
    function: &str,
    names: [&str; N],
    required: usize,
) -> Result<[Option<Value>; N]> {
    let given = args.positional.len();
    if given > N {
        return Err(Error::type_error(format!("{function}() takes at most {N} arguments ({given} given)")));
    }
    let mut slots = [const { None }; N];
    for (slot, value) in slots.iter_mut().zip(args.positional) {
        *slot = Some(value);
    }
    for (name, value) in args.named {
        let found = names.iter().position(|known| **known == *name && *known != POSITIONAL);
        let Some(at) = found else {
            return Err(Error::type_error(format!("{function}() got an unexpected keyword argument '{name}'")));
        };
        if slots[at].replace(value).is_some() {
            return Err(Error::type_error(format!("{function}() got multiple values for argument '{name}'")));
        }
    }
    if let Some(at) = slots[..required.min(N)].iter().position(Option::is_none) {
        let name = if names[at] == POSITIONAL { format!("{}", at + 1) } else { format!("'{}'", names[at]) };
        return Err(Error::type_error(format!("{function}() misses the required argument {name}")));
    }
    Ok(slots)
}

/// No keyword arguments, exactly N positional ones.
pub fn exactly<const N: usize>(args: Args, function: &str) -> Result<[Value; N]> {
    let slots = bind(args, function, [POSITIONAL; N], N)?;
    Ok(slots.map(|slot| slot.unwrap_or(Value::None)))
}

/// What Python's __index__ gives: ints and bools only. Big ones are clamped to i64.
pub fn index(value: &Value) -> Result<i64> {
    match value {
        Value::Bool(value) => Ok(i64::from(*value)),
        Value::Int(value) => Ok(value.clamped()),
        other => Err(Error::type_error(format!("'{}' object cannot be interpreted as an integer", other.type_name()))),
    }
}

/// An int that CPython reads into a Py_ssize_t: too big is an OverflowError.
pub fn size(value: &Value) -> Result<i64> {
    match value {
        Value::Int(int) if int.to_i64().is_none() => {
            Err(Error::runtime("OverflowError", "Python int too large to convert to C ssize_t"))
        }
        other => index(other),
    }
}

/// An int that CPython reads into a C int, as flags of its older functions are.
pub fn c_int(value: &Value) -> Result<i32> {
    i32::try_from(index(value)?)
        .map_err(|_| Error::runtime("OverflowError", "Python int too large to convert to C int"))
}

pub fn str_argument(value: Value, function: &str) -> Result<Str> {
    match value {
        Value::Str(text) => Ok(text),
        other => Err(Error::type_error(format!("{function}() argument must be str, not {}", other.type_name()))),
    }
}

/// A flag that Python reads by its truth.
pub fn flag(context: &mut Context, value: Option<Value>, default: bool) -> Result<bool> {
    match value {
        None => Ok(default),
        Some(value) => ops::truthy(context, &value),
    }
}
