//! The `loop` variable.

use super::ast::For;
use super::context::{Clear, Context};
use super::error::{Error, Result};
use super::frame::Frame;
use super::iterate;
use super::loops::{recurse, Source};
use super::ops::{self, Comparison};
use super::statements;
use super::value::{depth_of, Args, Object, Value, MAX_DEPTH};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

/// The state that the `loop` variables of one run of a loop share with the loop itself.
pub struct Core {
    iterable: Value,
    /// The iterable has no length of its own.
    is_generator: bool,
    recursive: Option<(Arc<For>, Rc<Frame>)>,
    depth0: i64,
    depth: Cell<u16>,
    kept: Cell<bool>,
    state: RefCell<State>,
}

struct State {
    /// None: just being asked for an item.
    source: Option<Source>,
    index0: i64,
    length: Option<i64>,
    /// The next item, where it was looked at already; inside: None at the end.
    after: Option<Value>,
    current: Option<Value>,
    before: Option<Value>,
    changed: Option<Value>,
}

impl Core {
    pub fn new(
        iterable: Value,
        source: Source,
        filtered: bool,
        recursive: Option<(Arc<For>, Rc<Frame>)>,
        depth0: i64,
    ) -> Result<Rc<Self>> {
        let is_generator = filtered || matches!(iterable, Value::Iterator(_) | Value::Object(_));
        let depth = Cell::new(depth_of(std::iter::once(&iterable))?);
        let state = RefCell::new(State {
            source: Some(source),
            index0: -1,
            length: None,
            after: None,
            current: None,
            before: None,
            changed: None,
        });
        Ok(Rc::new(Self { iterable, is_generator, recursive, depth0, depth, kept: Cell::new(false), state }))
    }

    /// Holds on to a value: the loop is then one deeper than it.
    fn hold(&self, value: &Value) -> Result<()> {
        self.depth.set(self.depth.get().max(depth_of(std::iter::once(value))?));
        Ok(())
    }

    fn pull(&self, context: &mut Context) -> Result<Option<Value>> {
        let source = self.state.borrow_mut().source.take();
        let mut source = source.ok_or_else(|| Error::value_error("the loop's generator is already executing"))?;
        let item = source.next(context);
        self.state.borrow_mut().source = Some(source);
        let item = item?;
        item.iter().try_for_each(|item| self.hold(item))?;
        Ok(item)
    }

    pub fn advance(&self, context: &mut Context) -> Result<Option<Value>> {
        let after = self.state.borrow_mut().after.take();
        let Some(item) = (match after {
            Some(item) => Some(item),
            None => self.pull(context)?,
        }) else {
            return Ok(None);
        };
        let mut state = self.state.borrow_mut();
        state.index0 += 1;
        state.before = state.current.replace(item.clone());
        Ok(Some(item))
    }

    /// The next item without going on to it.
    fn peek(&self, context: &mut Context) -> Result<Option<Value>> {
        if let Some(after) = self.state.borrow().after.clone() {
            return Ok(Some(after));
        }
        let next = self.pull(context)?;
        self.state.borrow_mut().after.clone_from(&next);
        Ok(next)
    }

    fn length(&self, context: &mut Context) -> Result<i64> {
        if let Some(length) = self.state.borrow().length {
            return Ok(length);
        }
        let length = if self.is_generator {
            let mut rest = Vec::new();
            while let Some(item) = self.pull(context)? {
                context.allocate(std::mem::size_of::<Value>())?;
                rest.push(item);
            }
            let peeked = i64::from(self.state.borrow().after.is_some());
            let length = rest.len() as i64 + self.state.borrow().index0 + 1 + peeked;
            let rest = Value::list(rest)?;
            self.state.borrow_mut().source = Some(Source::Plain(iterate::iterate(context, &rest)?));
            length
        } else {
            iterate::length(context, &self.iterable)? as i64
        };
        self.state.borrow_mut().length = Some(length);
        Ok(length)
    }

    fn changed(self: &Rc<Self>, context: &mut Context, args: Args) -> Result<Value> {
        no_keywords(&args, "changed")?;
        let value = Value::tuple(args.positional)?;
        let before = self.state.borrow().changed.clone();
        if let Some(before) = before {
            if !ops::compare(context, Comparison::Ne, &before, &value)? {
                return Ok(Value::Bool(false));
            }
        }
        self.hold(&value)?;
        if !self.kept.replace(true) {
            context.keep(self.clone());
        }
        self.state.borrow_mut().changed = Some(value);
        Ok(Value::Bool(true))
    }

    fn cycle(&self, args: Args) -> Result<Value> {
        no_keywords(&args, "cycle")?;
        if args.positional.is_empty() {
            return Err(Error::type_error("no items for cycling given"));
        }
        let at = self.state.borrow().index0.rem_euclid(args.positional.len() as i64);
        Ok(args.positional[at as usize].clone())
    }

    fn call(&self, context: &mut Context, args: Args) -> Result<Value> {
        let Some((node, defining)) = &self.recursive else {
            return Err(Error::type_error("the loop must have the 'recursive' marker to be called recursively"));
        };
        let [iterable] = super::args::bind(args, "loop", ["iterable"], 1)?;
        let text = recurse(context, node, defining, iterable.unwrap_or(Value::None), self.depth0 + 1)?;
        let safe = statements::escapes(context, node.escape);
        Ok(text.into_value(safe))
    }
}

impl Clear for Core {
    fn clear(&self) {
        let changed = self.state.borrow_mut().changed.take();
        drop(changed);
    }
}

fn no_keywords(args: &Args, function: &str) -> Result<()> {
    match args.named.first() {
        Some((name, _)) => {
            Err(Error::type_error(format!("LoopContext.{function}() got an unexpected keyword argument '{name}'")))
        }
        None => Ok(()),
    }
}

/// The `loop` variable.
pub struct Loop(pub Rc<Core>);

impl Object for Loop {
    fn type_name(&self) -> &'static str {
        "LoopContext"
    }
    fn is_callable(&self) -> bool {
        true
    }
    fn call(&self, context: &mut Context, args: Args) -> Result<Value> {
        self.0.call(context, args)
    }
    fn attribute(&self, context: &mut Context, name: &str) -> Result<Option<Value>> {
        let core = &self.0;
        let index0 = core.state.borrow().index0;
        Ok(Some(match name {
            "index0" => Value::int(index0),
            "index" => Value::int(index0 + 1),
            "depth0" => Value::int(core.depth0),
            "depth" => Value::int(core.depth0 + 1),
            "first" => Value::Bool(index0 == 0),
            "last" => Value::Bool(core.peek(context)?.is_none()),
            "length" => Value::int(core.length(context)?),
            "revindex" => Value::int(core.length(context)? - index0),
            "revindex0" => Value::int(core.length(context)? - index0 - 1),
            "previtem" if index0 == 0 => Value::undefined("there is no previous item"),
            "previtem" => core.state.borrow().before.clone().unwrap_or(Value::None),
            "nextitem" => core.peek(context)?.unwrap_or_else(|| Value::undefined("there is no next item")),
            "cycle" => Value::Object(Rc::new(Method { core: core.clone(), which: Which::Cycle })),
            "changed" => Value::Object(Rc::new(Method { core: core.clone(), which: Which::Changed })),
            _ => return Ok(None),
        }))
    }
    fn text(&self, context: &mut Context) -> Option<Result<String>> {
        let index = self.0.state.borrow().index0 + 1;
        Some(self.0.length(context).map(|length| format!("<LoopContext {index}/{length}>")))
    }
    fn length(&self, context: &mut Context) -> Option<Result<usize>> {
        Some(self.0.length(context).map(|length| length.max(0) as usize))
    }
    /// Goes on with the loop itself, as pairs of an item and the loop.
    fn iterate(&self, _: &mut Context) -> Option<Result<Value>> {
        let core = self.0.clone();
        let this = Value::Object(Rc::new(Loop(core.clone())));
        Some(Value::lazy("LoopContext", [this].iter(), move |context| match core.advance(context)? {
            Some(item) => Value::tuple(vec![item, Value::Object(Rc::new(Loop(core.clone())))]).map(Some),
            None => Ok(None),
        }))
    }
    fn depth(&self) -> u16 {
        self.0.depth.get().min(MAX_DEPTH)
    }
}

enum Which {
    Cycle,
    Changed,
}

struct Method {
    core: Rc<Core>,
    which: Which,
}

impl Object for Method {
    fn type_name(&self) -> &'static str {
        "method"
    }
    fn is_callable(&self) -> bool {
        true
    }
    fn call(&self, context: &mut Context, args: Args) -> Result<Value> {
        match self.which {
            Which::Cycle => self.core.cycle(args),
            Which::Changed => self.core.changed(context, args),
        }
    }
    fn depth(&self) -> u16 {
        self.core.depth.get().min(MAX_DEPTH)
    }
}
