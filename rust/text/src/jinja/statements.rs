//! Runs statements.

use super::ast::{CallBlock, Escape, Expr, Kind, Scope, SetBlock, Stmt, StmtKind, Text};
use super::context::Context;
use super::error::{Error, Result};
use super::expressions::{self, eval};
use super::frame::Frame;
use super::render::Sink;
use super::value::{Args, Str, Value};
use super::{blocks, iterate, loops, macros, ops};
use std::rc::Rc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Next,
    Break,
    Continue,
}

pub fn body(context: &mut Context, frame: &Rc<Frame>, body: &[Stmt], sink: &mut Sink) -> Result<Flow> {
    context.descend()?;
    let mut flow = Flow::Next;
    for stmt in body {
        context.spend(1)?;
        flow = statement(context, frame, stmt, sink).map_err(|error| error.at(stmt.line))?;
        if flow != Flow::Next {
            break;
        }
    }
    context.ascend();
    Ok(flow)
}

/// Whether text is escaped where `escape` was compiled.
pub fn escapes(context: &Context, escape: Escape) -> bool {
    match escape {
        Escape::Off => false,
        Escape::On => true,
        Escape::Dynamic => context.autoescape,
    }
}

#[inline(never)]
fn statement(context: &mut Context, frame: &Rc<Frame>, stmt: &Stmt, sink: &mut Sink) -> Result<Flow> {
    match &stmt.kind {
        StmtKind::Data(text) => sink.push(context, text)?,
        StmtKind::Print(values, escape) => print(context, frame, values, *escape, sink)?,
        StmtKind::Set { target, value, exported } => {
            check_namespaces(frame, target)?;
            let value = eval(context, frame, value)?;
            assign(context, frame, target, value)?;
            export(frame, exported);
        }
        StmtKind::SetBlock(block) => return set_block(context, frame, block),
        StmtKind::If { branches, otherwise } => {
            for (test, body) in branches {
                let value = eval(context, frame, test)?;
                if ops::truthy(context, &value)? {
                    return self::body(context, frame, body, sink);
                }
            }
            return body(context, frame, otherwise, sink);
        }
        StmtKind::For(node) => return loops::run(context, frame, node, sink),
        StmtKind::Macro { function, place, exported } => {
            let value = macros::bind(context, function, frame);
            if let (true, Some(name)) = (exported, &function.name) {
                frame.page.assign(name, value.clone());
            }
            frame.set(*place, Some(value));
        }
        StmtKind::CallBlock(block) => call_block(context, frame, block, sink)?,
        StmtKind::FilterBlock { filter, body, scope, escape } => {
            return filter_block(context, frame, filter, body, scope, *escape, sink);
        }
        StmtKind::With { targets, values, body, scope } => {
            return with(context, frame, targets, values, body, scope, sink);
        }
        StmtKind::Autoescape { value, body, scope } => {
            frame.enter(context, scope)?;
            let value = eval(context, frame, value)?;
            let inside = ops::truthy(context, &value)?;
            let outside = std::mem::replace(&mut context.autoescape, inside);
            let flow = self::body(context, frame, body, sink)?;
            if flow != Flow::Next {
                return Ok(flow); // as in jinja2, the setting then stays
            }
            context.autoescape = outside;
            frame.leave(scope);
        }
        StmtKind::Block { name, required, locals, .. } => {
            if *required {
                return Err(Error::runtime("TemplateRuntimeError", format!("Required block '{name}' not found")));
            }
            block(context, frame, name, locals.as_deref(), sink)?;
        }
        StmtKind::Load { tag, template, .. } => return Err(no_loader(context, frame, tag, template)?),
        StmtKind::Break => return Ok(Flow::Break),
        StmtKind::Continue => return Ok(Flow::Continue),
    }
    Ok(Flow::Next)
}

#[inline(never)]
fn print(context: &mut Context, frame: &Rc<Frame>, values: &[Expr], escape: Escape, sink: &mut Sink) -> Result<()> {
    for value in values {
        let escape = match &value.kind {
            Kind::Printed(_, escape) => *escape,
            _ => escape,
        };
        let value = eval(context, frame, value)?;
        let escaped = escapes(context, escape);
        let outside = std::mem::replace(&mut context.autoescape, escaped);
        sink.write(context, &value)?;
        context.autoescape = outside;
    }
    Ok(())
}

#[inline(never)]
fn no_loader(context: &mut Context, frame: &Rc<Frame>, tag: &str, template: &Expr) -> Result<Error> {
    let name = eval(context, frame, template)?;
    let name = name.as_str().unwrap_or("...");
    Ok(Error::type_error(format!("{{% {tag} '{name}' %}}: there is nothing to load other templates from")))
}

#[inline(never)]
fn block(
    context: &mut Context,
    frame: &Rc<Frame>,
    name: &Text,
    locals: Option<&[(Text, super::ast::Place)]>,
    sink: &mut Sink,
) -> Result<()> {
    let Some(locals) = locals else {
        return blocks::render(context, &frame.page, name, sink);
    };
    let locals = locals.iter().filter_map(|(name, place)| frame.get(*place).map(|value| (name.clone(), value)));
    let page = frame.page.derived(context, locals.collect())?;
    blocks::render(context, &page, name, sink)
}

#[inline(never)]
fn with(
    context: &mut Context,
    frame: &Rc<Frame>,
    targets: &[Expr],
    values: &[Expr],
    body: &[Stmt],
    scope: &Scope,
    sink: &mut Sink,
) -> Result<Flow> {
    frame.enter(context, scope)?;
    for (target, value) in targets.iter().zip(values) {
        let value = eval(context, frame, value)?;
        assign(context, frame, target, value)?;
    }
    let flow = self::body(context, frame, body, sink)?;
    if flow == Flow::Next {
        frame.leave(scope);
    }
    Ok(flow)
}

#[inline(never)]
fn filter_block(
    context: &mut Context,
    frame: &Rc<Frame>,
    filter: &Expr,
    body: &[Stmt],
    scope: &Scope,
    escape: Escape,
    sink: &mut Sink,
) -> Result<Flow> {
    frame.enter(context, scope)?;
    let mut captured = Sink::value();
    let flow = self::body(context, frame, body, &mut captured)?;
    if flow != Flow::Next {
        return Ok(flow);
    }
    let captured = captured.into_value(escapes(context, escape));
    let value = expressions::filtered(context, frame, filter, &captured)?;
    sink.push(context, &text_of(value)?)?;
    frame.leave(scope);
    Ok(Flow::Next)
}

#[inline(never)]
fn set_block(context: &mut Context, frame: &Rc<Frame>, block: &SetBlock) -> Result<Flow> {
    frame.enter(context, &block.scope)?;
    let mut captured = Sink::value();
    let flow = body(context, frame, &block.body, &mut captured)?;
    if flow != Flow::Next {
        return Ok(flow);
    }
    let mut value = captured.into_value(false);
    if let Some(filter) = &block.filter {
        value = expressions::filtered(context, frame, filter, &value)?;
    }
    if context.autoescape {
        let text = super::text::str_of(context, &value)?;
        value = Value::Str(Str { safe: true, ..text });
    }
    check_namespaces(frame, &block.target)?;
    assign(context, frame, &block.target, value)?;
    export(frame, &block.exported);
    frame.leave(&block.scope);
    Ok(Flow::Next)
}

#[inline(never)]
fn call_block(context: &mut Context, frame: &Rc<Frame>, block: &CallBlock, sink: &mut Sink) -> Result<()> {
    let caller = macros::bind(context, &block.body, frame);
    let value = match &block.call {
        Some(call) => expressions::call_with_caller(context, frame, call, caller)?,
        None => context.call(&caller, Args::default())?,
    };
    sink.push(context, &text_of(value)?)
}

/// What such a tag gives is not printed as {{ }} does but joined with the other text.
fn text_of(value: Value) -> Result<Str> {
    match value {
        Value::Str(text) => Ok(text),
        other => Err(Error::type_error(format!("expected str instance, {} found", other.type_name()))),
    }
}

/// Blocks see what is assigned in the template's own scope.
fn export(frame: &Frame, names: &[(Text, super::ast::Place)]) {
    for (name, place) in names {
        if let Some(value) = frame.get(*place) {
            frame.page.assign(name, value);
        }
    }
}

/// ns.field can be assigned where ns is a namespace, which is looked at before anything else is done.
fn check_namespaces(frame: &Frame, target: &Expr) -> Result<()> {
    match &target.kind {
        Kind::Tuple(items) => items.iter().try_for_each(|item| check_namespaces(frame, item)),
        Kind::NamespaceField(name, _) => match frame.get(name.place) {
            Some(Value::Namespace(_)) => Ok(()),
            _ => {
                let message = format!("cannot assign attribute on '{}', which is no namespace", name.name);
                Err(Error::runtime("TemplateRuntimeError", message))
            }
        },
        _ => Ok(()),
    }
}

pub fn assign(context: &mut Context, frame: &Frame, target: &Expr, value: Value) -> Result<()> {
    match &target.kind {
        Kind::Name(name) => frame.set(name.place, Some(value)),
        Kind::Tuple(items) => {
            let values = iterate::unpack(context, &value, items.len())?;
            for (item, value) in items.iter().zip(values) {
                context.spend(1)?;
                assign(context, frame, item, value)?;
            }
        }
        Kind::NamespaceField(name, field) => {
            if field.starts_with('_') {
                let message = format!("a field of a namespace cannot begin with an underscore: '{field}'");
                return Err(Error::runtime("SecurityError", message));
            }
            if let Some(Value::Namespace(namespace)) = frame.get(name.place) {
                namespace.fields.borrow_mut().insert_str(&**field, value)?;
            }
        }
        _ => {}
    }
    Ok(())
}
