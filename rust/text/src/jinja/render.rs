//! Renders a parsed template.

use super::ast::{Function, Literal, Stmt, Template};
use super::blocks;
use super::context::{Context, Limits};
use super::error::{Error, Result};
use super::frame::{Frame, Page, Run, Variables};
use super::int::Int;
use super::output;
use super::statements;
use super::value::{Str, Value};
use super::{globals, resolve};
use num_bigint::BigInt;
use std::rc::Rc;
use std::sync::Arc;

/// Where text goes.
pub struct Sink {
    pub text: String,
    limit: usize,
    /// The text becomes a value, which is paid for as values are.
    is_value: bool,
}

impl Sink {
    pub fn value() -> Self {
        Self { text: String::new(), limit: usize::MAX, is_value: true }
    }

    fn check(&self, context: &mut Context, added: usize) -> Result<()> {
        if self.text.len() > self.limit {
            return Err(Error::limit(format!("the rendered text is longer than {} bytes", self.limit)));
        }
        if self.is_value {
            context.allocate(added)?;
        }
        Ok(())
    }

    pub fn push(&mut self, context: &mut Context, text: &str) -> Result<()> {
        self.text.push_str(text);
        self.check(context, text.len())
    }

    /// What {{ value }} writes.
    pub fn write(&mut self, context: &mut Context, value: &Value) -> Result<()> {
        let before = self.text.len();
        output::write(context, value, &mut self.text)?;
        self.check(context, self.text.len() - before)
    }

    pub fn into_value(self, safe: bool) -> Value {
        Value::Str(Str { text: Rc::from(self.text), safe })
    }
}

impl Template {
    pub fn parse(source: &str) -> Result<Self> {
        resolve::template(source)
    }

    /// The string literals of the template, as the values they are.
    pub fn strings(&self) -> impl Iterator<Item = &str> {
        self.constants.iter().filter_map(|literal| match literal {
            Literal::Str(text) => Some(&**text),
            _ => None,
        })
    }

    /// `variables` makes the values of the template's variables; they come over the global functions.
    pub fn render(
        self: &Arc<Self>,
        limits: Limits,
        now: i64,
        max_output: usize,
        variables: impl FnOnce(&mut Context) -> Result<Vec<(String, Value)>>,
    ) -> Result<String> {
        let mut context = Context::new(limits, now);
        self.render_in(&mut context, max_output, variables)
    }

    fn render_in(
        self: &Arc<Self>,
        context: &mut Context,
        max_output: usize,
        variables: impl FnOnce(&mut Context) -> Result<Vec<(String, Value)>>,
    ) -> Result<String> {
        if let Some(error) = &self.unknown {
            return Err(error.clone());
        }
        let mut given: Variables =
            globals::all(context).into_iter().map(|(name, value)| (name.into(), value)).collect();
        given.extend(variables(context)?.into_iter().map(|(name, value)| (name.into(), value)));
        let constants = self.constants.iter().map(constant).collect();
        let page = Page::new(Rc::new(Run { template: self.clone(), constants }), given);
        page.keep(context);
        let mut sink = Sink { text: String::new(), limit: max_output, is_value: false };
        run(context, &page, &self.function, &self.body, "", &mut sink)?;
        Ok(sink.text)
    }
}

/// Runs the template itself or a block.
pub fn run(
    context: &mut Context,
    page: &Rc<Page>,
    function: &Function,
    body: &[Stmt],
    name: &str,
    sink: &mut Sink,
) -> Result<()> {
    let frame = Frame::new(context, page, None, function.slots)?;
    if let Some(slot) = function.self_slot {
        frame.set_slot(slot, Some(blocks::reference(context, page)));
    }
    if let Some(slot) = function.super_slot {
        frame.set_slot(slot, Some(blocks::no_parent(name)));
    }
    frame.enter(context, &function.scope)?;
    statements::body(context, &frame, body, sink)?;
    Ok(())
}

fn constant(literal: &Literal) -> Value {
    match literal {
        Literal::None => Value::None,
        Literal::Bool(value) => Value::Bool(*value),
        Literal::Int(Ok(value)) => Value::int(*value),
        Literal::Int(Err(digits)) => {
            Value::Int(Int::from(BigInt::parse_bytes(digits.as_bytes(), 10).unwrap_or_default()))
        }
        Literal::Float(value) => Value::Float(*value),
        Literal::Str(text) => Value::str(text),
    }
}
