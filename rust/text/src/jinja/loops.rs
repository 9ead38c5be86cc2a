//! {% for %}: what it runs through, and its rounds. loop_object.rs has the `loop` variable.

use super::ast::{Expr, For, Kind, LoopFilter};
use super::context::Context;
use super::error::Result;
use super::expressions::eval;
use super::frame::Frame;
use super::iterate::{self, Iter};
use super::loop_object::{Core, Loop};
use super::ops;
use super::render::Sink;
use super::statements::{self, assign, Flow};
use super::value::Value;
use std::rc::Rc;
use std::sync::Arc;

/// The items of a loop, one by one.
pub enum Source {
    Plain(Iter),
    Filtered(Box<Filtered>),
}

/// `for x in y if test`: a generator that tests an item only when the loop comes to it.
pub struct Filtered {
    node: Arc<For>,
    iterable: Value,
    defining: Rc<Frame>,
    started: Option<(Iter, Rc<Frame>)>,
}

impl Source {
    fn new(context: &mut Context, node: &Arc<For>, iterable: Value, defining: &Rc<Frame>) -> Result<Self> {
        if node.filter.is_none() {
            return Ok(Self::Plain(iterate::iterate(context, &iterable)?));
        }
        defining.keep(context);
        let (node, defining) = (node.clone(), defining.clone());
        Ok(Self::Filtered(Box::new(Filtered { node, iterable, defining, started: None })))
    }

    pub fn next(&mut self, context: &mut Context) -> Result<Option<Value>> {
        context.spend(1)?;
        match self {
            Self::Plain(iter) => iter.next(context),
            Self::Filtered(filtered) => filtered.next(context),
        }
    }
}

impl Filtered {
    fn next(&mut self, context: &mut Context) -> Result<Option<Value>> {
        let Some(filter) = &self.node.filter else { return Ok(None) };
        if self.started.is_none() {
            let frame = Frame::new(context, &self.defining.page, Some(&self.defining), filter.slots)?;
            frame.enter(context, &filter.scope)?;
            self.started = Some((iterate::iterate(context, &self.iterable)?, frame));
        }
        let Some((iter, frame)) = &mut self.started else { return Ok(None) };
        while let Some(item) = iter.next(context)? {
            context.spend(1)?;
            if let Some(accepted) = accept(context, frame, filter, item)? {
                return Ok(Some(accepted));
            }
        }
        Ok(None)
    }
}

fn accept(context: &mut Context, frame: &Rc<Frame>, filter: &LoopFilter, item: Value) -> Result<Option<Value>> {
    assign(context, frame, &filter.target, item)?;
    let test = eval(context, frame, &filter.test)?;
    match ops::truthy(context, &test)? {
        true => Ok(Some(assigned(frame, &filter.target)?)),
        false => Ok(None),
    }
}

/// What a target holds: the generator gives its variables, not the item.
fn assigned(frame: &Frame, target: &Expr) -> Result<Value> {
    match &target.kind {
        Kind::Tuple(items) => Value::tuple(items.iter().map(|item| assigned(frame, item)).collect::<Result<_>>()?),
        Kind::Name(name) => Ok(frame.get(name.place).unwrap_or(Value::None)),
        _ => Ok(Value::None),
    }
}

/// Runs a loop that stands in `frame`.
pub fn run(context: &mut Context, frame: &Rc<Frame>, node: &Arc<For>, sink: &mut Sink) -> Result<Flow> {
    let iterable = eval(context, frame, &node.iterable)?;
    if node.recursive {
        frame.keep(context);
        let text = recurse(context, node, frame, iterable, 0)?;
        sink.push(context, &text.text)?;
        return Ok(Flow::Next);
    }
    items(context, frame, frame, node, iterable, 0, sink)
}

/// The text of a recursive loop over `iterable`.
pub fn recurse(
    context: &mut Context,
    node: &Arc<For>,
    defining: &Rc<Frame>,
    iterable: Value,
    depth: i64,
) -> Result<Sink> {
    let frame = Frame::new(context, &defining.page, Some(defining), node.slots)?;
    let mut sink = Sink::value();
    items(context, &frame, defining, node, iterable, depth, &mut sink)?;
    Ok(sink)
}

fn items(
    context: &mut Context,
    frame: &Rc<Frame>,
    defining: &Rc<Frame>,
    node: &Arc<For>,
    iterable: Value,
    depth: i64,
    sink: &mut Sink,
) -> Result<Flow> {
    context.descend()?;
    let mut items = Items::new(context, frame, defining, node, iterable, depth)?;
    let mut completed = false;
    while items.next(context, frame, node)? {
        match statements::body(context, frame, &node.body, sink)? {
            Flow::Next => completed = true,
            Flow::Continue => {}
            Flow::Break => break,
        }
    }
    context.ascend();
    drop(items);
    frame.leave(&node.scope);
    // As in jinja2, `else` also follows where every round was cut short.
    if completed || node.otherwise.is_empty() {
        return Ok(Flow::Next);
    }
    frame.enter(context, &node.else_scope)?;
    let flow = statements::body(context, frame, &node.otherwise, sink)?;
    if flow == Flow::Next {
        frame.leave(&node.else_scope);
    }
    Ok(flow)
}

/// Of one run of a loop: with a `loop` variable, or without.
enum Items {
    Bare(Box<Source>),
    Loop(u32, Rc<Core>),
}

impl Items {
    #[inline(never)]
    fn new(
        context: &mut Context,
        frame: &Frame,
        defining: &Rc<Frame>,
        node: &Arc<For>,
        iterable: Value,
        depth: i64,
    ) -> Result<Self> {
        let source = Source::new(context, node, iterable.clone(), defining)?;
        let Some(slot) = node.loop_slot else { return Ok(Self::Bare(Box::new(source))) };
        frame.set_slot(slot, None);
        let recursive = node.recursive.then(|| (node.clone(), defining.clone()));
        Ok(Self::Loop(slot, Core::new(iterable, source, node.filter.is_some(), recursive, depth)?))
    }

    /// Assigns the next item, if there is one, and begins the scope of the loop's body.
    #[inline(never)]
    fn next(&mut self, context: &mut Context, frame: &Frame, node: &For) -> Result<bool> {
        let item = match self {
            Self::Bare(source) => source.next(context)?,
            Self::Loop(_, core) => core.advance(context)?,
        };
        let Some(item) = item else { return Ok(false) };
        assign(context, frame, &node.target, item)?;
        if let Self::Loop(slot, core) = self {
            frame.set_slot(*slot, Some(Value::Object(Rc::new(Loop(core.clone())))));
        }
        frame.enter(context, &node.scope)?;
        Ok(true)
    }
}
