//! The values of a template, as Python has them.
//!
//! Values are immutable, as in the sandbox that transformers renders in; only namespaces, cyclers, joiners
//! and iterators change, behind a RefCell. They live for one rendering on one thread, hence Rc.

use super::context::Context;
use super::dict::Dict;
use super::error::{Error, Result};
use super::int::Int;
use std::cell::RefCell;
use std::rc::Rc;

/// How deep values may hold each other. Printing, comparing and dropping recurse, so this bounds the stack.
pub const MAX_DEPTH: u16 = 200;

#[derive(Clone)]
pub enum Value {
    Undefined(Rc<Undefined>),
    None,
    Bool(bool),
    Int(Int),
    Float(f64),
    Str(Str),
    List(Rc<Items>),
    Tuple(Rc<Items>),
    Dict(Rc<Dict>),
    /// dict.keys(), .values(), .items()
    View(Rc<Dict>, View),
    Range(Range),
    Slice(Rc<[Value; 3]>),
    /// What can be run through once: a generator of map, select, batch and their like.
    Iterator(Rc<Lazy>),
    Namespace(Rc<Namespace>),
    /// Functions, methods bound to a value, macros, loops, cyclers, joiners.
    Object(Rc<dyn Object>),
}

/// A name, attribute or item that is not there. It prints as nothing, is false, and may be tested; most other uses are errors.
pub struct Undefined {
    /// What Python's UndefinedError says when it is used: "'x' is undefined", "'dict object' has no attribute 'x'".
    pub message: String,
    /// Any use but a test of being defined is refused: an attribute the sandbox hides.
    pub unsafe_access: bool,
}

/// A Python str: code points in UTF-8. `safe`: markupsafe.Markup, which autoescape leaves alone.
#[derive(Clone)]
pub struct Str {
    pub text: Rc<str>,
    pub safe: bool,
}

pub struct Items {
    values: Vec<Value>,
    depth: u16,
    /// A pair of the groupby filter: a tuple whose items are also .grouper and .list.
    pub group: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum View {
    Keys,
    Values,
    Items,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub start: i64,
    pub stop: i64,
    pub step: i64, // never 0
}

impl Range {
    /// At most i64::MAX; range() of globals.rs allows no more than MAX_RANGE.
    pub fn len(&self) -> usize {
        let (start, stop, step) = (i128::from(self.start), i128::from(self.stop), i128::from(self.step));
        let length = if step > 0 { (stop - start + step - 1) / step } else { (start - stop - step - 1) / -step };
        usize::try_from(length.max(0)).unwrap_or(usize::MAX)
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// `index` is below len().
    pub fn at(&self, index: usize) -> i64 {
        self.start + self.step * index as i64
    }
}

/// A generator. `name` is that of Python's generator function (it shows in error messages).
pub struct Lazy {
    pub name: &'static str,
    pub depth: u16,
    pub next: RefCell<Box<NextFn>>,
}
pub type NextFn = dyn FnMut(&mut Context) -> Result<Option<Value>>;

/// namespace(): the one value that {% set ns.x = ... %} changes. Context::end empties all of them, so cycles are freed.
pub struct Namespace {
    pub fields: RefCell<Dict>,
}

/// Positional and keyword arguments of a call.
#[derive(Clone, Default)]
pub struct Args {
    pub positional: Vec<Value>,
    pub named: Vec<(Rc<str>, Value)>,
}

pub trait Object {
    /// As type(x).__name__ says: "function", "builtin_function_or_method", "Macro", "LoopContext", "Cycler", ...
    fn type_name(&self) -> &'static str;
    fn is_callable(&self) -> bool {
        false
    }
    fn call(&self, _context: &mut Context, _args: Args) -> Result<Value> {
        Err(Error::type_error(format!("'{}' object is not callable", self.type_name())))
    }
    /// None: there is no such attribute.
    fn attribute(&self, _context: &mut Context, _name: &str) -> Result<Option<Value>> {
        Ok(None)
    }
    /// What str() gives. None: an address or the like, which nothing may depend on; printing it is refused.
    fn text(&self, _context: &mut Context) -> Option<Result<String>> {
        None
    }
    /// Some: it may be iterated (a loop object in a for).
    fn iterate(&self, _context: &mut Context) -> Option<Result<Value>> {
        None
    }
    /// len(). None: it has none.
    fn length(&self, _context: &mut Context) -> Option<Result<usize>> {
        None
    }
    fn is_true(&self) -> bool {
        true
    }
    /// One more than the deepest value held.
    fn depth(&self) -> u16 {
        0
    }
}

impl Items {
    pub fn new(values: Vec<Value>) -> Result<Self> {
        let depth = depth_of(values.iter())?;
        Ok(Self { values, depth, group: false })
    }
    pub fn depth(&self) -> u16 {
        self.depth
    }
}

impl std::ops::Deref for Items {
    type Target = [Value];
    fn deref(&self) -> &[Value] {
        &self.values
    }
}

/// One more than the deepest of the values. Errors: deeper than MAX_DEPTH.
pub fn depth_of<'a>(values: impl Iterator<Item = &'a Value>) -> Result<u16> {
    let depth = 1 + values.map(Value::depth).max().unwrap_or(0);
    if depth > MAX_DEPTH {
        return Err(Error::limit(format!("values that hold each other deeper than {MAX_DEPTH}")));
    }
    Ok(depth)
}

impl Undefined {
    /// The error raised when the undefined value is used.
    pub fn used(&self) -> Error {
        let name = if self.unsafe_access { "SecurityError" } else { "UndefinedError" };
        Error::runtime(name, &self.message)
    }
}

impl From<String> for Str {
    fn from(text: String) -> Self {
        Self { text: Rc::from(text), safe: false }
    }
}

impl From<&str> for Str {
    fn from(text: &str) -> Self {
        Self { text: Rc::from(text), safe: false }
    }
}

impl std::ops::Deref for Str {
    type Target = str;
    fn deref(&self) -> &str {
        &self.text
    }
}

impl Value {
    pub fn str(text: impl AsRef<str>) -> Self {
        Self::Str(Str::from(text.as_ref()))
    }
    pub fn int(value: i64) -> Self {
        Self::Int(Int::from(value))
    }
    pub fn list(values: Vec<Value>) -> Result<Self> {
        Ok(Self::List(Rc::new(Items::new(values)?)))
    }
    pub fn tuple(values: Vec<Value>) -> Result<Self> {
        Ok(Self::Tuple(Rc::new(Items::new(values)?)))
    }
    pub fn undefined(message: impl Into<String>) -> Self {
        Self::Undefined(Rc::new(Undefined { message: message.into(), unsafe_access: false }))
    }
    /// `sources`: what the generator holds on to.
    pub fn lazy<'a>(
        name: &'static str,
        sources: impl Iterator<Item = &'a Value>,
        next: impl FnMut(&mut Context) -> Result<Option<Value>> + 'static,
    ) -> Result<Self> {
        let depth = depth_of(sources)?;
        Ok(Self::Iterator(Rc::new(Lazy { name, depth, next: RefCell::new(Box::new(next)) })))
    }
    pub fn depth(&self) -> u16 {
        match self {
            Self::List(items) | Self::Tuple(items) => items.depth(),
            Self::Dict(dict) => dict.depth(),
            Self::View(dict, _) => dict.depth(),
            Self::Iterator(lazy) => lazy.depth,
            Self::Object(object) => object.depth(),
            _ => 0,
        }
    }
    /// As type(x).__name__ says.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Undefined(_) => "Undefined",
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(text) => {
                if text.safe {
                    "Markup"
                } else {
                    "str"
                }
            }
            Self::List(_) => "list",
            Self::Tuple(items) => {
                if items.group {
                    "_GroupTuple"
                } else {
                    "tuple"
                }
            }
            Self::Dict(_) => "dict",
            Self::View(_, View::Keys) => "dict_keys",
            Self::View(_, View::Values) => "dict_values",
            Self::View(_, View::Items) => "dict_items",
            Self::Range(_) => "range",
            Self::Slice(_) => "slice",
            Self::Iterator(_) => "generator",
            Self::Namespace(_) => "Namespace",
            Self::Object(object) => object.type_name(),
        }
    }
    /// A str, or a Markup where `safe`.
    pub fn text(text: impl AsRef<str>, safe: bool) -> Self {
        Self::Str(Str { text: Rc::from(text.as_ref()), safe })
    }
    pub fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined(_))
    }
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }
}
