//! Filters that look at an attribute of the items, or run a filter or test over them.

use super::args::{bind, c_int, flag};
use super::context::Context;
use super::dict::Dict;
use super::error::{Error, Result};
use super::iterate::{self, Iter};
use super::value::{Args, Items, Value};
use super::{access, filters, number, ops, tests, unicode};
use std::rc::Rc;

/// "a.b.0" looked up step by step, as the filters' `attribute` argument says.
pub struct Getter {
    parts: Vec<Value>,
    ignore_case: bool,
    default: Option<Value>,
}

impl Getter {
    pub fn new(context: &mut Context, attribute: &Value, ignore_case: bool, default: Option<Value>) -> Result<Self> {
        let parts = match attribute {
            Value::None => Vec::new(),
            Value::Str(path) => path_parts(context, path)?,
            other => vec![other.clone()],
        };
        Ok(Self { parts, ignore_case, default: default.filter(|value| !matches!(value, Value::None)) })
    }

    pub fn get(&self, context: &mut Context, item: &Value) -> Result<Value> {
        let mut value = item.clone();
        for part in &self.parts {
            context.spend(1)?;
            value = access::item(context, &value, part)?;
            if let (Some(default), true) = (&self.default, value.is_undefined()) {
                value = default.clone();
            }
        }
        if self.ignore_case {
            return lowered(context, value);
        }
        Ok(value)
    }
}

fn path_parts(context: &mut Context, path: &str) -> Result<Vec<Value>> {
    path.split('.')
        .map(|part| {
            let digits = !part.is_empty() && part.chars().all(|c| unicode::tables().digit.contains(c));
            Ok(if digits { Value::Int(number::parse_int(context, part, 10)?) } else { Value::str(part) })
        })
        .collect()
}

/// Lower case for a str, anything else as it is.
pub fn lowered(context: &mut Context, value: Value) -> Result<Value> {
    match value {
        Value::Str(text) => {
            context.allocate(text.len())?;
            Ok(Value::text(unicode::lower(&text), text.safe))
        }
        other => Ok(other),
    }
}

/// Stable; `reverse` keeps the order of equal items too.
pub fn sorted(context: &mut Context, keyed: Vec<(Value, Value)>, reverse: bool) -> Result<Vec<Value>> {
    for (key, _) in keyed.iter().filter(|_| keyed.len() > 1) {
        if holds_nan(context, key)? {
            return Err(Error::unsupported("sorting by NaN, which has no place in an order"));
        }
    }
    let sorted = if reverse {
        sorted_by(context, keyed, &mut |context, a, b| ops::less(context, b, a))?
    } else {
        sorted_by(context, keyed, &mut ops::less)?
    };
    Ok(sorted.into_iter().map(|(_, value)| value).collect())
}

fn holds_nan(context: &mut Context, key: &Value) -> Result<bool> {
    context.spend(1)?;
    Ok(match key {
        Value::Float(value) => value.is_nan(),
        Value::List(items) | Value::Tuple(items) => {
            for item in items.iter() {
                if holds_nan(context, item)? {
                    return Ok(true);
                }
            }
            false
        }
        _ => false,
    })
}

type Less<'a> = dyn FnMut(&mut Context, &Value, &Value) -> Result<bool> + 'a;

/// A stable merge sort of keys and values that stops at the first error of the comparison.
pub fn sorted_by(
    context: &mut Context,
    mut items: Vec<(Value, Value)>,
    less: &mut Less,
) -> Result<Vec<(Value, Value)>> {
    context.spend(items.len() as u64)?;
    if items.len() < 2 {
        return Ok(items);
    }
    let right = items.split_off(items.len() / 2);
    let left = sorted_by(context, items, less)?;
    let right = sorted_by(context, right, less)?;
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let right_first = less(context, &b.0, &a.0)?;
        merged.extend(if right_first { right.next() } else { left.next() });
    }
    merged.extend(left);
    merged.extend(right);
    Ok(merged)
}

pub fn sort(context: &mut Context, args: Args) -> Result<Value> {
    let names = ["value", "reverse", "case_sensitive", "attribute"];
    let [value, reverse, case_sensitive, attribute] = bind(args, "sort", names, 1)?;
    let ignore_case = !flag(context, case_sensitive, false)?;
    let attribute = attribute.unwrap_or(Value::None);
    let paths = match &attribute {
        Value::Str(paths) => paths.split(',').map(Value::str).collect(),
        other => vec![other.clone()],
    };
    let mut getters = Vec::new();
    for path in &paths {
        getters.push(Getter::new(context, path, ignore_case, None)?);
    }
    let mut keyed = Vec::new();
    for item in iterate::collect(context, &value.unwrap_or(Value::None))? {
        let mut keys = Vec::with_capacity(getters.len());
        for getter in &getters {
            keys.push(getter.get(context, &item)?);
        }
        let key = if keys.len() == 1 { single_key(keys)? } else { Value::list(keys)? };
        keyed.push((key, item));
    }
    let reverse = reverse.as_ref().map_or(Ok(0), c_int)? != 0;
    Value::list(sorted(context, keyed, reverse)?)
}

/// Python compares lists of one key: equal ones are passed over, so keys without an order may be equal.
fn single_key(keys: Vec<Value>) -> Result<Value> {
    match keys.as_slice() {
        [Value::Str(_)] => Ok(keys.into_iter().next().unwrap_or(Value::None)),
        _ => Value::list(keys),
    }
}

pub fn groupby(context: &mut Context, args: Args) -> Result<Value> {
    let names = ["value", "attribute", "default", "case_sensitive"];
    let [value, attribute, default, case_sensitive] = bind(args, "groupby", names, 2)?;
    let ignore_case = !flag(context, case_sensitive, false)?;
    let attribute = attribute.unwrap_or(Value::None);
    let getter = Getter::new(context, &attribute, ignore_case, default.clone())?;
    let shown = Getter::new(context, &attribute, false, default)?;
    let mut keyed = Vec::new();
    for item in iterate::collect(context, &value.unwrap_or(Value::None))? {
        keyed.push((getter.get(context, &item)?, item));
    }
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    for item in sorted(context, keyed, false)? {
        let key = getter.get(context, &item)?;
        match groups.last_mut() {
            Some((last, items)) if ops::identical_or_equal(context, last, &key)? => items.push(item),
            _ => groups.push((key, vec![item])),
        }
    }
    let mut pairs = Vec::with_capacity(groups.len());
    for (key, items) in groups {
        context.allocate(4 * std::mem::size_of::<Value>())?;
        let key = if ignore_case { shown.get(context, &items[0])? } else { key };
        let mut pair = Items::new(vec![key, Value::list(items)?])?;
        pair.group = true;
        pairs.push(Value::Tuple(Rc::new(pair)));
    }
    Value::list(pairs)
}

/// min and max: the first of equal items wins.
pub fn extreme(context: &mut Context, args: Args, name: &str) -> Result<Value> {
    let [value, case_sensitive, attribute] = bind(args, name, ["value", "case_sensitive", "attribute"], 1)?;
    let ignore_case = !flag(context, case_sensitive, false)?;
    let mut items = iterate::iterate(context, &value.unwrap_or(Value::None))?;
    let Some(mut best) = items.next(context)? else {
        return Ok(Value::undefined("No aggregated item, sequence was empty."));
    };
    let getter = Getter::new(context, &attribute.unwrap_or(Value::None), ignore_case, None)?;
    let mut best_key = getter.get(context, &best)?;
    while let Some(item) = items.next(context)? {
        let key = getter.get(context, &item)?;
        let op = if name == "min" { ops::Comparison::Lt } else { ops::Comparison::Gt };
        if ops::compare(context, op, &key, &best_key)? {
            (best, best_key) = (item, key);
        }
    }
    Ok(best)
}

pub fn unique(context: &mut Context, args: Args) -> Result<Value> {
    let [value, case_sensitive, attribute] = bind(args, "unique", ["value", "case_sensitive", "attribute"], 1)?;
    let ignore_case = !flag(context, case_sensitive, false)?;
    let value = value.unwrap_or(Value::None);
    let attribute = attribute.unwrap_or(Value::None);
    let sources = [value.clone()];
    let mut running: Option<(Iter, Getter)> = None;
    let mut seen = Dict::new();
    Value::lazy("sync_do_unique", sources.iter(), move |context| {
        let (items, getter) = match &mut running {
            Some(running) => running,
            None => {
                let getter = Getter::new(context, &attribute, ignore_case, None)?;
                running.insert((iterate::iterate(context, &value)?, getter))
            }
        };
        while let Some(item) = items.next(context)? {
            let key = getter.get(context, &item)?;
            if seen.get(context, &key)?.is_none() {
                context.allocate(4 * std::mem::size_of::<Value>())?;
                seen.insert(context, key, Value::None)?;
                return Ok(Some(item));
            }
        }
        Ok(None)
    })
}

pub fn sum(context: &mut Context, args: Args) -> Result<Value> {
    let [items, attribute, start] = bind(args, "sum", ["iterable", "attribute", "start"], 1)?;
    let getter = match attribute {
        None | Some(Value::None) => None,
        Some(attribute) => Some(Getter::new(context, &attribute, false, None)?),
    };
    let mut total = start.unwrap_or_else(|| Value::int(0));
    let mut items = iterate::iterate(context, &items.unwrap_or(Value::None))?;
    if let Value::Str(_) = total {
        return Err(Error::type_error("sum() can't sum strings [use ''.join(seq) instead]"));
    }
    while let Some(item) = items.next(context)? {
        let item = match &getter {
            Some(getter) => getter.get(context, &item)?,
            None => item,
        };
        total = ops::binary(context, ops::Binary::Add, &total, &item)?;
    }
    Ok(total)
}

/// What map and select run on each item.
enum Work {
    Attribute(Getter),
    Filter(filters::Native, Args),
    Test(tests::Native, Args),
    Truth,
    /// There is no filter or test of the name, which is looked up for each item.
    Unknown(Error),
}

impl Work {
    fn run(&self, context: &mut Context, item: &Value) -> Result<Value> {
        let with_item = |args: &Args| {
            let mut args = args.clone();
            args.positional.insert(0, item.clone());
            args
        };
        match self {
            Self::Attribute(getter) => getter.get(context, item),
            Self::Filter(filter, args) => context.nested(|context| filter(context, with_item(args))),
            Self::Test(test, args) => context.nested(|context| test(context, with_item(args))),
            Self::Truth => Ok(item.clone()),
            Self::Unknown(error) => Err(error.clone()),
        }
    }
}

fn filter_argument_error(message: impl AsRef<str>) -> Error {
    Error::runtime("FilterArgumentError", message)
}

fn unknown(kind: &str, name: &Value) -> Work {
    let shown = name.as_str().unwrap_or(name.type_name());
    Work::Unknown(Error::runtime("TemplateRuntimeError", format!("No {kind} named '{shown}'.")))
}

/// The arguments of map are looked at when its first item is asked for, as its generator does.
fn map_work(context: &mut Context, mut args: Args) -> Result<Work> {
    let attribute = args.named.iter().position(|(name, _)| **name == *"attribute");
    if let (true, Some(at)) = (args.positional.is_empty(), attribute) {
        let (_, attribute) = args.named.remove(at);
        let default = args.named.iter().position(|(name, _)| **name == *"default");
        let default = default.map(|at| args.named.remove(at).1);
        if let Some((name, _)) = args.named.first() {
            return Err(filter_argument_error(format!("Unexpected keyword argument '{name}'")));
        }
        return Ok(Work::Attribute(Getter::new(context, &attribute, false, default)?));
    }
    if args.positional.is_empty() {
        return Err(filter_argument_error("map requires a filter argument"));
    }
    let name = args.positional.remove(0);
    let found = name.as_str().and_then(filters::find);
    Ok(found.map_or_else(|| unknown("filter", &name), |filter| Work::Filter(filter, args)))
}

fn test_work(mut args: Args) -> Result<Work> {
    if args.positional.is_empty() {
        return Ok(Work::Truth);
    }
    let name = args.positional.remove(0);
    let found = name.as_str().and_then(tests::find);
    Ok(found.map_or_else(|| unknown("test", &name), |test| Work::Test(test, args)))
}

/// The filtered value of a filter whose other arguments are its own.
fn split_value(mut args: Args, function: &str) -> Result<(Value, Args)> {
    if args.positional.is_empty() || args.named.iter().any(|(name, _)| **name == *"value" || **name == *"context") {
        return Err(Error::type_error(format!("{function}() got multiple values for argument 'value'")));
    }
    let value = args.positional.remove(0);
    Ok((value, args))
}

pub fn map(_context: &mut Context, args: Args) -> Result<Value> {
    let (value, args) = split_value(args, "map")?;
    let sources: Vec<Value> = std::iter::once(value.clone()).chain(all_values(&args)).collect();
    let mut running: Option<(Iter, Work)> = None;
    let mut args = Some(args);
    Value::lazy("sync_do_map", sources.iter(), move |context| {
        if let Some(args) = args.take() {
            if ops::truthy(context, &value)? {
                let work = map_work(context, args)?;
                running = Some((iterate::iterate(context, &value)?, work));
            }
        }
        let Some((items, work)) = &mut running else { return Ok(None) };
        match items.next(context)? {
            Some(item) => work.run(context, &item).map(Some),
            None => Ok(None),
        }
    })
}

fn all_values(args: &Args) -> impl Iterator<Item = Value> + '_ {
    args.positional.iter().chain(args.named.iter().map(|(_, value)| value)).cloned()
}

pub fn select(
    _context: &mut Context,
    args: Args,
    name: &'static str,
    by_attribute: bool,
    wanted: bool,
) -> Result<Value> {
    let (value, args) = split_value(args, name)?;
    let sources: Vec<Value> = std::iter::once(value.clone()).chain(all_values(&args)).collect();
    let mut running: Option<(Iter, Option<Getter>, Work)> = None;
    let mut args = Some(args);
    Value::lazy("select_or_reject", sources.iter(), move |context| {
        if let Some(mut args) = args.take() {
            if ops::truthy(context, &value)? {
                let mut getter = None;
                if by_attribute {
                    if args.positional.is_empty() {
                        return Err(filter_argument_error("Missing parameter for attribute name"));
                    }
                    getter = Some(Getter::new(context, &args.positional.remove(0), false, None)?);
                }
                let work = test_work(args)?;
                running = Some((iterate::iterate(context, &value)?, getter, work));
            }
        }
        let Some((items, getter, work)) = &mut running else { return Ok(None) };
        while let Some(item) = items.next(context)? {
            let tested = match getter {
                Some(getter) => getter.get(context, &item)?,
                None => item.clone(),
            };
            let result = work.run(context, &tested)?;
            if ops::truthy(context, &result)? == wanted {
                return Ok(Some(item));
            }
        }
        Ok(None)
    })
}
