//! str.format and str.format_map, through the sandbox's formatter.

use super::context::Context;
use super::error::{Error, Result};
use super::format_spec::format_value;
use super::value::{Args, Str, Value};
use super::{access, text, unicode};
use std::rc::Rc;

pub fn str_format(context: &mut Context, this: &Str, args: Args) -> Result<Value> {
    let mut formatter = Formatter { positional: args.positional, named: Names::Arguments(args.named), safe: this.safe };
    formatter.run(context, this)
}

pub fn str_format_map(context: &mut Context, this: &Str, args: Args) -> Result<Value> {
    if !args.named.is_empty() {
        return Err(Error::type_error("format_map() takes no keyword arguments"));
    }
    let count = args.positional.len();
    let [mapping] = <[Value; 1]>::try_from(args.positional)
        .map_err(|_| Error::type_error(format!("format_map() takes exactly one argument ({count} given)")))?;
    let mut formatter = Formatter { positional: Vec::new(), named: Names::Mapping(mapping), safe: this.safe };
    formatter.run(context, this)
}

enum Names {
    Arguments(Vec<(Rc<str>, Value)>),
    Mapping(Value),
}

struct Formatter {
    positional: Vec<Value>,
    named: Names,
    safe: bool,
}

/// How fields without a number are counted.
enum Counting {
    Next(usize),
    /// A field gave its number, so no other may leave it out.
    Manual,
}

struct Field<'a> {
    name: &'a str,
    conversion: Option<char>,
    spec: &'a str,
}

/// A spec may hold fields, and their specs may; what is deeper is refused.
const NESTING: usize = 2;

impl Formatter {
    fn run(&mut self, context: &mut Context, template: &Str) -> Result<Value> {
        let mut counting = Counting::Next(0);
        let text = self.expand(context, template, Some(NESTING), &mut counting)?;
        Ok(Value::text(text, self.safe))
    }

    fn expand(
        &self,
        context: &mut Context,
        template: &str,
        nesting: Option<usize>,
        counting: &mut Counting,
    ) -> Result<String> {
        let Some(nesting) = nesting else { return Err(Error::value_error("Max string recursion exceeded")) };
        let mut out = String::new();
        let mut rest = template;
        while !rest.is_empty() {
            context.spend(1)?;
            let (literal, field) = next_part(&mut rest)?;
            context.allocate(literal.len())?;
            out.push_str(literal);
            if let Some(field) = field {
                let value = self.field_value(context, field.name, counting)?;
                let value = convert(context, value, field.conversion)?;
                let spec = self.expand(context, field.spec, nesting.checked_sub(1), counting)?;
                let formatted = self.format_field(context, &value, &spec)?;
                context.allocate(formatted.len())?;
                out.push_str(&formatted);
            }
        }
        Ok(out)
    }

    fn field_value(&self, context: &mut Context, name: &str, counting: &mut Counting) -> Result<Value> {
        let number;
        let name = if name.is_empty() {
            let Counting::Next(next) = counting else {
                return Err(Error::value_error(
                    "cannot switch from manual field specification to automatic field numbering",
                ));
            };
            number = next.to_string();
            *next += 1;
            &number
        } else {
            if name.chars().all(|c| unicode::tables().digit.contains(c)) {
                if matches!(counting, Counting::Next(1..)) {
                    return Err(Error::value_error(
                        "cannot switch from automatic field numbering to manual field specification",
                    ));
                }
                *counting = Counting::Manual;
            }
            name
        };
        let first_end = name.find(['.', '[']).unwrap_or(name.len());
        let (first, mut rest) = name.split_at(first_end);
        let mut value = self.argument(context, first)?;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                if end == 0 {
                    return Err(Error::value_error("Empty attribute in format string"));
                }
                value = access::attribute(context, &value, &after[..end])?;
                rest = &after[end..];
            } else if let Some(after) = rest.strip_prefix('[') {
                let end = after.find(']').ok_or_else(|| Error::value_error("Missing ']' in format string"))?;
                if end == 0 {
                    return Err(Error::value_error("Empty attribute in format string"));
                }
                let key = match integer(&after[..end])? {
                    Some(index) => Value::int(index),
                    None => Value::str(&after[..end]),
                };
                value = access::item(context, &value, &key)?;
                rest = &after[end + 1..];
            } else {
                return Err(Error::value_error("Only '.' or '[' may follow ']' in format field specifier"));
            }
        }
        Ok(value)
    }

    fn argument(&self, context: &mut Context, name: &str) -> Result<Value> {
        if let Some(index) = integer(name)? {
            let found = usize::try_from(index).ok().and_then(|index| self.positional.get(index));
            return found.cloned().ok_or_else(|| Error::runtime("IndexError", "Replacement index out of range"));
        }
        match &self.named {
            Names::Arguments(named) => {
                let found = named.iter().find(|(known, _)| **known == *name);
                found.map(|(_, value)| value.clone()).ok_or_else(|| Error::runtime("KeyError", text::quoted(name)))
            }
            Names::Mapping(mapping) => access::subscript(context, mapping, &Value::str(name)),
        }
    }

    fn format_field(&self, context: &mut Context, value: &Value, spec: &str) -> Result<String> {
        if !self.safe {
            return format_value(context, value, spec);
        }
        if let Value::Str(text) = value {
            if text.safe {
                if !spec.is_empty() {
                    return Err(Error::value_error("Unsupported format specification for Markup."));
                }
                return Ok(text.to_string());
            }
        }
        let formatted = format_value(context, value, spec)?;
        super::html::escape(context, &formatted)
    }
}

/// Digits only: a number. Python reads decimal digits of all scripts.
fn integer(text: &str) -> Result<Option<i64>> {
    if text.is_empty() {
        return Ok(None);
    }
    let mut value: i64 = 0;
    for c in text.chars() {
        let Some(digit) = unicode::decimal(c) else { return Ok(None) };
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(i64::from(digit)))
            .ok_or_else(|| Error::value_error("Too many decimal digits in format string"))?;
    }
    Ok(Some(value))
}

fn convert(context: &mut Context, value: Value, conversion: Option<char>) -> Result<Value> {
    Ok(match conversion {
        None => value,
        Some('s') => Value::Str(text::str_of(context, &value)?),
        Some('r') => Value::str(text::repr_of(context, &value)?),
        Some('a') => Value::str(text::ascii_of(context, &value)?),
        Some(other) => return Err(Error::value_error(format!("Unknown conversion specifier {other}"))),
    })
}

/// A literal and the field behind it, if any; `rest` moves past both.
fn next_part<'a>(rest: &mut &'a str) -> Result<(&'a str, Option<Field<'a>>)> {
    let text = *rest;
    let Some(brace) = text.find(['{', '}']) else {
        *rest = "";
        return Ok((text, None));
    };
    let after = &text[brace + 1..];
    let doubled = text.as_bytes()[brace] == *after.as_bytes().first().unwrap_or(&0);
    if doubled {
        *rest = &after[1..];
        return Ok((&text[..=brace], None));
    }
    if text.as_bytes()[brace] == b'}' {
        return Err(Error::value_error("Single '}' encountered in format string"));
    }
    if after.is_empty() {
        return Err(Error::value_error("Single '{' encountered in format string"));
    }
    let (field, remaining) = field(after)?;
    *rest = remaining;
    Ok((&text[..brace], Some(field)))
}

fn field(text: &str) -> Result<(Field<'_>, &str)> {
    let end = name_end(text)?;
    let name = &text[..end];
    let mut after = &text[end + 1..];
    let mut conversion = None;
    match text.as_bytes()[end] {
        b'}' => return Ok((Field { name, conversion, spec: "" }, after)),
        b'!' => {
            let mut chars = after.chars();
            conversion = chars.next();
            if conversion.is_none() {
                return Err(Error::value_error("end of string while looking for conversion specifier"));
            }
            match chars.next() {
                Some('}') => return Ok((Field { name, conversion, spec: "" }, chars.as_str())),
                Some(':') => {}
                Some(_) => return Err(Error::value_error("expected ':' after conversion specifier")),
                None => {}
            }
            after = chars.as_str();
        }
        _ => {}
    }
    let mut open = 1;
    for (at, byte) in after.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Ok((Field { name, conversion, spec: &after[..at] }, &after[at + 1..]));
        }
    }
    Err(Error::value_error("unmatched '{' in format spec"))
}

/// Where the name of a field ends: at a '}', ':' or '!' outside brackets.
fn name_end(text: &str) -> Result<usize> {
    let mut inside = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b']' if inside => inside = false,
            _ if inside => {}
            b'[' => inside = true,
            b'{' => return Err(Error::value_error("unexpected '{' in field name")),
            b'}' | b':' | b'!' => return Ok(at),
            _ => {}
        }
    }
    Err(Error::value_error("expected '}' before end of string"))
}
