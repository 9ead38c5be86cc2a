//! The global functions: those of jinja2, and raise_exception and strftime_now of the chat templates.

use super::args::{bind, flag, index, size, str_argument, POSITIONAL};
use super::context::Context;
use super::dict::Dict;
use super::error::{self, Error, Result};
use super::methods_collection::{copied, fromkeys};
use super::value::{depth_of, Args, Namespace, Object, Range, Value};
use super::{iterate, strftime, text};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The sandbox allows no longer range.
pub const MAX_RANGE: usize = 100_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Function,
    Method,
    /// With what str() gives of it, where that is the same everywhere.
    Class(Option<&'static str>),
    /// The `dict` of transformers is an object with a method fromkeys, no class.
    Dict,
}

struct Function {
    name: &'static str,
    kind: Kind,
    call: fn(&mut Context, Args) -> Result<Value>,
}

impl Object for Function {
    fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Function => "function",
            Kind::Method => "method",
            Kind::Class(_) => "type",
            Kind::Dict => "TemplateDict",
        }
    }
    fn is_callable(&self) -> bool {
        true
    }
    fn call(&self, context: &mut Context, args: Args) -> Result<Value> {
        (self.call)(context, args)
    }
    fn attribute(&self, _context: &mut Context, name: &str) -> Result<Option<Value>> {
        match (self.kind, name) {
            (Kind::Dict, "fromkeys") => Ok(Some(function("fromkeys", Kind::Method, dict_fromkeys))),
            (Kind::Class(_), "current" | "next" | "reset") if self.name == "cycler" => {
                Err(Error::unsupported(format!("the attribute {name} of the class cycler")))
            }
            (Kind::Class(_), "mro") => Err(Error::unsupported("the attribute mro of a class")),
            _ => Ok(None),
        }
    }
    fn text(&self, _context: &mut Context) -> Option<Result<String>> {
        match self.kind {
            Kind::Class(Some(class)) => Some(Ok(format!("<class '{class}'>"))),
            _ => None,
        }
    }
}

fn function(name: &'static str, kind: Kind, call: fn(&mut Context, Args) -> Result<Value>) -> Value {
    Value::Object(Rc::new(Function { name, kind, call }))
}

pub fn all(_context: &mut Context) -> Vec<(&'static str, Value)> {
    vec![
        ("range", function("range", Kind::Function, range)),
        ("dict", function("dict", Kind::Dict, dict_call)),
        ("lipsum", function("lipsum", Kind::Function, lipsum)),
        ("cycler", function("cycler", Kind::Class(Some("jinja2.utils.Cycler")), cycler)),
        ("joiner", function("joiner", Kind::Class(Some("jinja2.utils.Joiner")), joiner)),
        ("namespace", function("namespace", Kind::Class(None), namespace)),
        ("raise_exception", function("raise_exception", Kind::Function, raise_exception)),
        ("strftime_now", function("strftime_now", Kind::Function, strftime_now)),
    ]
}

/// Python methods written with a parameter named self.
fn refuse_self(args: &Args, function: &str) -> Result<()> {
    match args.named.iter().any(|(name, _)| **name == *"self") {
        true => Err(Error::type_error(format!("{function}() got multiple values for argument 'self'"))),
        false => Ok(()),
    }
}

fn dict_call(context: &mut Context, args: Args) -> Result<Value> {
    refuse_self(&args, "dict")?;
    Ok(Value::Dict(Rc::new(dict(context, args)?)))
}

fn dict_fromkeys(context: &mut Context, args: Args) -> Result<Value> {
    fromkeys(context, &Value::None, args)
}

/// Random text, but for no paragraphs at all.
fn lipsum(context: &mut Context, args: Args) -> Result<Value> {
    let [count, html, ..] = bind(args, "lipsum", ["n", "html", "min", "max"], 0)?;
    let html = flag(context, html, true)?;
    match count.as_ref().map_or(Ok(5), index)? {
        ..=0 => Ok(Value::text("", html)),
        _ => Err(Error::unsupported("lipsum: no two renderings would be the same")),
    }
}

fn range(_context: &mut Context, args: Args) -> Result<Value> {
    let [first, second, step] = bind(args, "range", [POSITIONAL; 3], 1)?;
    let int = |value: &Value| match value {
        Value::Undefined(undefined) => Err(undefined.used()),
        Value::Int(int) if int.to_i64().is_none() => Err(Error::unsupported("a range beyond 64 bits")),
        other => size(other),
    };
    let first = int(&first.unwrap_or(Value::None))?;
    let (start, stop) = match second {
        Some(second) => (first, int(&second)?),
        None => (0, first),
    };
    let step = step.as_ref().map_or(Ok(1), int)?;
    if step == 0 {
        return Err(Error::value_error("range() arg 3 must not be zero"));
    }
    let range = Range { start, stop, step };
    if range.len() > MAX_RANGE {
        let message = format!("Range too big. The sandbox blocks ranges larger than MAX_RANGE ({MAX_RANGE}).");
        return Err(Error::runtime("OverflowError", message));
    }
    Ok(Value::Range(range))
}

/// dict(mapping or pairs, **named)
fn dict(context: &mut Context, args: Args) -> Result<Dict> {
    if args.positional.len() > 1 {
        return Err(Error::type_error("dict expected at most 1 argument"));
    }
    let mut made = match args.positional.first() {
        None => Dict::new(),
        Some(Value::Dict(other)) => copied(context, other)?,
        Some(Value::Undefined(undefined)) => return Err(undefined.used()),
        Some(Value::Namespace(namespace)) if namespace.fields.borrow().get_str("keys").is_some() => {
            return Err(Error::type_error("a namespace is no mapping"));
        }
        Some(pairs) => dict_of_pairs(context, pairs)?,
    };
    for (name, value) in args.named {
        context.allocate(4 * std::mem::size_of::<Value>())?;
        made.insert_str(&*name, value)?;
    }
    Ok(made)
}

fn dict_of_pairs(context: &mut Context, pairs: &Value) -> Result<Dict> {
    let mut made = Dict::new();
    let mut pairs = iterate::iterate(context, pairs)?;
    while let Some(pair) = pairs.next(context)? {
        context.allocate(4 * std::mem::size_of::<Value>())?;
        let mut pair = iterate::collect(context, &pair)?;
        let (Some(value), Some(key), 0) = (pair.pop(), pair.pop(), pair.len()) else {
            return Err(Error::value_error("dictionary update sequence element has not length 2"));
        };
        made.insert(context, key, value)?;
    }
    Ok(made)
}

fn namespace(context: &mut Context, args: Args) -> Result<Value> {
    let fields = dict(context, args)?;
    if let Some(name) = fields.iter().filter_map(|(key, _)| key.as_str()).find(|name| name.starts_with('_')) {
        let message = format!("a namespace stores no attribute whose name begins with an underscore, as '{name}' does");
        return Err(Error::runtime("SecurityError", message));
    }
    let made = Rc::new(Namespace { fields: RefCell::new(fields) });
    context.keep(made.clone());
    Ok(Value::Namespace(made))
}

fn raise_exception(context: &mut Context, args: Args) -> Result<Value> {
    let [message] = bind(args, "raise_exception", ["message"], 1)?;
    let message = match message.unwrap_or(Value::None) {
        Value::None => "None".to_string(),
        message => text::str_of(context, &message)?.to_string(),
    };
    Err(Error::new(error::Kind::Raised, message))
}

fn strftime_now(context: &mut Context, args: Args) -> Result<Value> {
    let [format] = bind(args, "strftime_now", ["format"], 1)?;
    let format = str_argument(format.unwrap_or(Value::None), "strftime")?;
    Ok(Value::str(strftime::strftime(context, &format)?))
}

struct Cycler {
    items: Rc<[Value]>,
    position: Rc<Cell<usize>>,
    depth: u16,
}

fn cycler(_context: &mut Context, args: Args) -> Result<Value> {
    if let Some((name, _)) = args.named.first() {
        return Err(Error::type_error(format!("Cycler.__init__() got an unexpected keyword argument '{name}'")));
    }
    if args.positional.is_empty() {
        return Err(Error::runtime("RuntimeError", "at least one item has to be provided"));
    }
    let depth = depth_of(args.positional.iter())?;
    Ok(Value::Object(Rc::new(Cycler { items: args.positional.into(), position: Rc::new(Cell::new(0)), depth })))
}

impl Object for Cycler {
    fn type_name(&self) -> &'static str {
        "Cycler"
    }
    fn attribute(&self, _context: &mut Context, name: &str) -> Result<Option<Value>> {
        let method = |reset| {
            let step =
                CyclerStep { items: self.items.clone(), position: self.position.clone(), reset, depth: self.depth };
            Ok(Some(Value::Object(Rc::new(step))))
        };
        match name {
            "next" => method(false),
            "reset" => method(true),
            "current" => Ok(self.items.get(self.position.get()).cloned()),
            "items" => Value::tuple(self.items.to_vec()).map(Some),
            "pos" => Ok(Some(Value::int(self.position.get() as i64))),
            _ => Ok(None),
        }
    }
    fn depth(&self) -> u16 {
        self.depth
    }
}

/// cycler.next and cycler.reset
struct CyclerStep {
    items: Rc<[Value]>,
    position: Rc<Cell<usize>>,
    reset: bool,
    depth: u16,
}

impl Object for CyclerStep {
    fn type_name(&self) -> &'static str {
        "method"
    }
    fn is_callable(&self) -> bool {
        true
    }
    fn call(&self, _context: &mut Context, args: Args) -> Result<Value> {
        let [] = bind(args, "Cycler method", [], 0)?;
        if self.reset {
            self.position.set(0);
            return Ok(Value::None);
        }
        let at = self.position.get();
        self.position.set((at + 1) % self.items.len());
        Ok(self.items[at].clone())
    }
    fn depth(&self) -> u16 {
        self.depth + 1
    }
}

struct Joiner {
    separator: Value,
    used: Cell<bool>,
}

fn joiner(_context: &mut Context, args: Args) -> Result<Value> {
    let [separator] = bind(args, "joiner", ["sep"], 0)?;
    let separator = separator.unwrap_or_else(|| Value::str(", "));
    Ok(Value::Object(Rc::new(Joiner { separator, used: Cell::new(false) })))
}

impl Object for Joiner {
    fn type_name(&self) -> &'static str {
        "Joiner"
    }
    fn is_callable(&self) -> bool {
        true
    }
    fn call(&self, _context: &mut Context, args: Args) -> Result<Value> {
        let [] = bind(args, "Joiner.__call__", [], 0)?;
        if self.used.replace(true) {
            Ok(self.separator.clone())
        } else {
            Ok(Value::str(""))
        }
    }
    fn attribute(&self, _context: &mut Context, name: &str) -> Result<Option<Value>> {
        Ok(match name {
            "sep" => Some(self.separator.clone()),
            "used" => Some(Value::Bool(self.used.get())),
            _ => None,
        })
    }
    fn depth(&self) -> u16 {
        self.separator.depth() + 1
    }
}
