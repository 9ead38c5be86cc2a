//! Evaluates expressions.

use super::ast::{Apply, Arguments, Call, Conditional, Escape, Expr, Kind};
use super::context::Context;
use super::dict::Dict;
use super::error::{Error, Result};
use super::frame::Frame;
use super::ops::{self, Binary, Comparison, Unary};
use super::resolve_expressions::unknown;
use super::value::{Args, Value};
use super::{access, iterate};
use std::rc::Rc;

pub fn eval(context: &mut Context, frame: &Rc<Frame>, expr: &Expr) -> Result<Value> {
    match &expr.kind {
        Kind::Constant(at) => Ok(frame.page.run.constants[*at as usize].clone()),
        Kind::Name(name) => frame.load(name).map_err(|error| error.at(expr.line)),
        _ => {
            context.descend()?;
            let value = node(context, frame, expr).map_err(|error| error.at(expr.line))?;
            context.ascend();
            Ok(value)
        }
    }
}

fn truth(context: &mut Context, frame: &Rc<Frame>, expr: &Expr) -> Result<bool> {
    let value = eval(context, frame, expr)?;
    ops::truthy(context, &value)
}

fn node(context: &mut Context, frame: &Rc<Frame>, expr: &Expr) -> Result<Value> {
    match &expr.kind {
        Kind::Constant(_) | Kind::Name(_) => eval(context, frame, expr),
        Kind::NamespaceField(..) => Err(Error::unsupported("a field as a target is no value")),
        Kind::Tuple(parts) => Value::tuple(all(context, frame, parts)?),
        Kind::List(parts) => Value::list(all(context, frame, parts)?),
        Kind::Dict(items) => dict(context, frame, items),
        Kind::Not(value) => Ok(Value::Bool(!truth(context, frame, value)?)),
        Kind::And(parts) => {
            let left = eval(context, frame, &parts[0])?;
            if ops::truthy(context, &left)? {
                eval(context, frame, &parts[1])
            } else {
                Ok(left)
            }
        }
        Kind::Or(parts) => {
            let left = eval(context, frame, &parts[0])?;
            if ops::truthy(context, &left)? {
                Ok(left)
            } else {
                eval(context, frame, &parts[1])
            }
        }
        Kind::Unary(operator, value) => {
            let value = eval(context, frame, value)?;
            ops::unary(context, *operator, &value)
        }
        Kind::Binary(operator, parts) => binary(context, frame, *operator, parts),
        Kind::Compare(first, rest) => compare(context, frame, first, rest),
        Kind::Concat(parts, escape) => {
            let parts = all(context, frame, parts)?;
            escaping(context, *escape, |context| ops::concat(context, &parts))
        }
        Kind::Conditional(parts) => conditional(context, frame, parts, expr.line),
        Kind::Attribute(value, name) => {
            let value = eval(context, frame, value)?;
            access::attribute(context, &value, name)
        }
        Kind::Item(parts) => item(context, frame, parts),
        Kind::Slice(parts) => slice(context, frame, parts),
        Kind::Call(call) => self::call(context, frame, call, None),
        Kind::Filter(apply) => self::apply(context, frame, apply, "filter", None),
        Kind::Test(apply) => self::apply(context, frame, apply, "test", None),
        Kind::Folded(value, escape) => folded(context, frame, value, *escape),
        Kind::Printed(value, escape) => constant(context, frame, value, *escape),
    }
}

/// The value of a constant, as where autoescape is `escape`.
fn constant(context: &mut Context, frame: &Rc<Frame>, expr: &Expr, escape: Escape) -> Result<Value> {
    let outside = std::mem::replace(&mut context.is_constant, true);
    let value = escaping(context, escape, |context| eval(context, frame, expr))?;
    context.is_constant = outside;
    Ok(value)
}

/// A constant that jinja2 writes into its program by its repr. Where the value has none that can be read back,
/// its parts are written instead, and it is evaluated when the program runs.
#[inline(never)]
fn folded(context: &mut Context, frame: &Rc<Frame>, expr: &Expr, escape: Escape) -> Result<Value> {
    let value = constant(context, frame, expr, escape)?;
    if is_written(&value) {
        check_constant(context, &value)?;
        return Ok(value);
    }
    for part in expr.parts() {
        folded(context, frame, part, escape)?;
    }
    escaping(context, escape, |context| eval(context, frame, expr))
}

/// Whether the value is of a type that is written as a constant.
fn is_written(value: &Value) -> bool {
    match value {
        Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) | Value::Range(_) => true,
        Value::List(items) => items.iter().all(is_written),
        Value::Tuple(items) => !items.group && items.iter().all(is_written),
        Value::Dict(dict) => dict.iter().all(|(key, value)| is_written(key) && is_written(value)),
        _ => false,
    }
}

/// Works as where autoescape is `escape`.
fn escaping<T>(context: &mut Context, escape: Escape, work: impl FnOnce(&mut Context) -> Result<T>) -> Result<T> {
    let outside = std::mem::replace(&mut context.autoescape, escape == Escape::On);
    let value = work(context)?;
    context.autoescape = outside;
    Ok(value)
}

#[inline(never)]
fn all(context: &mut Context, frame: &Rc<Frame>, parts: &[Expr]) -> Result<Vec<Value>> {
    let mut values = Vec::with_capacity(parts.len());
    for part in parts {
        values.push(eval(context, frame, part)?);
    }
    Ok(values)
}

#[inline(never)]
fn dict(context: &mut Context, frame: &Rc<Frame>, items: &[(Expr, Expr)]) -> Result<Value> {
    let mut dict = Dict::with_capacity(items.len());
    for (key, value) in items {
        let key = eval(context, frame, key)?;
        let value = eval(context, frame, value)?;
        dict.insert(context, key, value)?;
    }
    Ok(Value::Dict(Rc::new(dict)))
}

#[inline(never)]
fn binary(context: &mut Context, frame: &Rc<Frame>, operator: Binary, parts: &[Expr; 2]) -> Result<Value> {
    let left = eval(context, frame, &parts[0])?;
    let right = eval(context, frame, &parts[1])?;
    let is_folded = matches!(parts[0].kind, Kind::Folded(..));
    if operator == Binary::Pow && is_folded && is_signed(&left) {
        // jinja2 writes the constant into its program as -2 ** x, which Python reads as -(2 ** x).
        let left = ops::unary(context, Unary::Neg, &left)?;
        let power = ops::binary(context, operator, &left, &right)?;
        return ops::unary(context, Unary::Neg, &power);
    }
    ops::binary(context, operator, &left, &right)
}

/// Whether the number is written with a minus.
fn is_signed(value: &Value) -> bool {
    match value {
        Value::Int(value) => value.is_negative(),
        Value::Float(value) => value.is_sign_negative(),
        _ => false,
    }
}

#[inline(never)]
fn compare(context: &mut Context, frame: &Rc<Frame>, first: &Expr, rest: &[(Comparison, Expr)]) -> Result<Value> {
    let mut left = eval(context, frame, first)?;
    for (comparison, part) in rest {
        let right = eval(context, frame, part)?;
        if !ops::compare(context, *comparison, &left, &right)? {
            return Ok(Value::Bool(false));
        }
        left = right;
    }
    Ok(Value::Bool(true))
}

#[inline(never)]
fn conditional(context: &mut Context, frame: &Rc<Frame>, parts: &Conditional, line: u32) -> Result<Value> {
    if truth(context, frame, &parts.test)? {
        return eval(context, frame, &parts.then);
    }
    match &parts.otherwise {
        Some(otherwise) => eval(context, frame, otherwise),
        None => Ok(Value::undefined(format!(
            "the inline if-expression on line {line} evaluated to false and no else section was defined."
        ))),
    }
}

#[inline(never)]
fn item(context: &mut Context, frame: &Rc<Frame>, parts: &[Expr; 2]) -> Result<Value> {
    let value = eval(context, frame, &parts[0])?;
    let key = eval(context, frame, &parts[1])?;
    match &parts[1].kind {
        // The compiled program goes around jinja2's own way to items.
        Kind::Slice(_) if !context.is_constant => access::subscript(context, &value, &key),
        _ => access::item(context, &value, &key),
    }
}

#[inline(never)]
fn slice(context: &mut Context, frame: &Rc<Frame>, parts: &[Option<Expr>; 3]) -> Result<Value> {
    let mut values = [None, None, None];
    for (value, part) in values.iter_mut().zip(parts) {
        *value = part.as_ref().map(|part| eval(context, frame, part)).transpose()?;
    }
    let [start, stop, step] = values;
    Ok(access::slice(start, stop, step))
}

/// `args` holds what comes first.
#[inline(never)]
/// `caller`: of a call block; it stands behind the keywords that are written, before those of **.
fn arguments(
    context: &mut Context,
    frame: &Rc<Frame>,
    from: &Arguments,
    caller: Option<Value>,
    args: &mut Args,
) -> Result<()> {
    if from.exprs().next().is_none() && caller.is_none() {
        return Ok(());
    }
    context.descend()?;
    for value in &from.positional {
        args.positional.push(eval(context, frame, value)?);
    }
    if let Some(rest) = &from.rest {
        let rest = eval(context, frame, rest)?;
        let mut items = iterate::iterate(context, &rest)?;
        while let Some(item) = items.next(context)? {
            context.allocate(std::mem::size_of::<Value>())?;
            args.positional.push(item);
        }
    }
    for (name, value) in &from.named {
        let value = eval(context, frame, value)?;
        args.named.push((Rc::from(&**name), value));
    }
    if let Some(caller) = caller {
        if args.named.iter().any(|(name, _)| **name == *"caller") {
            return Err(Error::type_error("got multiple values for keyword argument 'caller'"));
        }
        args.named.push((Rc::from("caller"), caller));
    }
    if let Some(rest) = &from.named_rest {
        let rest = eval(context, frame, rest)?;
        named_rest(context, &rest, args)?;
    }
    context.ascend();
    Ok(())
}

fn named_rest(context: &mut Context, rest: &Value, args: &mut Args) -> Result<()> {
    let Value::Dict(rest) = rest else {
        return Err(Error::type_error(format!("argument after ** must be a mapping, not {}", rest.type_name())));
    };
    context.spend((rest.len() * (args.named.len() + 1)) as u64)?;
    let before = args.named.len();
    for (key, value) in rest.iter() {
        let Value::Str(name) = key else {
            return Err(Error::type_error("keywords must be strings"));
        };
        if name.safe {
            return Err(Error::unsupported("a keyword argument whose name is marked safe"));
        }
        if args.named[..before].iter().any(|(other, _)| **other == **name) {
            return Err(Error::type_error(format!("got multiple values for keyword argument '{}'", &**name)));
        }
        args.named.push((name.text.clone(), value.clone()));
    }
    Ok(())
}

#[inline(never)]
fn call(context: &mut Context, frame: &Rc<Frame>, call: &Call, caller: Option<Value>) -> Result<Value> {
    let callee = eval(context, frame, &call.callee)?;
    let mut args = Args::default();
    arguments(context, frame, &call.arguments, caller, &mut args)?;
    match &callee {
        // A function that is not there is one that this engine does not have.
        Value::Undefined(undefined) if !undefined.unsafe_access => Err(Error::unsupported(undefined.used().message)),
        _ => context.call(&callee, args),
    }
}

pub fn call_with_caller(context: &mut Context, frame: &Rc<Frame>, expr: &Expr, caller: Value) -> Result<Value> {
    let Kind::Call(call) = &expr.kind else {
        return Err(Error::unsupported("a call block without a call"));
    };
    self::call(context, frame, call, Some(caller)).map_err(|error| error.at(expr.line))
}

/// `captured`: the text that a filter of a block is applied to.
#[inline(never)]
fn apply(
    context: &mut Context,
    frame: &Rc<Frame>,
    apply: &Apply,
    what: &str,
    captured: Option<&Value>,
) -> Result<Value> {
    let value = match (&apply.value, captured) {
        (Some(value), Some(captured)) => filtered(context, frame, value, captured)?,
        (Some(value), None) => eval(context, frame, value)?,
        (None, Some(captured)) => captured.clone(),
        (None, None) => return Err(Error::unsupported("a filter without a value")),
    };
    let mut args = Args { positional: vec![value], named: Vec::new() };
    arguments(context, frame, &apply.arguments, None, &mut args)?;
    match apply.native {
        Some(native) => native(context, args),
        None => Err(unknown(apply, what)),
    }
}

/// Applies the filters of a filter or set block.
pub fn filtered(context: &mut Context, frame: &Rc<Frame>, filter: &Expr, captured: &Value) -> Result<Value> {
    let Kind::Filter(inside) = &filter.kind else {
        return eval(context, frame, filter);
    };
    context.descend()?;
    let value = apply(context, frame, inside, "filter", Some(captured)).map_err(|error| error.at(filter.line))?;
    context.ascend();
    Ok(value)
}

/// jinja2 writes constants into its program by their repr, which Python cannot read back where they are
/// infinite, NaN or too long an int.
fn check_constant(context: &mut Context, value: &Value) -> Result<()> {
    match value {
        Value::Float(value) if !value.is_finite() => {
            Err(Error::runtime("NameError", format!("the constant {value} cannot be written in a program")))
        }
        Value::Int(value) if value.to_i64().is_none() => value.to_decimal(context).map(|_| ()),
        Value::List(items) | Value::Tuple(items) => {
            context.spend(items.len() as u64)?;
            items.iter().try_for_each(|item| check_constant(context, item))
        }
        Value::Dict(dict) => {
            context.spend(dict.len() as u64)?;
            dict.iter().try_for_each(|(key, value)| {
                check_constant(context, key)?;
                check_constant(context, value)
            })
        }
        _ => Ok(()),
    }
}
