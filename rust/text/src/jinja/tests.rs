//! The tests (`value is name`).

use super::args::{bind, exactly};
use super::context::Context;
use super::error::{Error, Result};
use super::ops::{self, Comparison};
use super::value::{Args, Value};
use super::{filters, iterate, methods_str, text};

pub type Native = fn(&mut Context, Args) -> Result<Value>;

const TESTS: &[(&str, Native)] = &[
    ("!=", |c, a| compare(c, a, Comparison::Ne)),
    ("<", |c, a| compare(c, a, Comparison::Lt)),
    ("<=", |c, a| compare(c, a, Comparison::Le)),
    ("==", |c, a| compare(c, a, Comparison::Eq)),
    (">", |c, a| compare(c, a, Comparison::Gt)),
    (">=", |c, a| compare(c, a, Comparison::Ge)),
    ("boolean", |_, a| of_value(a, |value| matches!(value, Value::Bool(_)))),
    ("callable", |_, a| positional(a, is_callable)),
    ("defined", |_, a| of_value(a, |value| !value.is_undefined())),
    ("divisibleby", |c, a| {
        let [value, divisor] = bind(a, "divisibleby", ["value", "num"], 2)?;
        remainder_is(c, value, divisor.unwrap_or(Value::None), 0)
    }),
    ("eq", |c, a| compare(c, a, Comparison::Eq)),
    ("equalto", |c, a| compare(c, a, Comparison::Eq)),
    ("escaped", |_, a| of_value(a, |value| matches!(value, Value::Str(text) if text.safe))),
    ("even", |c, a| {
        let [value] = bind(a, "even", ["value"], 1)?;
        remainder_is(c, value, Value::int(2), 0)
    }),
    ("false", |_, a| of_value(a, |value| matches!(value, Value::Bool(false)))),
    ("filter", |c, a| named(c, a, |name| filters::find(name).is_some())),
    ("float", |_, a| of_value(a, |value| matches!(value, Value::Float(_)))),
    ("ge", |c, a| compare(c, a, Comparison::Ge)),
    ("greaterthan", |c, a| compare(c, a, Comparison::Gt)),
    ("gt", |c, a| compare(c, a, Comparison::Gt)),
    ("in", |c, a| {
        let [value, container] = bind(a, "in", ["value", "seq"], 2)?;
        let (value, container) = (value.unwrap_or(Value::None), container.unwrap_or(Value::None));
        Ok(Value::Bool(ops::contains(c, &container, &value)?))
    }),
    ("integer", |_, a| of_value(a, |value| matches!(value, Value::Int(_)))),
    ("iterable", |c, a| {
        let [value] = bind(a, "iterable", ["value"], 1)?;
        match iterate::iterate(c, &value.unwrap_or(Value::None)) {
            Ok(_) => Ok(Value::Bool(true)),
            Err(error) if error.is("TypeError") => Ok(Value::Bool(false)),
            Err(error) => Err(error),
        }
    }),
    ("le", |c, a| compare(c, a, Comparison::Le)),
    ("lessthan", |c, a| compare(c, a, Comparison::Lt)),
    ("lower", |c, a| of_text(c, a, methods_str::is_lower)),
    ("lt", |c, a| compare(c, a, Comparison::Lt)),
    ("mapping", |_, a| of_value(a, |value| matches!(value, Value::Dict(_)))),
    ("ne", |c, a| compare(c, a, Comparison::Ne)),
    ("none", |_, a| of_value(a, |value| matches!(value, Value::None))),
    ("number", |_, a| of_value(a, |value| matches!(value, Value::Int(_) | Value::Float(_) | Value::Bool(_)))),
    ("odd", |c, a| {
        let [value] = bind(a, "odd", ["value"], 1)?;
        remainder_is(c, value, Value::int(2), 1)
    }),
    ("sameas", same_as),
    ("sequence", |_, a| of_value(a, is_sequence)),
    ("string", |_, a| of_value(a, |value| matches!(value, Value::Str(_)))),
    ("test", |c, a| named(c, a, |name| find(name).is_some())),
    ("true", |_, a| of_value(a, |value| matches!(value, Value::Bool(true)))),
    ("undefined", |_, a| of_value(a, Value::is_undefined)),
    ("upper", |c, a| of_text(c, a, methods_str::is_upper)),
];

pub fn find(name: &str) -> Option<Native> {
    TESTS.binary_search_by(|(known, _)| (*known).cmp(name)).ok().map(|at| TESTS[at].1)
}

fn compare(context: &mut Context, args: Args, op: Comparison) -> Result<Value> {
    let [left, right] = exactly(args, "a comparison")?;
    Ok(Value::Bool(ops::compare(context, op, &left, &right)?))
}

fn of_value(args: Args, test: fn(&Value) -> bool) -> Result<Value> {
    let [value] = bind(args, "a test", ["value"], 1)?;
    Ok(Value::Bool(test(&value.unwrap_or(Value::None))))
}

fn positional(args: Args, test: fn(&Value) -> bool) -> Result<Value> {
    let [value] = exactly(args, "a test")?;
    Ok(Value::Bool(test(&value)))
}

fn of_text(context: &mut Context, args: Args, test: fn(&str) -> bool) -> Result<Value> {
    let [value] = bind(args, "a test", ["value"], 1)?;
    let text = text::str_of(context, &value.unwrap_or(Value::None))?;
    context.spend(text.len() as u64 / 32)?;
    Ok(Value::Bool(test(&text)))
}

fn remainder_is(context: &mut Context, value: Option<Value>, divisor: Value, wanted: i64) -> Result<Value> {
    let rest = ops::binary(context, ops::Binary::Mod, &value.unwrap_or(Value::None), &divisor)?;
    Ok(Value::Bool(ops::equals(context, &rest, &Value::int(wanted))?))
}

/// Whether a filter or test of that name is there: a look-up in a dict, so lists and dicts are errors.
fn named(context: &mut Context, args: Args, test: fn(&str) -> bool) -> Result<Value> {
    let [name] = bind(args, "a test", ["value"], 1)?;
    let name = name.unwrap_or(Value::None);
    super::dict::hash(context, &name)?;
    Ok(Value::Bool(name.as_str().is_some_and(test)))
}

pub fn is_callable(value: &Value) -> bool {
    match value {
        Value::Undefined(_) => true, // its class has __call__, which raises
        Value::Object(object) => object.is_callable(),
        _ => false,
    }
}

fn is_sequence(value: &Value) -> bool {
    use Value::{Dict, List, Range, Str, Tuple, Undefined};
    matches!(value, Str(_) | List(_) | Tuple(_) | Dict(_) | Range(_) | Undefined(_))
}

fn same_as(context: &mut Context, args: Args) -> Result<Value> {
    let [value, other] = bind(args, "sameas", ["value", "other"], 2)?;
    match ops::identical(context, &value.unwrap_or(Value::None), &other.unwrap_or(Value::None))? {
        Some(same) => Ok(Value::Bool(same)),
        None => Err(Error::unsupported("the test sameas on equal numbers, strings or tuples: only addresses tell")),
    }
}
