//! {% block %}, and `self`, through which a template renders its blocks once more.

use super::context::Context;
use super::error::{Error, Result};
use super::frame::Page;
use super::render::{self, Sink};
use super::value::{Args, Object, Value};
use std::rc::Rc;

pub fn render(context: &mut Context, page: &Rc<Page>, name: &str, sink: &mut Sink) -> Result<()> {
    let run = page.run.clone();
    let Some(block) = run.block(name) else {
        return Err(Error::runtime("KeyError", format!("there is no block '{name}'")));
    };
    context.nested(|context| render::run(context, page, &block.function, &block.body, name, sink))
}

/// `self`
pub fn reference(context: &mut Context, page: &Rc<Page>) -> Value {
    page.keep(context);
    Value::Object(Rc::new(TemplateReference { page: page.clone() }))
}

/// What `super` is without a template that this one extends.
pub fn no_parent(name: &str) -> Value {
    Value::undefined(format!("there is no parent block called '{name}'."))
}

struct TemplateReference {
    page: Rc<Page>,
}

impl Object for TemplateReference {
    fn type_name(&self) -> &'static str {
        "TemplateReference"
    }
    fn attribute(&self, _: &mut Context, name: &str) -> Result<Option<Value>> {
        let block = self.page.run.block(name);
        Ok(block.map(|block| {
            let name = Rc::from(&*block.name);
            Value::Object(Rc::new(BlockReference { page: self.page.clone(), name }) as Rc<dyn Object>)
        }))
    }
    fn text(&self, _: &mut Context) -> Option<Result<String>> {
        Some(Ok("<TemplateReference None>".to_owned()))
    }
}

struct BlockReference {
    page: Rc<Page>,
    name: Rc<str>,
}

impl Object for BlockReference {
    fn type_name(&self) -> &'static str {
        "BlockReference"
    }
    fn is_callable(&self) -> bool {
        true
    }
    fn call(&self, context: &mut Context, args: Args) -> Result<Value> {
        if !args.positional.is_empty() || !args.named.is_empty() {
            return Err(Error::type_error(format!("the block '{}' takes no arguments", self.name)));
        }
        let mut sink = Sink::value();
        render(context, &self.page, &self.name, &mut sink)?;
        Ok(sink.into_value(context.autoescape))
    }
    fn attribute(&self, _: &mut Context, name: &str) -> Result<Option<Value>> {
        Ok(match name {
            "name" => Some(Value::str(&self.name)),
            "super" => Some(no_parent(&self.name)),
            _ => None,
        })
    }
}
