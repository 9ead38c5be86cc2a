//! Which variables a scope has, as jinja2's compiler works it out before anything is run: a name that is only
//! read is looked up where the scope begins; one that is assigned is a variable of the scope, missing until then.

use super::ast::{Expr, Kind, Load, Place, Scope, Stmt, StmtKind, Text};
use super::names::{self, Use};
use std::collections::{HashMap, HashSet};

#[derive(Clone, Copy)]
enum Origin {
    /// An argument, a loop's target: always assigned.
    Parameter,
    Resolve,
    /// The variable of the same name further out.
    Alias,
    Missing,
}

/// What one branch of an {% if %} adds to the names of its scope.
#[derive(Default)]
struct Layer {
    origins: HashMap<Text, Origin>,
    stores: HashSet<Text>,
    /// Those of the stores that are not in a branch within this one.
    own_stores: Vec<Text>,
}

impl Layer {
    /// What is in both stays as `other` has it. The larger one is kept, so that deep nesting costs little.
    fn extend(&mut self, other: Self) {
        let Self { mut origins, mut stores, .. } = other;
        if self.origins.len() > origins.len() {
            self.origins.extend(origins);
        } else {
            std::mem::swap(&mut self.origins, &mut origins);
            for (name, origin) in origins {
                self.origins.entry(name).or_insert(origin);
            }
        }
        if self.stores.len() < stores.len() {
            std::mem::swap(&mut self.stores, &mut stores);
        }
        self.stores.extend(stores);
    }
}

struct Frame {
    function: usize,
    layers: Vec<Layer>,
}

/// The scopes that are open and the functions that they belong to, outermost first. A scope's position is its level.
#[derive(Default)]
pub struct Symbols {
    frames: Vec<Frame>,
    /// The slots of each function, by level and name: scopes of one level share them, as in jinja2.
    functions: Vec<HashMap<(usize, Text), u32>>,
}

impl Symbols {
    pub fn open_function(&mut self) {
        self.functions.push(HashMap::new());
    }
    /// How many slots it has.
    pub fn close_function(&mut self) -> u32 {
        self.functions.pop().map_or(0, |slots| slots.len() as u32)
    }
    pub fn open(&mut self) {
        let function = self.functions.len().saturating_sub(1);
        self.frames.push(Frame { function, layers: vec![Layer::default()] });
    }
    pub fn close(&mut self) {
        self.frames.pop();
    }

    /// The scope of the innermost variable of that name, from the scope at `from` outwards.
    fn find(&self, name: &str, from: usize) -> Option<usize> {
        (0..from).rev().find(|at| self.frames[*at].layers.iter().any(|layer| layer.origins.contains_key(name)))
    }

    fn slot(&mut self, level: usize, name: &Text) -> u32 {
        let function = self.frames[level].function;
        let slots = &mut self.functions[function];
        let next = slots.len() as u32;
        *slots.entry((level, name.clone())).or_insert(next)
    }

    fn place_at(&mut self, level: usize, name: &Text) -> Place {
        let outwards = self.functions.len() - 1 - self.frames[level].function;
        Place { outwards: outwards as u16, slot: self.slot(level, name) }
    }

    /// Where the variable stands, and whether it is a parameter. None: no scope knows the name.
    pub fn place(&mut self, name: &Text) -> Option<(Place, bool)> {
        let level = self.find(name, self.frames.len())?;
        let origin = self.frames[level].layers.iter().rev().find_map(|layer| layer.origins.get(name));
        let is_parameter = matches!(origin, Some(Origin::Parameter));
        Some((self.place_at(level, name), is_parameter))
    }

    /// The loads and the slots of the innermost scope, whose names are all known now.
    pub fn scope(&mut self) -> Scope {
        let level = self.frames.len() - 1;
        let mut origins: Vec<(Text, Origin)> = match self.frames[level].layers.first() {
            Some(layer) => layer.origins.iter().map(|(name, origin)| (name.clone(), *origin)).collect(),
            None => Vec::new(),
        };
        origins.sort_by(|a, b| a.0.cmp(&b.0));
        let mut scope = Scope::default();
        for (name, origin) in origins {
            let slot = self.slot(level, &name);
            scope.slots.push(slot);
            let load = match origin {
                Origin::Parameter => continue,
                Origin::Resolve => Load::Resolve(name),
                Origin::Missing => Load::Missing,
                Origin::Alias => match self.find(&name, level) {
                    Some(outer) => Load::Alias(self.place_at(outer, &name)),
                    None => Load::Missing,
                },
            };
            scope.loads.push((slot, load));
        }
        scope
    }

    /// Everything assigned in the open scopes, for a scoped block.
    pub fn stored(&mut self) -> Vec<(Text, Place)> {
        let mut found: Vec<Text> = Vec::new();
        for frame in &self.frames {
            found.extend(frame.layers.iter().flat_map(|layer| layer.stores.iter().cloned()));
        }
        found.sort();
        found.dedup();
        found.into_iter().filter_map(|name| self.place(&name).map(|(place, _)| (name, place))).collect()
    }

    fn layer(&mut self) -> &mut Layer {
        let frame = self.frames.len() - 1;
        let layers = &mut self.frames[frame].layers;
        let last = layers.len() - 1;
        &mut layers[last]
    }

    fn is_own(&self, name: &str) -> bool {
        let frame = &self.frames[self.frames.len() - 1];
        frame.layers.iter().any(|layer| layer.origins.contains_key(name))
    }

    fn is_stored(&self, name: &str) -> bool {
        self.frames[self.frames.len() - 1].layers.iter().any(|layer| layer.stores.contains(name))
    }

    pub fn declare(&mut self, name: &Text) {
        self.layer().stores.insert(name.clone());
        self.layer().origins.insert(name.clone(), Origin::Parameter);
    }

    pub fn load(&mut self, name: &Text) {
        if self.find(name, self.frames.len()).is_none() {
            self.layer().origins.insert(name.clone(), Origin::Resolve);
        }
    }

    fn store(&mut self, name: &Text) {
        if !self.is_stored(name) {
            self.layer().stores.insert(name.clone());
            self.layer().own_stores.push(name.clone());
        }
        if !self.is_own(name) {
            let outer = self.find(name, self.frames.len() - 1);
            let origin = if outer.is_some() { Origin::Alias } else { Origin::Missing };
            self.layer().origins.insert(name.clone(), origin);
        }
    }

    pub fn read(&mut self, expr: &Expr) {
        names::of_expr(expr, &mut |name, _, _| self.load(name));
    }

    pub fn assign(&mut self, target: &Expr, how: Use) {
        match &target.kind {
            Kind::Tuple(items) => items.iter().for_each(|item| self.assign(item, how)),
            Kind::NamespaceField(name, _) => self.load(&name.name),
            Kind::Name(name) if how == Use::Parameter => self.declare(&name.name),
            Kind::Name(name) => self.store(&name.name),
            _ => {}
        }
    }

    /// The names that statements use in their own scope; scopes within them are analysed when they are opened.
    pub fn analyse(&mut self, body: &[Stmt]) {
        for stmt in body {
            self.statement(stmt);
        }
    }

    fn statement(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Print(values, _) => values.iter().for_each(|value| self.read(value)),
            StmtKind::Set { target, value, .. } => {
                self.read(value);
                self.assign(target, Use::Store);
            }
            StmtKind::SetBlock(block) => self.assign(&block.target, Use::Store),
            StmtKind::If { branches, otherwise } => self.branches(branches, otherwise),
            StmtKind::For(node) => self.read(&node.iterable),
            StmtKind::Macro { function, .. } => function.name.iter().for_each(|name| self.store(name)),
            StmtKind::CallBlock(block) => block.call.iter().for_each(|call| self.read(call)),
            StmtKind::FilterBlock { filter, .. } => self.read(filter),
            StmtKind::With { values, .. } => values.iter().for_each(|value| self.read(value)),
            StmtKind::Load { template, stores, .. } => {
                self.read(template);
                stores.iter().for_each(|name| self.store(name));
            }
            StmtKind::Data(_)
            | StmtKind::Autoescape { .. }
            | StmtKind::Block { .. }
            | StmtKind::Break
            | StmtKind::Continue => {}
        }
    }

    fn in_layer(&mut self, analyse: impl FnOnce(&mut Self)) -> Layer {
        let frame = self.frames.len() - 1;
        self.frames[frame].layers.push(Layer::default());
        analyse(self);
        self.frames[frame].layers.pop().unwrap_or_default()
    }

    /// The branches of an {% if %} each see what was known before it. What one of them assigns is, before
    /// that, what it is further out.
    fn branches(&mut self, branches: &[(Expr, Vec<Stmt>)], otherwise: &[Stmt]) {
        let Some(((test, body), more)) = branches.split_first() else { return };
        self.read(test);
        let first = self.in_layer(|symbols| symbols.analyse(body));
        let second = self.in_layer(|symbols| {
            for (test, body) in more {
                symbols.read(test);
                let layer = symbols.in_layer(|symbols| symbols.analyse(body));
                symbols.merge([layer]);
            }
        });
        let third = self.in_layer(|symbols| symbols.analyse(otherwise));
        self.merge([first, second, third]);
    }

    fn merge<const N: usize>(&mut self, layers: [Layer; N]) {
        let mut assigned: Vec<Text> = Vec::new();
        for mut layer in layers {
            assigned.append(&mut layer.own_stores);
            self.layer().extend(layer);
        }
        for name in assigned {
            let outer = self.find(&name, self.frames.len() - 1);
            let origin = if outer.is_some() { Origin::Alias } else { Origin::Resolve };
            self.layer().origins.insert(name, origin);
        }
    }
}
