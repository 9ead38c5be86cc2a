//! str() and repr().

use super::context::Context;
use super::dict::Dict;
use super::error::{Error, Result};
use super::float;
use super::html;
use super::unicode;
use super::value::{Namespace, Range, Str, Value, View};
use std::rc::Rc;

/// str(): of a Markup too a plain str.
pub fn str_of(context: &mut Context, value: &Value) -> Result<Str> {
    match value {
        Value::Undefined(_) => Ok(Str::from("")),
        Value::Str(text) => Ok(Str { text: text.text.clone(), safe: false }),
        other => Ok(Str::from(repr_of(context, other)?)),
    }
}

/// markupsafe.soft_str: str() that leaves a Markup one.
pub fn soft_str(context: &mut Context, value: &Value) -> Result<Str> {
    match value {
        Value::Str(text) => Ok(text.clone()),
        other => str_of(context, other),
    }
}

/// markupsafe.escape
pub fn escape(context: &mut Context, value: &Value) -> Result<Str> {
    match value {
        Value::Str(text) if text.safe => Ok(text.clone()),
        other => {
            let text = str_of(context, other)?;
            let escaped = html::escape(context, &text)?;
            Ok(Str { text: Rc::from(escaped), safe: true })
        }
    }
}

pub fn repr_of(context: &mut Context, value: &Value) -> Result<String> {
    let mut printer = Printer { out: String::new(), open: Vec::new() };
    printer.value(context, value)?;
    Ok(printer.out)
}

struct Printer {
    out: String,
    /// Namespaces that are being printed: one that holds itself shows as {...}.
    open: Vec<*const Namespace>,
}

impl Printer {
    fn push(&mut self, context: &mut Context, text: &str) -> Result<()> {
        context.allocate(text.len())?;
        self.out.push_str(text);
        Ok(())
    }

    fn value(&mut self, context: &mut Context, value: &Value) -> Result<()> {
        context.spend(1)?;
        match value {
            Value::Undefined(_) => self.push(context, "Undefined"),
            Value::None => self.push(context, "None"),
            Value::Bool(true) => self.push(context, "True"),
            Value::Bool(false) => self.push(context, "False"),
            Value::Int(int) => {
                let text = int.to_decimal(context)?;
                self.push(context, &text)
            }
            Value::Float(float) => self.push(context, &float::repr(*float)),
            Value::Str(text) if text.safe => {
                let text = format!("Markup({})", quoted(text));
                self.push(context, &text)
            }
            Value::Str(text) => self.push(context, &quoted(text)),
            Value::List(items) => self.sequence(context, "[", items.iter(), "]"),
            Value::Tuple(items) => {
                let close = if items.len() == 1 { ",)" } else { ")" };
                self.sequence(context, "(", items.iter(), close)
            }
            Value::Dict(dict) => self.dict(context, dict),
            Value::View(dict, View::Keys) => {
                self.sequence(context, "dict_keys([", dict.iter().map(|(key, _)| key), "])")
            }
            Value::View(dict, View::Values) => {
                self.sequence(context, "dict_values([", dict.iter().map(|(_, value)| value), "])")
            }
            Value::View(dict, View::Items) => self.items_view(context, dict),
            Value::Range(range) => self.push(context, &range_text(range)),
            Value::Namespace(namespace) => self.namespace(context, namespace),
            Value::Object(object) => match object.text(context) {
                Some(text) => self.push(context, &text?),
                None => Err(address(&format!("a {} object", value.type_name()))),
            },
            Value::Iterator(lazy) => Err(address(&format!("the generator {}", lazy.name))),
            Value::Slice(_) => Err(address("a slice")),
        }
    }

    fn sequence<'a>(
        &mut self,
        context: &mut Context,
        open: &str,
        values: impl Iterator<Item = &'a Value>,
        close: &str,
    ) -> Result<()> {
        self.push(context, open)?;
        for (at, value) in values.enumerate() {
            if at > 0 {
                self.push(context, ", ")?;
            }
            self.value(context, value)?;
        }
        self.push(context, close)
    }

    fn dict(&mut self, context: &mut Context, dict: &Dict) -> Result<()> {
        self.push(context, "{")?;
        for (at, (key, value)) in dict.iter().enumerate() {
            if at > 0 {
                self.push(context, ", ")?;
            }
            self.value(context, key)?;
            self.push(context, ": ")?;
            self.value(context, value)?;
        }
        self.push(context, "}")
    }

    fn items_view(&mut self, context: &mut Context, dict: &Dict) -> Result<()> {
        self.push(context, "dict_items([")?;
        for (at, (key, value)) in dict.iter().enumerate() {
            if at > 0 {
                self.push(context, ", ")?;
            }
            self.sequence(context, "(", [key, value].into_iter(), ")")?;
        }
        self.push(context, "])")
    }

    fn namespace(&mut self, context: &mut Context, namespace: &Rc<Namespace>) -> Result<()> {
        if self.open.contains(&Rc::as_ptr(namespace)) {
            return self.push(context, "<Namespace {...}>");
        }
        self.push(context, "<Namespace ")?;
        self.open.push(Rc::as_ptr(namespace));
        // Printing changes no namespace, so the borrow meets no other.
        context.nested(|context| self.dict(context, &namespace.fields.borrow()))?;
        self.open.pop();
        self.push(context, ">")
    }
}

pub fn address(what: &str) -> Error {
    Error::unsupported(format!("the text of {what}, which holds an address in Python; print what it gives instead"))
}

pub fn range_text(range: &Range) -> String {
    let Range { start, stop, step } = range;
    if *step == 1 {
        format!("range({start}, {stop})")
    } else {
        format!("range({start}, {stop}, {step})")
    }
}

/// repr() of a str: single quotes unless only double ones need no escape.
pub fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if unicode::is_printable(c) => out.push(c),
            c => out.push_str(&escaped(c)),
        }
    }
    out.push(quote);
    out
}

fn escaped(c: char) -> String {
    match c as u32 {
        code @ 0..=0xff => format!("\\x{code:02x}"),
        code @ 0x100..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

/// ascii(): repr() without anything beyond ASCII.
pub fn ascii_of(context: &mut Context, value: &Value) -> Result<String> {
    let text = repr_of(context, value)?;
    context.allocate(text.len())?;
    Ok(ascii_text(&text))
}

/// Escapes what is beyond ASCII.
pub fn ascii_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            out.push_str(&escaped(c));
        }
    }
    out
}
