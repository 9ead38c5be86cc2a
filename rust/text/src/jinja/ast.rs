//! A parsed template. parser*.rs make it; resolve.rs fills in what jinja2's compiler works out: places of variables,
//! what a scope loads, constants, escaping.

use super::filters::Native;
use super::ops::{Binary, Comparison, Unary};
use std::sync::Arc;

pub type Text = Arc<str>;

pub struct Expr {
    pub line: u32,
    /// One more than that of the deepest part.
    pub depth: u16,
    pub kind: Kind,
}

pub enum Kind {
    /// Index into Template::constants.
    Constant(u32),
    Name(Name),
    /// a.b as the target of {% set %}.
    NamespaceField(Name, Text),
    Tuple(Vec<Expr>),
    List(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    Not(Box<Expr>),
    And(Box<[Expr; 2]>),
    Or(Box<[Expr; 2]>),
    Unary(Unary, Box<Expr>),
    Binary(Binary, Box<[Expr; 2]>),
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    Concat(Vec<Expr>, Escape),
    Conditional(Box<Conditional>),
    Attribute(Box<Expr>, Text),
    Item(Box<[Expr; 2]>),
    Slice(Box<[Option<Expr>; 3]>),
    Call(Box<Call>),
    Filter(Box<Apply>),
    Test(Box<Apply>),
    /// A whole constant part: jinja2 evaluates it when it compiles the template and writes its repr into the
    /// program. `Escape` is the one there.
    Folded(Box<Expr>, Escape),
    /// A constant part that is printed: its text is all that the program gets.
    Printed(Box<Expr>, Escape),
}

pub struct Conditional {
    pub test: Expr,
    pub then: Expr,
    pub otherwise: Option<Expr>,
}

pub struct Name {
    pub name: Text,
    pub place: Place,
    /// Whether the variable may be missing, which gives an undefined value.
    pub checked: bool,
}

/// A variable: so many functions outwards, then by index.
#[derive(Clone, Copy, Default)]
pub struct Place {
    pub outwards: u16,
    pub slot: u32,
}

/// Of a call, filter or test.
#[derive(Default)]
pub struct Arguments {
    pub positional: Vec<Expr>,
    pub named: Vec<(Text, Expr)>,
    pub rest: Option<Expr>,
    pub named_rest: Option<Expr>,
}

pub struct Call {
    pub callee: Expr,
    pub arguments: Arguments,
}

pub struct Apply {
    pub name: Text,
    /// None: there is no such filter or test, which is an error where it is reached.
    pub native: Option<Native>,
    /// None: the text of a filter block or set block.
    pub value: Option<Expr>,
    pub arguments: Arguments,
}

/// {% autoescape %} as known when compiling; Dynamic: its expression is no constant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Escape {
    #[default]
    Off,
    On,
    Dynamic,
}

pub struct Stmt {
    pub line: u32,
    pub kind: StmtKind,
}

pub enum StmtKind {
    Data(Text),
    Print(Vec<Expr>, Escape),
    Set {
        target: Expr,
        value: Expr,
        exported: Vec<(Text, Place)>,
    },
    SetBlock(Box<SetBlock>),
    If {
        branches: Vec<(Expr, Vec<Stmt>)>,
        otherwise: Vec<Stmt>,
    },
    For(Arc<For>),
    Macro {
        function: Arc<Macro>,
        place: Place,
        exported: bool,
    },
    CallBlock(Box<CallBlock>),
    FilterBlock {
        filter: Expr,
        body: Vec<Stmt>,
        scope: Scope,
        escape: Escape,
    },
    With {
        targets: Vec<Expr>,
        values: Vec<Expr>,
        body: Vec<Stmt>,
        scope: Scope,
    },
    Autoescape {
        value: Expr,
        body: Vec<Stmt>,
        scope: Scope,
    },
    Block {
        name: Text,
        required: bool,
        body: Vec<Stmt>,
        locals: Option<Vec<(Text, Place)>>,
    },
    /// include, import, from and extends: there is nothing to load templates from.
    Load {
        tag: &'static str,
        template: Expr,
        stores: Vec<Text>,
    },
    Break,
    Continue,
}

pub struct SetBlock {
    pub target: Expr,
    pub filter: Option<Expr>,
    pub body: Vec<Stmt>,
    pub scope: Scope,
    pub exported: Vec<(Text, Place)>,
}

pub struct CallBlock {
    /// None: {% generation %}, whose text is that of the body.
    pub call: Option<Expr>,
    pub body: Arc<Macro>,
}

#[derive(Default)]
pub struct Macro {
    /// None: of a call block.
    pub name: Option<Text>,
    pub arguments: Vec<Text>,
    /// Of the last arguments.
    pub defaults: Vec<Expr>,
    pub body: Vec<Stmt>,
    pub argument_slots: Vec<u32>,
    /// Whether the body names `caller`, an argument of that name included.
    pub accesses_caller: bool,
    /// Where it goes, if the body names it and it is no argument.
    pub caller: Option<u32>,
    pub kwargs: Option<u32>,
    pub varargs: Option<u32>,
    pub scope: Scope,
    pub slots: u32,
    pub line: u32,
}

pub struct For {
    pub target: Expr,
    pub iterable: Expr,
    pub filter: Option<LoopFilter>,
    pub body: Vec<Stmt>,
    pub otherwise: Vec<Stmt>,
    pub recursive: bool,
    pub scope: Scope,
    pub else_scope: Scope,
    /// Where the loop variable goes, if the body names it.
    pub loop_slot: Option<u32>,
    /// Of a recursive loop, which is a function of its own.
    pub slots: u32,
    pub escape: Escape,
}

/// `if` of a for loop: a generator of its own, as in jinja2.
pub struct LoopFilter {
    pub test: Expr,
    /// The loop's target once more, with the places of this function.
    pub target: Expr,
    pub scope: Scope,
    pub slots: u32,
}

/// What happens where a scope begins; where it ends all its variables are missing again.
#[derive(Default)]
pub struct Scope {
    pub loads: Vec<(u32, Load)>,
    pub slots: Vec<u32>,
}

pub enum Load {
    /// From the variables of the template.
    Resolve(Text),
    Alias(Place),
    Missing,
}

pub enum Literal {
    None,
    Bool(bool),
    /// Decimal digits if it is too big.
    Int(Result<i64, String>),
    Float(f64),
    Str(Text),
}

/// The body of a block is a function of its own.
pub struct Block {
    pub name: Text,
    pub function: Function,
    pub body: Vec<Stmt>,
}

/// The template itself or a block.
#[derive(Default)]
pub struct Function {
    pub scope: Scope,
    pub slots: u32,
    pub self_slot: Option<u32>,
    pub super_slot: Option<u32>,
}

pub struct Template {
    pub body: Vec<Stmt>,
    pub function: Function,
    pub blocks: Vec<Block>,
    pub constants: Vec<Literal>,
    /// What jinja2 refuses when it compiles but this engine only when it renders: unknown filters and tests, keys without hash.
    pub unknown: Option<super::error::Error>,
}
