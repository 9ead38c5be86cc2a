//! Operators: arithmetic, comparison, containment, truth.

use super::context::Context;
use super::error::{Error, Result};
use super::int::Int;
use super::iterate;
use super::percent;
use super::text;
use super::value::{Items, Str, Value, View};
use std::cmp::Ordering;
use std::rc::Rc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Mod,
    Pow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    Neg,
    Pos,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}

impl Binary {
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::FloorDiv => "//",
            Self::Mod => "%",
            Self::Pow => "**",
        }
    }
}

pub fn truthy(_context: &mut Context, value: &Value) -> Result<bool> {
    Ok(is_true(value))
}

pub fn is_true(value: &Value) -> bool {
    match value {
        Value::Undefined(_) | Value::None => false,
        Value::Bool(value) => *value,
        Value::Int(value) => !value.is_zero(),
        Value::Float(value) => *value != 0.0,
        Value::Str(text) => !text.is_empty(),
        Value::List(items) | Value::Tuple(items) => !items.is_empty(),
        Value::Dict(dict) | Value::View(dict, _) => !dict.is_empty(),
        Value::Range(range) => !range.is_empty(),
        Value::Object(object) => object.is_true(),
        Value::Slice(_) | Value::Iterator(_) | Value::Namespace(_) => true,
    }
}

/// An int (bools are ints) or a float.
pub enum Number {
    Int(Int),
    Float(f64),
}

impl Number {
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(Self::Int(Int::from(i64::from(*value)))),
            Value::Int(value) => Some(Self::Int(value.clone())),
            Value::Float(value) => Some(Self::Float(*value)),
            _ => None,
        }
    }
    pub fn to_f64(&self) -> Result<f64> {
        match self {
            Self::Int(value) => value.to_f64(),
            Self::Float(value) => Ok(*value),
        }
    }
}

pub fn binary(context: &mut Context, op: Binary, left: &Value, right: &Value) -> Result<Value> {
    if let (Some(a), Some(b)) = (Number::of(left), Number::of(right)) {
        return arithmetic(context, op, &a, &b);
    }
    match (op, left, right) {
        (Binary::Mod, Value::Str(format), values) => Ok(Value::Str(percent::format(context, format, values)?)),
        (Binary::Sub, Value::View(_, View::Keys | View::Items), _)
        | (Binary::Sub, _, Value::View(_, View::Keys | View::Items)) => {
            Err(Error::unsupported("subtracting dict views, which gives a set"))
        }
        (_, Value::Undefined(undefined), _) | (_, _, Value::Undefined(undefined)) => Err(undefined.used()),
        (Binary::Add, Value::Str(a), Value::Str(b)) => Ok(Value::Str(join(context, a, b)?)),
        (Binary::Add, Value::List(a), Value::List(b)) => Value::list(joined(context, a, b)?),
        (Binary::Add, Value::Tuple(a), Value::Tuple(b)) => Value::tuple(joined(context, a, b)?),
        (Binary::Mul, Value::Str(_) | Value::List(_) | Value::Tuple(_), Value::Int(_) | Value::Bool(_)) => {
            repeat(context, left, right)
        }
        (Binary::Mul, Value::Int(_) | Value::Bool(_), Value::Str(_) | Value::List(_) | Value::Tuple(_)) => {
            repeat(context, right, left)
        }
        _ => Err(Error::type_error(format!(
            "unsupported operand type(s) for {}: '{}' and '{}'",
            op.symbol(),
            left.type_name(),
            right.type_name()
        ))),
    }
}

/// str + str; where one is a Markup the other is escaped.
fn join(context: &mut Context, a: &Str, b: &Str) -> Result<Str> {
    let safe = a.safe || b.safe;
    let escaped = |context: &mut Context, part: &Str| match safe && !part.safe {
        true => text::escape(context, &Value::Str(part.clone())),
        false => Ok(part.clone()),
    };
    let (a, b) = (escaped(context, a)?, escaped(context, b)?);
    context.allocate(a.len() + b.len())?;
    Ok(Str { text: Rc::from([&*a, &*b].concat()), safe })
}

fn joined(context: &mut Context, a: &Items, b: &Items) -> Result<Vec<Value>> {
    context.allocate((a.len() + b.len()) * std::mem::size_of::<Value>())?;
    context.spend((a.len() + b.len()) as u64)?;
    Ok(a.iter().chain(b.iter()).cloned().collect())
}

fn repeat(context: &mut Context, value: &Value, count: &Value) -> Result<Value> {
    let count = super::args::size(count)?.max(0) as usize;
    let mut paid = |size: usize, each: usize| {
        let bytes = size.checked_mul(count).and_then(|size| size.checked_mul(each)).unwrap_or(usize::MAX);
        context.allocate(bytes)?;
        context.spend(if each > 1 { (size * count) as u64 } else { 0 })
    };
    match value {
        Value::Str(text) => {
            paid(text.len(), 1)?;
            let repeated = if text.is_empty() { String::new() } else { text.repeat(count) };
            Ok(Value::text(repeated, text.safe))
        }
        Value::List(items) | Value::Tuple(items) => {
            paid(items.len(), std::mem::size_of::<Value>())?;
            let count = if items.is_empty() { 0 } else { count };
            let values = std::iter::repeat_n(items, count).flat_map(|items| items.iter().cloned()).collect();
            if matches!(value, Value::List(_)) {
                Value::list(values)
            } else {
                Value::tuple(values)
            }
        }
        other => Err(Error::type_error(format!("can't multiply '{}'", other.type_name()))),
    }
}

fn arithmetic(context: &mut Context, op: Binary, a: &Number, b: &Number) -> Result<Value> {
    if let (Number::Int(a), Number::Int(b)) = (a, b) {
        return Ok(match op {
            Binary::Add => Value::Int(a.add(context, b)?),
            Binary::Sub => Value::Int(a.sub(context, b)?),
            Binary::Mul => Value::Int(a.mul(context, b)?),
            Binary::Div => Value::Float(a.true_div(context, b)?),
            Binary::FloorDiv => Value::Int(a.div_mod(context, b)?.0),
            Binary::Mod => Value::Int(a.div_mod(context, b)?.1),
            Binary::Pow if !b.is_negative() => Value::Int(a.pow(context, b)?),
            Binary::Pow => Value::Float(float_pow(a.to_f64()?, b.to_f64()?)?),
        });
    }
    let (a, b) = (a.to_f64()?, b.to_f64()?);
    let divisor = |what: &str| match b == 0.0 {
        true => Err(Error::runtime("ZeroDivisionError", what)),
        false => Ok(()),
    };
    Ok(Value::Float(match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => {
            divisor("float division by zero")?;
            a / b
        }
        Binary::FloorDiv => {
            divisor("float floor division by zero")?;
            float_div_mod(a, b).0
        }
        Binary::Mod => {
            divisor("float modulo")?;
            float_div_mod(a, b).1
        }
        Binary::Pow => float_pow(a, b)?,
    }))
}

/// Quotient towards minus infinity, and a remainder with the divisor's sign; the divisor is not 0.
pub fn float_div_mod(a: f64, b: f64) -> (f64, f64) {
    let mut remainder = a % b;
    let mut quotient = (a - remainder) / b;
    if remainder == 0.0 {
        remainder = 0f64.copysign(b);
    } else if (b < 0.0) != (remainder < 0.0) {
        remainder += b;
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return (0f64.copysign(a / b), remainder);
    }
    let floor = quotient.floor();
    (if quotient - floor > 0.5 { floor + 1.0 } else { floor }, remainder)
}

fn float_pow(a: f64, b: f64) -> Result<f64> {
    if a == 0.0 && b < 0.0 {
        return Err(Error::runtime("ZeroDivisionError", "0.0 cannot be raised to a negative power"));
    }
    if a < 0.0 && a.is_finite() && b.is_finite() && b.fract() != 0.0 {
        return Err(Error::unsupported("a negative number to a fractional power, which is a complex number"));
    }
    let power = a.powf(b);
    if power.is_infinite() && a.is_finite() && b.is_finite() {
        return Err(Error::runtime("OverflowError", "Numerical result out of range"));
    }
    Ok(power)
}

pub fn unary(_context: &mut Context, op: Unary, value: &Value) -> Result<Value> {
    match (op, Number::of(value), value) {
        (Unary::Neg, Some(Number::Int(value)), _) => Ok(Value::Int(value.negated())),
        (Unary::Pos, Some(Number::Int(value)), _) => Ok(Value::Int(value)),
        (Unary::Neg, Some(Number::Float(value)), _) => Ok(Value::Float(-value)),
        (Unary::Pos, Some(Number::Float(value)), _) => Ok(Value::Float(value)),
        (_, None, Value::Undefined(undefined)) => Err(undefined.used()),
        (_, None, other) => Err(Error::type_error(format!("bad operand type for unary: '{}'", other.type_name()))),
    }
}

/// a ~ b ~ c
pub fn concat(context: &mut Context, values: &[Value]) -> Result<Value> {
    let safe = context.autoescape && values.iter().any(|value| matches!(value, Value::Str(text) if text.safe));
    let mut out = String::new();
    for value in values {
        let part = if safe { text::escape(context, value)? } else { text::str_of(context, value)? };
        context.allocate(part.len())?;
        out.push_str(&part);
    }
    Ok(Value::text(out, safe))
}

pub fn compare(context: &mut Context, op: Comparison, left: &Value, right: &Value) -> Result<bool> {
    match op {
        Comparison::Eq => equals(context, left, right),
        Comparison::Ne => Ok(!equals(context, left, right)?),
        Comparison::In => contains(context, right, left),
        Comparison::NotIn => Ok(!contains(context, right, left)?),
        _ => order(context, op, left, right),
    }
}

fn same_address(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Str(a), Value::Str(b)) => Rc::ptr_eq(&a.text, &b.text),
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => Rc::ptr_eq(a, b),
        (Value::Dict(a), Value::Dict(b)) => Rc::ptr_eq(a, b),
        (Value::Iterator(a), Value::Iterator(b)) => Rc::ptr_eq(a, b),
        (Value::Namespace(a), Value::Namespace(b)) => Rc::ptr_eq(a, b),
        (Value::Object(a), Value::Object(b)) => std::ptr::addr_eq(Rc::as_ptr(a), Rc::as_ptr(b)),
        (Value::Undefined(a), Value::Undefined(b)) => Rc::ptr_eq(a, b),
        _ => false,
    }
}

/// `is`. None: only CPython's way to share equal values could tell.
pub fn identical(context: &mut Context, left: &Value, right: &Value) -> Result<Option<bool>> {
    Ok(match (left, right) {
        (Value::None, Value::None) => Some(true),
        (Value::Bool(a), Value::Bool(b)) => Some(a == b),
        (Value::Int(a), Value::Int(b)) => match (a == b, a) {
            (false, _) => Some(false),
            (true, Int::Small(-5..=256)) => Some(true),
            _ => None,
        },
        (Value::Float(a), Value::Float(b)) if a.to_bits() != b.to_bits() => Some(false),
        (Value::Float(_), Value::Float(_)) => None,
        (Value::Tuple(a), Value::Tuple(b)) if a.is_empty() && b.is_empty() => Some(true),
        (Value::Str(a), Value::Str(b)) if a.safe != b.safe || a.text != b.text => Some(false),
        (Value::Str(a), _) if same_address(left, right) => {
            context.spend(a.len() as u64 / 64)?;
            Some(true)
        }
        // CPython has one object for each character of Latin-1, and one for the empty str.
        (Value::Str(a), Value::Str(_)) if !a.safe && a.chars().nth(1).is_none() && a.chars().all(|c| c <= '\u{ff}') => {
            Some(true)
        }
        (Value::Str(_), Value::Str(_)) => None,
        // Equal constant tuples of a template may be one object.
        (Value::Tuple(_), Value::Tuple(_)) if !same_address(left, right) => {
            if equals(context, left, right)? {
                None
            } else {
                Some(false)
            }
        }
        (Value::View(a, _), Value::View(b, _)) if Rc::ptr_eq(a, b) => None,
        (Value::Range(a), Value::Range(b)) if a == b => None,
        _ => Some(same_address(left, right)),
    })
}

/// What containers ask of their items: `is` first, then ==.
pub fn identical_or_equal(context: &mut Context, left: &Value, right: &Value) -> Result<bool> {
    if same_address(left, right) {
        return Ok(true);
    }
    if let (Value::Float(a), Value::Float(b)) = (left, right) {
        if a.is_nan() && b.is_nan() {
            return Err(Error::unsupported("comparing lists that hold NaN: whether two are one depends on addresses"));
        }
    }
    equals(context, left, right)
}

pub fn equals(context: &mut Context, left: &Value, right: &Value) -> Result<bool> {
    context.spend(1)?;
    Ok(match (left, right) {
        (Value::Str(a), Value::Str(b)) => {
            context.spend(a.len().min(b.len()) as u64 / 64)?;
            a.text == b.text
        }
        (Value::Undefined(_), Value::Undefined(_)) | (Value::None, Value::None) => true,
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => equal_items(context, a, b)?,
        (Value::Dict(a), Value::Dict(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            for (key, value) in a.iter() {
                let Some(other) = b.get(context, key)? else { return Ok(false) };
                if !identical_or_equal(context, value, other)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::View(_, View::Keys | View::Items), Value::View(_, View::Keys | View::Items)) => {
            let (a, b) = (iterate::length(context, left)?, iterate::length(context, right)?);
            a == b && holds_all(context, right, left)?
        }
        (Value::View(a, View::Values), Value::View(b, View::Values)) => {
            if Rc::ptr_eq(a, b) {
                return Err(Error::unsupported("comparing dict.values() of one dict: Python compares addresses"));
            }
            false
        }
        (Value::Range(a), Value::Range(b)) => {
            a.len() == b.len() && (a.is_empty() || a.start == b.start && (a.len() == 1 || a.step == b.step))
        }
        (Value::Slice(a), Value::Slice(b)) => {
            for (a, b) in a.iter().zip(b.iter()) {
                if !identical_or_equal(context, a, b)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Object(a), Value::Object(b)) => {
            let same = same_address(left, right);
            if !same && a.type_name() == b.type_name() && is_method(a.type_name()) {
                return Err(Error::unsupported("comparing functions or methods: Python compares addresses"));
            }
            same
        }
        _ => match (Number::of(left), Number::of(right)) {
            (Some(a), Some(b)) => compare_numbers(&a, &b) == Some(Ordering::Equal),
            _ => same_address(left, right),
        },
    })
}

/// What is bound to its object anew by each look at it.
pub fn is_method(type_name: &str) -> bool {
    matches!(type_name, "builtin_function_or_method" | "method")
}

fn equal_items(context: &mut Context, a: &Rc<Items>, b: &Rc<Items>) -> Result<bool> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (a, b) in a.iter().zip(b.iter()) {
        if !identical_or_equal(context, a, b)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn compare_numbers(a: &Number, b: &Number) -> Option<Ordering> {
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => Some(a.cmp(b)),
        (Number::Float(a), Number::Float(b)) => a.partial_cmp(b),
        (Number::Int(a), Number::Float(b)) => a.compare_f64(*b),
        (Number::Float(a), Number::Int(b)) => b.compare_f64(*a).map(Ordering::reverse),
    }
}

fn accepts(op: Comparison, ordering: Option<Ordering>) -> bool {
    match op {
        Comparison::Lt => ordering == Some(Ordering::Less),
        Comparison::Le => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Gt => ordering == Some(Ordering::Greater),
        Comparison::Ge => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        Comparison::Eq => ordering == Some(Ordering::Equal),
        _ => false,
    }
}

fn order(context: &mut Context, op: Comparison, left: &Value, right: &Value) -> Result<bool> {
    context.spend(1)?;
    if let (Some(a), Some(b)) = (Number::of(left), Number::of(right)) {
        return Ok(accepts(op, compare_numbers(&a, &b)));
    }
    match (left, right) {
        (Value::Undefined(undefined), _) | (_, Value::Undefined(undefined)) => Err(undefined.used()),
        (Value::Str(a), Value::Str(b)) => {
            context.spend(a.len().min(b.len()) as u64 / 64)?;
            Ok(accepts(op, Some(a.text.cmp(&b.text)))) // UTF-8 sorts as its code points do
        }
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => {
            for (a, b) in a.iter().zip(b.iter()) {
                if !identical_or_equal(context, a, b)? {
                    return order(context, op, a, b);
                }
            }
            Ok(accepts(op, Some(a.len().cmp(&b.len()))))
        }
        (Value::View(_, View::Keys | View::Items), Value::View(_, View::Keys | View::Items)) => {
            let lengths = iterate::length(context, left)?.cmp(&iterate::length(context, right)?);
            if !accepts(op, Some(lengths)) {
                return Ok(false);
            }
            match op {
                Comparison::Lt | Comparison::Le => holds_all(context, right, left),
                _ => holds_all(context, left, right),
            }
        }
        _ => Err(Error::type_error(format!(
            "'{op:?}' not supported between instances of '{}' and '{}'",
            left.type_name(),
            right.type_name()
        ))),
    }
}

fn holds_all(context: &mut Context, container: &Value, items: &Value) -> Result<bool> {
    let mut items = iterate::iterate(context, items)?;
    while let Some(item) = items.next(context)? {
        if !contains(context, container, &item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// a < b, for sorting
pub fn less(context: &mut Context, left: &Value, right: &Value) -> Result<bool> {
    order(context, Comparison::Lt, left, right)
}

/// item in container
pub fn contains(context: &mut Context, container: &Value, item: &Value) -> Result<bool> {
    match (container, item) {
        (Value::Str(text), Value::Str(part)) => {
            context.spend(text.len() as u64 / 64)?;
            Ok(text.contains(&**part))
        }
        (Value::Str(_), other) => {
            Err(Error::type_error(format!("'in <string>' requires string as left operand, not {}", other.type_name())))
        }
        (Value::Dict(dict) | Value::View(dict, View::Keys), key) => Ok(dict.get(context, key)?.is_some()),
        (Value::View(dict, View::Items), pair) => {
            let Value::Tuple(pair) = pair else { return Ok(false) };
            let [key, value] = &pair[..] else { return Ok(false) };
            match dict.get(context, key)? {
                Some(found) => identical_or_equal(context, found, value),
                None => Ok(false),
            }
        }
        (Value::Range(range), Value::Int(_) | Value::Bool(_)) => {
            let Some(Number::Int(Int::Small(value))) = Number::of(item) else { return Ok(false) };
            let offset = i128::from(value) - i128::from(range.start);
            let step = i128::from(range.step);
            Ok(offset % step == 0 && offset / step >= 0 && offset / step < range.len() as i128)
        }
        _ => {
            let mut iter = match iterate::iterate(context, container) {
                Err(error) if error.is("TypeError") => {
                    let name = container.type_name();
                    return Err(Error::type_error(format!("argument of type '{name}' is not iterable")));
                }
                other => other?,
            };
            while let Some(value) = iter.next(context)? {
                if identical_or_equal(context, &value, item)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}
