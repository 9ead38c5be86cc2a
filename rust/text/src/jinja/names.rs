//! The names in a part of a template, in the order in which jinja2's compiler comes across them (which decides
//! what `loop`, `caller`, `self` and their like mean there).

use super::ast::{Expr, Kind, Macro, Stmt, StmtKind, Text};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    Load,
    Store,
    Parameter,
}

type Visit<'a> = &'a mut dyn FnMut(&Text, Use, u32);

pub fn of_expr(expr: &Expr, visit: Visit) {
    if let Kind::Name(name) = &expr.kind {
        visit(&name.name, Use::Load, expr.line);
    }
    of_exprs(expr.parts(), visit);
}

impl Expr {
    /// The expressions right within this one.
    pub fn parts(&self) -> Vec<&Expr> {
        match &self.kind {
            Kind::Constant(_) | Kind::Name(_) | Kind::NamespaceField(..) => Vec::new(),
            Kind::Tuple(parts) | Kind::List(parts) | Kind::Concat(parts, _) => parts.iter().collect(),
            Kind::Dict(items) => items.iter().flat_map(|(key, value)| [key, value]).collect(),
            Kind::Not(value) | Kind::Unary(_, value) | Kind::Attribute(value, _) => vec![value],
            Kind::Folded(value, _) | Kind::Printed(value, _) => vec![value],
            Kind::And(parts) | Kind::Or(parts) | Kind::Binary(_, parts) | Kind::Item(parts) => parts.iter().collect(),
            Kind::Compare(first, rest) => std::iter::once(&**first).chain(rest.iter().map(|(_, part)| part)).collect(),
            Kind::Conditional(parts) => [&parts.test, &parts.then].into_iter().chain(&parts.otherwise).collect(),
            Kind::Slice(parts) => parts.iter().flatten().collect(),
            Kind::Call(call) => std::iter::once(&call.callee).chain(call.arguments.exprs()).collect(),
            Kind::Filter(apply) | Kind::Test(apply) => apply.value.iter().chain(apply.arguments.exprs()).collect(),
        }
    }
}

pub fn of_exprs<'a>(exprs: impl IntoIterator<Item = &'a Expr>, visit: Visit) {
    for expr in exprs {
        of_expr(expr, visit);
    }
}

/// The names of an assignment's target; the namespace of ns.field is none of them.
pub fn of_target(target: &Expr, how: Use, visit: Visit) {
    of_expr(target, &mut |name, _, line| visit(name, how, line));
}

/// `into_blocks`: whether {% block %} is looked into.
pub fn of_stmts(body: &[Stmt], into_blocks: bool, visit: Visit) {
    for stmt in body {
        of_stmt(stmt, into_blocks, visit);
    }
}

fn of_macro(function: &Macro, into_blocks: bool, visit: Visit) {
    for argument in &function.arguments {
        visit(argument, Use::Parameter, function.line);
    }
    of_exprs(&function.defaults, visit);
    of_stmts(&function.body, into_blocks, visit);
}

pub fn of_stmt(stmt: &Stmt, into_blocks: bool, visit: Visit) {
    match &stmt.kind {
        StmtKind::Data(_) | StmtKind::Break | StmtKind::Continue => {}
        StmtKind::Print(values, _) => of_exprs(values, visit),
        StmtKind::Set { target, value, .. } => {
            of_target(target, Use::Store, visit);
            of_expr(value, visit);
        }
        StmtKind::SetBlock(block) => {
            of_target(&block.target, Use::Store, visit);
            of_exprs(&block.filter, visit);
            of_stmts(&block.body, into_blocks, visit);
        }
        StmtKind::If { branches, otherwise } => {
            for (test, body) in branches {
                of_expr(test, visit);
                of_stmts(body, into_blocks, visit);
            }
            of_stmts(otherwise, into_blocks, visit);
        }
        StmtKind::For(node) => {
            of_target(&node.target, Use::Store, visit);
            of_expr(&node.iterable, visit);
            of_stmts(&node.body, into_blocks, visit);
            of_stmts(&node.otherwise, into_blocks, visit);
            of_exprs(node.filter.as_ref().map(|filter| &filter.test), visit);
        }
        StmtKind::Macro { function, .. } => of_macro(function, into_blocks, visit),
        StmtKind::CallBlock(block) => {
            of_exprs(&block.call, visit);
            of_macro(&block.body, into_blocks, visit);
        }
        StmtKind::FilterBlock { filter, body, .. } => {
            of_stmts(body, into_blocks, visit);
            of_expr(filter, visit);
        }
        StmtKind::With { targets, values, body, .. } => {
            for target in targets {
                of_target(target, Use::Parameter, visit);
            }
            of_exprs(values, visit);
            of_stmts(body, into_blocks, visit);
        }
        StmtKind::Autoescape { value, body, .. } => {
            of_expr(value, visit);
            of_stmts(body, into_blocks, visit);
        }
        StmtKind::Block { body, .. } if into_blocks => of_stmts(body, true, visit),
        StmtKind::Block { .. } => {}
        StmtKind::Load { template, .. } => of_expr(template, visit),
    }
}

/// Which of `names` are read before anything of that name is assigned: these get their special meaning.
pub fn undeclared<const N: usize>(body: &[Stmt], names: [&str; N]) -> [bool; N] {
    let mut found = [false; N];
    let mut declared = [false; N];
    of_stmts(body, false, &mut |name, how, _| {
        let Some(at) = names.iter().position(|special| **special == **name) else { return };
        if how == Use::Load {
            found[at] |= !declared[at];
        } else {
            declared[at] = true;
        }
    });
    found
}

/// Whether a scoped block stands in these statements.
pub fn has_scoped_block(body: &[Stmt]) -> bool {
    body.iter().any(|stmt| match &stmt.kind {
        StmtKind::Block { locals, body, .. } => locals.is_some() || has_scoped_block(body),
        _ => parts(stmt).into_iter().any(has_scoped_block),
    })
}

/// The bodies within a statement.
pub fn parts(stmt: &Stmt) -> Vec<&[Stmt]> {
    match &stmt.kind {
        StmtKind::SetBlock(block) => vec![&block.body],
        StmtKind::If { branches, otherwise } => {
            branches.iter().map(|(_, body)| body.as_slice()).chain([otherwise.as_slice()]).collect()
        }
        StmtKind::For(node) => vec![&node.body, &node.otherwise],
        StmtKind::Macro { function, .. } => vec![&function.body],
        StmtKind::CallBlock(block) => vec![&block.body.body],
        StmtKind::FilterBlock { body, .. } | StmtKind::With { body, .. } | StmtKind::Autoescape { body, .. } => {
            vec![body]
        }
        StmtKind::Block { body, .. } => vec![body],
        _ => Vec::new(),
    }
}
