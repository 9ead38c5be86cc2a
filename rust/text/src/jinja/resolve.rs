//! Fills in a parsed template what jinja2's compiler works out: where variables stand, what a scope loads when it
//! begins, which blocks there are. resolve_expressions.rs does the expressions.

use super::ast::{
    Block, CallBlock, Escape, Expr, For, Function, Kind, Literal, LoopFilter, Macro, Place, SetBlock, Stmt, StmtKind,
    Template, Text,
};
use super::error::{Error, Result};
use super::names::{self, Use};
use super::parser;
use super::symbols::Symbols;
use std::collections::HashSet;
use std::sync::Arc;

/// Python's compiler takes no more loops within each other.
const MAX_LOOPS: u32 = 20;
/// Variables that scoped blocks see, in all.
const MAX_BLOCK_LOCALS: usize = 1 << 16;

/// What holds where a statement stands.
#[derive(Clone, Copy, Default)]
pub struct Mode {
    /// In the template's own scope: what is assigned is seen by blocks.
    pub toplevel: bool,
    /// In a branch: unknown filters and tests are errors only where they are reached.
    pub soft: bool,
    /// Loops around it within one function.
    pub loops: u32,
}

pub struct Resolver<'a> {
    pub symbols: Symbols,
    pub constants: &'a [Literal],
    pub unknown: Option<Error>,
    pub escape: Escape,
    /// Whether the innermost {% autoescape %} of a constant is on.
    pub escapes_constants: bool,
    /// In the default of a macro's argument.
    pub in_default: bool,
    /// The bodies of blocks, taken out of where they stand.
    blocks: Vec<(Text, Vec<Stmt>)>,
    block_names: HashSet<Text>,
    block_locals: usize,
}

pub fn template(source: &str) -> Result<Template> {
    let (mut body, constants) = parser::parse(source)?;
    let mut resolver = Resolver {
        symbols: Symbols::default(),
        constants: &constants,
        unknown: None,
        escape: Escape::Off,
        escapes_constants: false,
        in_default: false,
        blocks: Vec::new(),
        block_names: HashSet::new(),
        block_locals: 0,
    };
    let [uses_self] = names::undeclared(&body, ["self"]);
    let function = resolver.function(&mut body, Mode { toplevel: true, ..Mode::default() }, uses_self, false)?;
    let mut blocks = Vec::new();
    while let Some((name, mut body)) = resolver.blocks.pop() {
        let [uses_self, uses_super] = names::undeclared(&body, ["self", "super"]);
        let function = resolver.function(&mut body, Mode::default(), uses_self, uses_super)?;
        blocks.push(Block { name, function, body });
    }
    blocks.sort_by(|a, b| a.name.cmp(&b.name));
    let unknown = resolver.unknown;
    Ok(Template { body, function, blocks, constants, unknown })
}

impl Resolver<'_> {
    /// The template itself or a block.
    fn function(&mut self, body: &mut [Stmt], mode: Mode, uses_self: bool, uses_super: bool) -> Result<Function> {
        self.symbols = Symbols::default();
        self.symbols.open_function();
        self.symbols.open();
        let mut special = |used: bool, name: &str| {
            let name = Text::from(name);
            used.then(|| self.symbols.declare(&name)).and_then(|()| self.symbols.place(&name))
        };
        let (self_place, super_place) = (special(uses_self, "self"), special(uses_super, "super"));
        self.symbols.analyse(body);
        let scope = self.symbols.scope();
        self.statements(body, mode)?;
        self.symbols.close();
        let slot = |place: Option<(Place, bool)>| place.map(|(place, _)| place.slot);
        Ok(Function {
            scope,
            slots: self.symbols.close_function(),
            self_slot: slot(self_place),
            super_slot: slot(super_place),
        })
    }

    fn statements(&mut self, body: &mut [Stmt], mode: Mode) -> Result<()> {
        body.iter_mut().try_for_each(|stmt| self.statement(stmt, mode).map_err(|error| error.at(stmt.line)))
    }

    fn statement(&mut self, stmt: &mut Stmt, mode: Mode) -> Result<()> {
        let inner = Mode { toplevel: false, soft: false, ..mode };
        match &mut stmt.kind {
            StmtKind::Data(_) => Ok(()),
            StmtKind::Print(values, escape) => {
                *escape = self.escape;
                values.iter_mut().try_for_each(|value| self.printed(value, mode))
            }
            StmtKind::Set { target, value, exported } => {
                self.target(target)?;
                self.value(value, mode)?;
                *exported = self.exported(target, mode);
                Ok(())
            }
            StmtKind::SetBlock(block) => self.set_block(block, mode),
            StmtKind::If { branches, otherwise } => {
                let soft = Mode { soft: true, ..mode };
                for (test, body) in branches {
                    self.value(test, soft)?;
                    self.statements(body, soft)?;
                }
                self.statements(otherwise, soft)
            }
            StmtKind::For(node) => self.for_loop(unique(node)?, mode),
            StmtKind::Macro { function, place, exported } => {
                let function = unique(function)?;
                self.macro_body(function)?;
                let Some(name) = &function.name else { return Ok(()) };
                *place = self.known(name)?.0;
                *exported = mode.toplevel;
                Ok(())
            }
            StmtKind::CallBlock(block) => {
                let CallBlock { call, body } = &mut **block;
                self.macro_body(unique(body)?)?;
                call.iter_mut().try_for_each(|call| self.value(call, mode))
            }
            StmtKind::FilterBlock { filter, body, scope, escape } => {
                *escape = self.escape;
                self.symbols.open();
                self.symbols.analyse(body);
                self.symbols.read(filter);
                *scope = self.symbols.scope();
                self.statements(body, inner)?;
                self.value(filter, inner)?;
                self.symbols.close();
                Ok(())
            }
            StmtKind::With { targets, values, body, scope } => {
                values.iter_mut().try_for_each(|value| self.value(value, mode))?;
                self.symbols.open();
                targets.iter().for_each(|target| self.symbols.assign(target, Use::Parameter));
                self.symbols.analyse(body);
                *scope = self.symbols.scope();
                targets.iter_mut().try_for_each(|target| self.target(target))?;
                self.statements(body, inner)?;
                self.symbols.close();
                Ok(())
            }
            StmtKind::Autoescape { value, body, scope } => {
                self.symbols.open();
                self.symbols.read(value);
                self.symbols.analyse(body);
                *scope = self.symbols.scope();
                let outside = (self.escape, self.escapes_constants);
                let inside = self.escape_of(value)?;
                self.value(value, inner)?;
                self.escape = if self.escape == Escape::Dynamic { self.escape } else { inside };
                if inside != Escape::Dynamic {
                    self.escapes_constants = inside == Escape::On;
                }
                self.statements(body, inner)?;
                (self.escape, self.escapes_constants) = outside;
                self.symbols.close();
                Ok(())
            }
            StmtKind::Block { name, body, locals, .. } => {
                if !self.block_names.insert(name.clone()) {
                    return Err(Error::syntax(format!("the block '{name}' is there twice"), 0));
                }
                self.blocks.push((name.clone(), std::mem::take(body)));
                if let Some(locals) = locals {
                    *locals = self.symbols.stored();
                    self.block_locals += locals.len();
                    if self.block_locals > MAX_BLOCK_LOCALS {
                        return Err(Error::syntax("too many variables in scoped blocks", 0));
                    }
                }
                Ok(())
            }
            StmtKind::Load { tag: "extends", .. } if !mode.toplevel => {
                Err(Error::syntax("{% extends %} stands within another tag", 0))
            }
            StmtKind::Load { template, .. } => self.value(template, mode),
            StmtKind::Break | StmtKind::Continue if mode.loops == 0 => {
                Err(Error::syntax("{% break %} or {% continue %} outside of a loop", 0))
            }
            StmtKind::Break | StmtKind::Continue => Ok(()),
        }
    }

    fn set_block(&mut self, block: &mut SetBlock, mode: Mode) -> Result<()> {
        self.symbols.open();
        self.symbols.analyse(&block.body);
        block.scope = self.symbols.scope();
        let inner = Mode { toplevel: false, soft: false, ..mode };
        self.statements(&mut block.body, inner)?;
        block.filter.iter_mut().try_for_each(|filter| self.value(filter, inner))?;
        self.symbols.close();
        self.target(&mut block.target)?;
        block.exported = self.exported(&block.target, mode);
        Ok(())
    }

    /// The names of a target that blocks see too.
    fn exported(&mut self, target: &Expr, mode: Mode) -> Vec<(Text, Place)> {
        let mut found = Vec::new();
        if mode.toplevel {
            names::of_target(target, Use::Store, &mut |name, _, _| found.push(name.clone()));
        }
        found.into_iter().filter_map(|name| self.symbols.place(&name).map(|(place, _)| (name, place))).collect()
    }

    fn for_loop(&mut self, node: &mut For, mode: Mode) -> Result<()> {
        let [names_loop] = names::undeclared(&node.body, ["loop"]);
        let extended = node.recursive
            || names_loop
            || names::has_scoped_block(&node.body)
            || names::has_scoped_block(&node.otherwise);
        check_loop_is_not_assigned(node)?;
        node.escape = self.escape;
        self.value(&mut node.iterable, mode)?;
        if let Some(filter) = &mut node.filter {
            self.loop_filter(filter)?;
        }
        let mut inner = Mode { toplevel: false, soft: false, ..mode };
        if node.recursive {
            self.symbols.open_function();
            inner.loops = 0;
        }
        self.symbols.open();
        let name = Text::from("loop");
        if extended {
            self.symbols.declare(&name);
        }
        self.symbols.assign(&node.target, Use::Parameter);
        self.symbols.analyse(&node.body);
        node.scope = self.symbols.scope();
        self.target(&mut node.target)?;
        node.loop_slot = if extended { self.symbols.place(&name).map(|(place, _)| place.slot) } else { None };
        if inner.loops >= MAX_LOOPS {
            return Err(Error::syntax(format!("more than {MAX_LOOPS} loops within each other"), 0));
        }
        self.statements(&mut node.body, Mode { loops: inner.loops + 1, ..inner })?;
        self.symbols.close();
        self.symbols.open();
        self.symbols.analyse(&node.otherwise);
        node.else_scope = self.symbols.scope();
        self.statements(&mut node.otherwise, inner)?;
        self.symbols.close();
        if node.recursive {
            node.slots = self.symbols.close_function();
        }
        Ok(())
    }

    fn loop_filter(&mut self, filter: &mut LoopFilter) -> Result<()> {
        self.symbols.open_function();
        self.symbols.open();
        self.symbols.assign(&filter.target, Use::Parameter);
        self.symbols.read(&filter.test);
        filter.scope = self.symbols.scope();
        self.target(&mut filter.target)?;
        self.value(&mut filter.test, Mode::default())?;
        self.symbols.close();
        filter.slots = self.symbols.close_function();
        Ok(())
    }

    fn macro_body(&mut self, function: &mut Macro) -> Result<()> {
        self.symbols.open_function();
        self.symbols.open();
        self.analyse_macro(function);
        let [caller, kwargs, varargs] = names::undeclared(&function.body, ["caller", "kwargs", "varargs"]);
        function.accesses_caller = caller;
        let given = |name: &str| function.arguments.iter().position(|argument| **argument == *name);
        if let Some(at) = given("caller").filter(|_| caller) {
            if function.arguments.len() - at > function.defaults.len() {
                return Err(Error::syntax("the argument 'caller' of a macro needs a default", 0));
            }
        }
        let uses = [("caller", caller), ("kwargs", kwargs), ("varargs", varargs)];
        let special = uses.map(|(name, used)| (used && given(name).is_none()).then(|| Text::from(name)));
        special.iter().flatten().for_each(|name| self.symbols.declare(name));
        self.analyse_macro(function);
        function.scope = self.symbols.scope();
        let mut slots = Vec::new();
        for name in &function.arguments {
            slots.push(self.known(name)?.0.slot);
        }
        function.argument_slots = slots;
        let slot = |name: &Option<Text>| name.as_ref().and_then(|name| self.symbols.place(name));
        let [caller, kwargs, varargs] = [&special[0], &special[1], &special[2]].map(slot);
        function.caller = caller.map(|(place, _)| place.slot);
        function.kwargs = kwargs.map(|(place, _)| place.slot);
        function.varargs = varargs.map(|(place, _)| place.slot);
        for default in &mut function.defaults {
            self.default_value(default)?;
        }
        self.statements(&mut function.body, Mode::default())?;
        self.symbols.close();
        function.slots = self.symbols.close_function();
        Ok(())
    }

    fn analyse_macro(&mut self, function: &Macro) {
        function.arguments.iter().for_each(|name| self.symbols.declare(name));
        function.defaults.iter().for_each(|default| self.symbols.read(default));
        self.symbols.analyse(&function.body);
    }

    /// The variable of a name. Errors: jinja2's compiler fails where its analysis has missed the name.
    pub fn known(&mut self, name: &Text) -> Result<(Place, bool)> {
        let found = self.symbols.place(name);
        found.ok_or_else(|| Error::syntax(format!("the variable '{name}' is not known in this scope"), 0))
    }

    fn target(&mut self, target: &mut Expr) -> Result<()> {
        match &mut target.kind {
            Kind::Tuple(items) => items.iter_mut().try_for_each(|item| self.target(item)),
            Kind::Name(name) | Kind::NamespaceField(name, _) => {
                name.place = self.known(&name.name)?.0;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Nothing else holds parts of a template that is still being made.
fn unique<T>(part: &mut Arc<T>) -> Result<&mut T> {
    Arc::get_mut(part).ok_or_else(|| Error::syntax("a part of the template is shared", 0))
}

fn check_loop_is_not_assigned(node: &For) -> Result<()> {
    let mut assigned = None;
    let mut visit = |name: &Text, how: Use, line: u32| {
        if how == Use::Store && **name == *"loop" {
            assigned = Some(line);
        }
    };
    names::of_target(&node.target, Use::Store, &mut visit);
    names::of_stmts(&node.body, true, &mut visit);
    names::of_stmts(&node.otherwise, true, &mut visit);
    match assigned {
        Some(line) => Err(Error::syntax("the variable 'loop' cannot be assigned in a loop", line)),
        None => Ok(()),
    }
}
