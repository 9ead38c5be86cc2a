//! Variables while a template renders: those of the template as a whole, and those of a function being run.

use super::ast::{Block, Load, Name, Place, Scope, Template, Text};
use super::context::{Clear, Context};
use super::error::{Error, Result};
use super::value::Value;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// What all parts of one rendering share.
pub struct Run {
    pub template: Arc<Template>,
    pub constants: Vec<Value>,
}

impl Run {
    pub fn block(&self, name: &str) -> Option<&Block> {
        let blocks = &self.template.blocks;
        blocks.binary_search_by(|block| (*block.name).cmp(name)).ok().map(|at| &blocks[at])
    }
}

pub type Variables = HashMap<Text, Value>;

/// jinja2's Context: the variables given, and over them what the template assigns in its own scope.
pub struct Page {
    pub run: Rc<Run>,
    given: RefCell<Rc<Variables>>,
    assigned: RefCell<Variables>,
    kept: Cell<bool>,
}

impl Page {
    pub fn new(run: Rc<Run>, given: Variables) -> Rc<Self> {
        let given = RefCell::new(Rc::new(given));
        Rc::new(Self { run, given, assigned: RefCell::default(), kept: Cell::new(false) })
    }

    pub fn resolve(&self, name: &str) -> Option<Value> {
        let assigned = self.assigned.borrow().get(name).cloned();
        assigned.or_else(|| self.given.borrow().get(name).cloned())
    }

    pub fn assign(&self, name: &Text, value: Value) {
        self.assigned.borrow_mut().insert(name.clone(), value);
    }

    /// A page of its own, for a scoped block, with the variables of where the block stands.
    pub fn derived(&self, context: &mut Context, locals: Vec<(Text, Value)>) -> Result<Rc<Self>> {
        let mut given = (**self.given.borrow()).clone();
        let assigned = self.assigned.borrow();
        context.spend((given.len() + assigned.len() + locals.len()) as u64)?;
        given.extend(assigned.iter().map(|(name, value)| (name.clone(), value.clone())));
        given.extend(locals);
        Ok(Self::new(self.run.clone(), given))
    }

    /// The page may come to hold something that holds it.
    pub fn keep(self: &Rc<Self>, context: &mut Context) {
        if !self.kept.replace(true) {
            context.keep(self.clone());
        }
    }
}

impl Clear for Page {
    fn clear(&self) {
        drop(self.assigned.take());
        drop(self.given.take());
    }
}

/// The variables of a function being run: the template itself, a block, a macro, a recursive loop, a loop's filter.
pub struct Frame {
    pub page: Rc<Page>,
    outer: Option<Rc<Frame>>,
    slots: RefCell<Vec<Option<Value>>>,
    kept: Cell<bool>,
}

impl Frame {
    pub fn new(context: &mut Context, page: &Rc<Page>, outer: Option<&Rc<Self>>, slots: u32) -> Result<Rc<Self>> {
        context.spend(u64::from(slots))?;
        let slots = RefCell::new(vec![None; slots as usize]);
        Ok(Rc::new(Self { page: page.clone(), outer: outer.cloned(), slots, kept: Cell::new(false) }))
    }

    /// Something (a macro) holds the frame that the frame itself may hold.
    pub fn keep(self: &Rc<Self>, context: &mut Context) {
        if !self.kept.replace(true) {
            context.keep(self.clone());
            self.page.keep(context);
        }
    }

    fn at(&self, outwards: u16) -> &Self {
        let mut frame = self;
        for _ in 0..outwards {
            if let Some(outer) = &frame.outer {
                frame = outer;
            }
        }
        frame
    }

    /// None: the variable is missing.
    pub fn get(&self, place: Place) -> Option<Value> {
        self.at(place.outwards).slots.borrow().get(place.slot as usize).cloned().flatten()
    }

    pub fn set(&self, place: Place, value: Option<Value>) {
        // What was there is dropped after the borrow: its end may look at this frame.
        let _before = match self.at(place.outwards).slots.borrow_mut().get_mut(place.slot as usize) {
            Some(slot) => std::mem::replace(slot, value),
            None => None,
        };
    }

    pub fn set_slot(&self, slot: u32, value: Option<Value>) {
        self.set(Place { outwards: 0, slot }, value);
    }

    pub fn load(&self, name: &Name) -> Result<Value> {
        match self.get(name.place) {
            Some(value) => Ok(value),
            None if name.checked => Ok(Value::undefined(format!("'{}' is undefined", name.name))),
            None => Err(Error::unsupported(format!("the variable '{}' outside of where it has a value", name.name))),
        }
    }

    pub fn enter(&self, context: &mut Context, scope: &Scope) -> Result<()> {
        context.spend(scope.loads.len() as u64)?;
        for (slot, load) in &scope.loads {
            let value = match load {
                Load::Resolve(name) => self.page.resolve(name),
                Load::Alias(place) => self.get(*place),
                Load::Missing => None,
            };
            self.set_slot(*slot, value);
        }
        Ok(())
    }

    pub fn leave(&self, scope: &Scope) {
        for slot in &scope.slots {
            self.set_slot(*slot, None);
        }
    }
}

impl Clear for Frame {
    fn clear(&self) {
        drop(self.slots.take());
    }
}
