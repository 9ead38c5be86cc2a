//! {% macro %}, and the body of {% call %} that a macro sees as `caller`.

use super::ast::Macro;
use super::context::Context;
use super::dict::Dict;
use super::error::{Error, Result};
use super::expressions::eval;
use super::frame::Frame;
use super::render::Sink;
use super::statements;
use super::value::{Args, Object, Value};
use std::rc::Rc;
use std::sync::Arc;

struct Bound {
    function: Arc<Macro>,
    /// Where it was defined.
    frame: Rc<Frame>,
}

/// The macro as a value, with the variables of where it is defined.
pub fn bind(context: &mut Context, function: &Arc<Macro>, frame: &Rc<Frame>) -> Value {
    frame.keep(context);
    Value::Object(Rc::new(Bound { function: function.clone(), frame: frame.clone() }))
}

impl Bound {
    fn label(&self) -> String {
        self.function.name.as_ref().map_or_else(|| "None".to_owned(), |name| format!("'{name}'"))
    }

    /// Puts the arguments of a call into the slots of `frame`.
    #[inline(never)]
    fn receive(&self, context: &mut Context, frame: &Frame, args: Args) -> Result<()> {
        let function = &*self.function;
        let Args { mut positional, mut named } = args;
        if named.iter().any(|(name, _)| **name == *"self") {
            return Err(Error::type_error("a macro got multiple values for argument 'self'"));
        }
        let mut pop = |wanted: &str| {
            let at = named.iter().position(|(name, _)| **name == *wanted);
            at.map(|at| named.remove(at).1)
        };
        let expected = function.arguments.len();
        let more = if positional.len() > expected { positional.split_off(expected) } else { Vec::new() };
        let given = positional.len();
        for (slot, value) in function.argument_slots.iter().zip(positional) {
            frame.set_slot(*slot, Some(value));
        }
        for (slot, name) in function.argument_slots.iter().zip(&function.arguments).skip(given) {
            frame.set_slot(*slot, pop(name));
        }
        let explicit = function.arguments.iter().position(|name| **name == *"caller");
        if function.accesses_caller && explicit.is_some_and(|at| at < given) && given < expected {
            // jinja2 then passes a second one.
            return Err(Error::type_error(format!("macro {} got two values for 'caller'", self.label())));
        }
        if let Some(slot) = function.caller {
            let caller = pop("caller").filter(|caller| !matches!(caller, Value::None));
            frame.set_slot(slot, Some(caller.unwrap_or_else(|| Value::undefined("No caller defined"))));
        }
        if let Some(slot) = function.kwargs {
            let mut rest = Dict::new();
            for (name, value) in named {
                context.spend(1)?;
                rest.insert_str(&*name, value)?;
            }
            frame.set_slot(slot, Some(Value::Dict(Rc::new(rest))));
        } else if let Some((name, _)) = named.first() {
            let message = match **name == *"caller" {
                true => format!("macro {} does not use 'caller' but was given one", self.label()),
                false => format!("macro {} takes no keyword argument '{name}'", self.label()),
            };
            return Err(Error::type_error(message));
        }
        match function.varargs {
            Some(slot) => frame.set_slot(slot, Some(Value::tuple(more)?)),
            None if more.is_empty() => {}
            None => {
                let message = format!("macro {} takes not more than {expected} argument(s)", self.label());
                return Err(Error::type_error(message));
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn fill_defaults(&self, context: &mut Context, frame: &Rc<Frame>) -> Result<()> {
        let function = &*self.function;
        let without_default = function.arguments.len() - function.defaults.len();
        for (at, (slot, name)) in function.argument_slots.iter().zip(&function.arguments).enumerate() {
            if frame.get(super::ast::Place { outwards: 0, slot: *slot }).is_some() {
                continue;
            }
            let value = match at.checked_sub(without_default) {
                Some(default) => eval(context, frame, &function.defaults[default])?,
                None => Value::undefined(format!("parameter '{name}' was not provided")),
            };
            frame.set_slot(*slot, Some(value));
        }
        Ok(())
    }
}

impl Object for Bound {
    fn type_name(&self) -> &'static str {
        "Macro"
    }
    fn is_callable(&self) -> bool {
        true
    }

    fn call(&self, context: &mut Context, args: Args) -> Result<Value> {
        context.descend()?;
        let function = &*self.function;
        let frame = Frame::new(context, &self.frame.page, Some(&self.frame), function.slots)?;
        self.receive(context, &frame, args)?;
        frame.enter(context, &function.scope)?;
        self.fill_defaults(context, &frame)?;
        let safe = context.autoescape;
        let mut sink = Sink::value();
        statements::body(context, &frame, &function.body, &mut sink)?;
        context.ascend();
        Ok(sink.into_value(safe))
    }

    fn attribute(&self, _: &mut Context, name: &str) -> Result<Option<Value>> {
        let function = &*self.function;
        Ok(Some(match name {
            "name" => function.name.as_ref().map_or(Value::None, Value::str),
            "arguments" => Value::tuple(function.arguments.iter().map(Value::str).collect())?,
            "catch_kwargs" => Value::Bool(function.kwargs.is_some()),
            "catch_varargs" => Value::Bool(function.varargs.is_some()),
            "caller" => Value::Bool(function.accesses_caller),
            "explicit_caller" => Value::Bool(function.arguments.iter().any(|name| **name == *"caller")),
            _ => return Ok(None),
        }))
    }

    fn text(&self, _: &mut Context) -> Option<Result<String>> {
        Some(Ok(match &self.function.name {
            Some(name) => format!("<Macro '{name}'>"),
            None => "<Macro anonymous>".to_owned(),
        }))
    }
}
