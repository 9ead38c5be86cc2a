//! Expressions: places of names, filters and tests by name, and what jinja2 evaluates when it compiles.

use super::ast::{Apply, Arguments, Escape, Expr, Kind, Literal};
use super::error::{Error, Result};
use super::resolve::{Mode, Resolver};
use super::{filters, tests};

/// Filters that jinja2 hands its context, so that it never evaluates them when it compiles.
const OF_CONTEXT: [&str; 6] = ["map", "random", "reject", "rejectattr", "select", "selectattr"];

const NO_HASH: &str = "a dict with a list or a dict as a key, which has no hash";

/// jinja2 raises TypeError where it evaluates a dict with such a key: where it is reached, and in some places when
/// it compiles. Nobody wants one, so it is refused wherever it stands.
fn has_no_hash(key: &Expr) -> bool {
    match &key.kind {
        Kind::List(_) | Kind::Dict(_) => true,
        Kind::Tuple(parts) => parts.iter().any(has_no_hash),
        Kind::Folded(inside, _) | Kind::Printed(inside, _) => has_no_hash(inside),
        _ => false,
    }
}

/// Puts a constant part into a node of its own.
fn fold(expr: &mut Expr, node: impl FnOnce(Box<Expr>) -> Kind) {
    let kind = std::mem::replace(&mut expr.kind, Kind::Tuple(Vec::new()));
    expr.kind = node(Box::new(Expr { line: expr.line, depth: expr.depth, kind }));
}

impl Resolver<'_> {
    /// An expression whose value is used.
    pub fn value(&mut self, expr: &mut Expr, mode: Mode) -> Result<()> {
        if self.resolve(expr, mode)? {
            self.fold_constant(expr);
        }
        Ok(())
    }

    /// A constant that is printed is not written into jinja2's program as a value.
    pub fn printed(&mut self, expr: &mut Expr, mode: Mode) -> Result<()> {
        let is_constant = self.resolve(expr, mode)?;
        let is_literal = matches!(expr.kind, Kind::Constant(_));
        if is_constant && (!is_literal || self.escape == Escape::Dynamic) {
            let escape = if self.escapes_constants { Escape::On } else { Escape::Off };
            fold(expr, |inside| Kind::Printed(inside, escape));
        }
        Ok(())
    }

    /// Of a macro's argument: it may name arguments that have no value yet.
    pub fn default_value(&mut self, expr: &mut Expr) -> Result<()> {
        self.in_default = true;
        let resolved = self.value(expr, Mode::default());
        self.in_default = false;
        resolved
    }

    fn fold_constant(&mut self, expr: &mut Expr) {
        let plain = match &expr.kind {
            Kind::Constant(at) => !matches!(self.constants[*at as usize], Literal::Float(value) if value.is_infinite()),
            Kind::Slice(_) => true, // its item is what is folded
            _ => false,
        };
        if !plain && self.escape != Escape::Dynamic {
            fold(expr, |inside| Kind::Folded(inside, self.escape));
        }
    }

    /// What {% autoescape %} is set to.
    pub fn escape_of(&mut self, value: &mut Expr) -> Result<Escape> {
        let Kind::Constant(at) = value.kind else {
            if self.resolve(value, Mode::default())? {
                return Err(Error::unsupported("{% autoescape %} of a constant that is computed"));
            }
            return Ok(Escape::Dynamic);
        };
        let on = match &self.constants[at as usize] {
            Literal::None => false,
            Literal::Bool(value) => *value,
            Literal::Int(value) => *value != Ok(0),
            Literal::Float(value) => *value != 0.0,
            Literal::Str(text) => !text.is_empty(),
        };
        Ok(if on { Escape::On } else { Escape::Off })
    }

    /// Resolves parts of an expression. They are constants of their own unless all of them are.
    fn parts<'e>(&mut self, parts: impl IntoIterator<Item = &'e mut Expr>, foldable: bool, mode: Mode) -> Result<bool> {
        let mut constant = Vec::new();
        let mut all = foldable;
        for part in parts {
            let is_constant = self.resolve(part, mode)?;
            all &= is_constant;
            if is_constant {
                constant.push(part);
            }
        }
        if !all {
            constant.into_iter().for_each(|part| self.fold_constant(part));
        }
        Ok(all)
    }

    /// Whether jinja2 finds it constant.
    fn resolve(&mut self, expr: &mut Expr, mode: Mode) -> Result<bool> {
        let line = expr.line;
        match &mut expr.kind {
            Kind::Constant(_) => Ok(true),
            Kind::Folded(..) | Kind::Printed(..) => Ok(true),
            Kind::NamespaceField(..) => Ok(false),
            Kind::Name(name) => {
                let (place, is_parameter) = self.known(&name.name).map_err(|error| error.at(line))?;
                name.place = place;
                name.checked = !is_parameter || self.in_default;
                Ok(false)
            }
            Kind::Tuple(parts) | Kind::List(parts) => self.parts(parts, true, mode),
            Kind::Dict(items) => {
                if items.iter().any(|(key, _)| has_no_hash(key)) && self.unknown.is_none() {
                    self.unknown = Some(Error::unsupported(NO_HASH).at(line));
                }
                self.parts(items.iter_mut().flat_map(|(key, value)| [key, value]), true, mode)
            }
            Kind::Not(value) | Kind::Unary(_, value) | Kind::Attribute(value, _) => {
                self.parts([&mut **value], true, mode)
            }
            Kind::And(parts) | Kind::Or(parts) | Kind::Binary(_, parts) | Kind::Item(parts) => {
                self.parts(parts.iter_mut(), true, mode)
            }
            Kind::Compare(first, rest) => {
                let rest = rest.iter_mut().map(|(_, part)| part);
                self.parts([&mut **first].into_iter().chain(rest), true, mode)
            }
            Kind::Concat(parts, escape) => {
                let constant = self.parts(parts, true, mode)?;
                // A constant is joined as plain text even where text is escaped.
                *escape = if !constant && self.escape == Escape::On { Escape::On } else { Escape::Off };
                Ok(constant)
            }
            Kind::Conditional(parts) => {
                let soft = Mode { soft: true, ..mode };
                let parts = &mut **parts;
                let both = [&mut parts.test, &mut parts.then];
                self.parts(both.into_iter().chain(&mut parts.otherwise), true, soft)
            }
            Kind::Slice(parts) => self.parts(parts.iter_mut().flatten(), true, mode),
            Kind::Call(call) => {
                let call = &mut **call;
                self.parts([&mut call.callee].into_iter().chain(all_of(&mut call.arguments)), false, mode)
            }
            Kind::Filter(apply) => {
                apply.native = filters::find(&apply.name);
                let foldable = !OF_CONTEXT.contains(&&*apply.name);
                self.apply(apply, "filter", foldable, line, mode)
            }
            Kind::Test(apply) => {
                apply.native = tests::find(&apply.name);
                self.apply(apply, "test", true, line, mode)
            }
        }
    }

    fn apply(&mut self, apply: &mut Apply, what: &str, foldable: bool, line: u32, mode: Mode) -> Result<bool> {
        let known = apply.native.is_some();
        let foldable = foldable && known && apply.value.is_some() && self.escape != Escape::Dynamic;
        if !known && !mode.soft && self.unknown.is_none() {
            self.unknown = Some(unknown(apply, what).at(line));
        }
        self.parts(apply.value.iter_mut().chain(all_of(&mut apply.arguments)), foldable, mode)
    }
}

/// jinja2 has no filter or test of this name.
pub fn unknown(apply: &Apply, what: &str) -> Error {
    Error::unsupported(format!("there is no {what} named '{}'", apply.name))
}

fn all_of(arguments: &mut Arguments) -> impl Iterator<Item = &mut Expr> {
    let named = arguments.named.iter_mut().map(|(_, value)| value);
    arguments.positional.iter_mut().chain(named).chain(&mut arguments.rest).chain(&mut arguments.named_rest)
}
