//! Tags.

use super::ast::{CallBlock, Escape, Expr, For, Kind, LoopFilter, Macro, Place, Scope, SetBlock, Stmt, StmtKind, Text};
use super::error::{Error, Result};
use super::lexer::Token;
use super::parse_calls::repeated;
use super::parse_expressions::TupleStyle;
use super::parser::{Open, Parser};
use super::unicode::is_space;
use std::sync::Arc;

type Tag = fn(&mut Parser, u32) -> Result<StmtKind>;

const TAGS: [(&str, Tag); 17] = [
    ("for", Parser::for_tag),
    ("if", Parser::if_tag),
    ("block", Parser::block_tag),
    ("extends", Parser::extends_tag),
    ("print", Parser::print_tag),
    ("macro", Parser::macro_tag),
    ("include", Parser::include_tag),
    ("from", Parser::named_import_tag),
    ("import", Parser::import_tag),
    ("set", Parser::set_tag),
    ("with", Parser::with_tag),
    ("autoescape", Parser::autoescape_tag),
    ("call", Parser::call_tag),
    ("filter", Parser::filter_tag),
    ("generation", Parser::generation_tag),
    ("break", |_, _| Ok(StmtKind::Break)),
    ("continue", |_, _| Ok(StmtKind::Continue)),
];

/// Words that no variable can have.
fn is_reserved(name: &str) -> bool {
    matches!(name, "true" | "false" | "none" | "True" | "False" | "None")
}

impl Parser {
    /// Up to one of the tags that may end them, or to the end of the template where there are none.
    pub fn statements_until(&mut self, ends: &[&str]) -> Result<Vec<Stmt>> {
        let mut body = Vec::new();
        loop {
            let line = self.line();
            match self.token().clone() {
                Token::End => return if ends.is_empty() { Ok(body) } else { self.unclosed() },
                Token::Data(text) => {
                    self.skip();
                    body.push(Stmt { line, kind: StmtKind::Data(text) });
                }
                Token::VariableBegin => {
                    self.skip();
                    let value = self.tuple(TupleStyle::default())?;
                    self.expect_token(&Token::VariableEnd)?;
                    body.push(Stmt { line, kind: StmtKind::Print(vec![value], Escape::Off) });
                }
                _ => {
                    self.expect_token(&Token::BlockBegin)?;
                    if ends.iter().any(|end| self.is_name(end)) {
                        return Ok(body);
                    }
                    body.push(self.nested(Self::statement)?);
                    self.expect_token(&Token::BlockEnd)?;
                }
            }
        }
    }

    fn statement(&mut self) -> Result<Stmt> {
        let line = self.line();
        let Token::Name(name) = self.token().clone() else {
            return self.expected("the name of a tag");
        };
        let Some((_, tag)) = TAGS.iter().find(|(known, _)| **known == *name) else {
            return self.unknown_tag(&name);
        };
        self.skip();
        self.open.push(Open { tag: name, line, ends: &[] });
        let kind = tag(self, line)?;
        self.open.pop();
        Ok(Stmt { line, kind })
    }

    fn looking_for(&self) -> String {
        let Some(open) = self.open.iter().rev().find(|open| !open.ends.is_empty()) else {
            return String::new();
        };
        let ends: Vec<String> = open.ends.iter().map(|end| format!("{{% {end} %}}")).collect();
        format!(" where {} of the {{% {} %}} of line {} is expected", ends.join(" or "), open.tag, open.line)
    }

    fn unknown_tag<T>(&self, name: &str) -> Result<T> {
        self.fail(format!("the tag {{% {name} %}} is not known{}", self.looking_for()))
    }

    fn unclosed<T>(&self) -> Result<T> {
        self.fail(format!("the template ends{}", self.looking_for()))
    }

    /// What stands between the tag that is being read and one of `ends`, which is left ahead.
    fn body(&mut self, ends: &'static [&'static str]) -> Result<Vec<Stmt>> {
        self.skip_operator(":"); // as in Python
        self.expect_token(&Token::BlockEnd)?;
        if let Some(open) = self.open.last_mut() {
            open.ends = ends;
        }
        let body = self.statements_until(ends)?;
        if let Some(open) = self.open.last_mut() {
            open.ends = &[];
        }
        Ok(body)
    }

    /// The same with a single end, which is skipped.
    fn whole_body(&mut self, end: &'static [&'static str; 1]) -> Result<Vec<Stmt>> {
        let body = self.body(end)?;
        self.skip();
        Ok(body)
    }

    fn target(&mut self, fields: bool) -> Result<Expr> {
        let target = self.tuple(TupleStyle { simple: true, fields, ..Default::default() })?;
        if !can_assign(&target) {
            return Err(Error::syntax("nothing can be assigned to this expression", target.line));
        }
        Ok(target)
    }

    fn target_name(&mut self) -> Result<Text> {
        let line = self.line();
        let name = self.expect_name()?;
        if is_reserved(&name) {
            return Err(Error::syntax(format!("nothing can be assigned to '{name}'"), line));
        }
        Ok(name)
    }

    fn set_tag(&mut self, _: u32) -> Result<StmtKind> {
        let target = self.target(true)?;
        if self.skip_operator("=") {
            let value = self.tuple(TupleStyle::default())?;
            return Ok(StmtKind::Set { target, value, exported: Vec::new() });
        }
        let filter = self.filters(None)?;
        let body = self.whole_body(&["endset"])?;
        let block = SetBlock { target, filter, body, scope: Scope::default(), exported: Vec::new() };
        Ok(StmtKind::SetBlock(Box::new(block)))
    }

    fn for_tag(&mut self, _: u32) -> Result<StmtKind> {
        let target = self.target(false)?;
        self.expect_word("in")?;
        let iterable = self.tuple(TupleStyle { without_if: true, ..Default::default() })?;
        let test = if self.skip_name("if") { Some(self.expression()?) } else { None };
        let filter = test.map(|test| LoopFilter { test, target: copy(&target), scope: Scope::default(), slots: 0 });
        let recursive = self.skip_name("recursive");
        let body = self.body(&["endfor", "else"])?;
        let has_else = self.is_name("else");
        self.skip();
        let otherwise = if has_else { self.whole_body(&["endfor"])? } else { Vec::new() };
        Ok(StmtKind::For(Arc::new(For {
            target,
            iterable,
            filter,
            body,
            otherwise,
            recursive,
            scope: Scope::default(),
            else_scope: Scope::default(),
            loop_slot: None,
            slots: 0,
            escape: Escape::Off,
        })))
    }

    fn if_tag(&mut self, _: u32) -> Result<StmtKind> {
        let mut branches = Vec::new();
        loop {
            let test = self.tuple(TupleStyle { without_if: true, ..Default::default() })?;
            branches.push((test, self.body(&["elif", "else", "endif"])?));
            if self.skip_name("elif") {
                continue;
            }
            let has_else = self.is_name("else");
            self.skip();
            let otherwise = if has_else { self.whole_body(&["endif"])? } else { Vec::new() };
            return Ok(StmtKind::If { branches, otherwise });
        }
    }

    fn with_tag(&mut self, _: u32) -> Result<StmtKind> {
        let (mut targets, mut values) = (Vec::new(), Vec::new());
        while *self.token() != Token::BlockEnd {
            if !targets.is_empty() {
                self.expect_operator(",")?;
            }
            targets.push(self.target(false)?);
            self.expect_operator("=")?;
            values.push(self.expression()?);
        }
        let body = self.whole_body(&["endwith"])?;
        Ok(StmtKind::With { targets, values, body, scope: Scope::default() })
    }

    fn autoescape_tag(&mut self, _: u32) -> Result<StmtKind> {
        let value = self.expression()?;
        let body = self.whole_body(&["endautoescape"])?;
        Ok(StmtKind::Autoescape { value, body, scope: Scope::default() })
    }

    fn block_tag(&mut self, line: u32) -> Result<StmtKind> {
        let name = self.expect_name()?;
        let scoped = self.skip_name("scoped");
        let required = self.skip_name("required");
        if self.is_operator("-") {
            return self.fail("the name of a block has no hyphens");
        }
        let body = self.whole_body(&["endblock"])?;
        let blank = |stmt: &Stmt| matches!(&stmt.kind, StmtKind::Data(text) if text.chars().all(is_space));
        if required && !body.iter().all(blank) {
            return Err(Error::syntax("a required block holds nothing but comments and white space", line));
        }
        self.skip_name(&name);
        Ok(StmtKind::Block { name, required, body, locals: scoped.then(Vec::new) })
    }

    fn extends_tag(&mut self, _: u32) -> Result<StmtKind> {
        Ok(StmtKind::Load { tag: "extends", template: self.expression()?, stores: Vec::new() })
    }

    /// `with context` or `without context`
    fn import_context(&mut self) -> bool {
        let found = (self.is_name("with") || self.is_name("without")) && self.is_ahead("context");
        if found {
            self.skip();
            self.skip();
        }
        found
    }

    fn include_tag(&mut self, _: u32) -> Result<StmtKind> {
        let template = self.expression()?;
        if self.is_name("ignore") && self.is_ahead("missing") {
            self.skip();
            self.skip();
        }
        self.import_context();
        Ok(StmtKind::Load { tag: "include", template, stores: Vec::new() })
    }

    fn import_tag(&mut self, _: u32) -> Result<StmtKind> {
        let template = self.expression()?;
        self.expect_word("as")?;
        let stores = vec![self.target_name()?];
        self.import_context();
        Ok(StmtKind::Load { tag: "import", template, stores })
    }

    fn named_import_tag(&mut self, _: u32) -> Result<StmtKind> {
        let template = self.expression()?;
        self.expect_word("import")?;
        let mut stores = Vec::new();
        loop {
            if !stores.is_empty() {
                self.expect_operator(",")?;
            }
            if self.import_context() {
                break;
            }
            let name = self.target_name()?;
            if name.starts_with('_') {
                return self.fail(format!("'{name}' begins with an underscore and cannot be imported"));
            }
            stores.push(if self.skip_name("as") { self.target_name()? } else { name });
            if self.import_context() || !self.is_operator(",") {
                break;
            }
        }
        Ok(StmtKind::Load { tag: "from", template, stores })
    }

    /// The arguments of a macro or call block.
    fn signature(&mut self, into: &mut Macro) -> Result<()> {
        self.expect_operator("(")?;
        while !self.is_operator(")") {
            if !into.arguments.is_empty() {
                self.expect_operator(",")?;
            }
            let name = self.target_name()?;
            if self.skip_operator("=") {
                into.defaults.push(self.expression()?);
            } else if !into.defaults.is_empty() {
                return self.fail("an argument without default follows one with");
            }
            into.arguments.push(name);
        }
        self.skip();
        match repeated(&into.arguments) {
            Some(name) => Err(Error::syntax(format!("the argument '{name}' is there twice"), into.line)),
            None => Ok(()),
        }
    }

    fn macro_tag(&mut self, line: u32) -> Result<StmtKind> {
        let name = self.target_name()?;
        let mut function = Macro { name: Some(name), line, ..Default::default() };
        self.signature(&mut function)?;
        function.body = self.whole_body(&["endmacro"])?;
        Ok(StmtKind::Macro { function: Arc::new(function), place: Place::default(), exported: false })
    }

    fn call_tag(&mut self, line: u32) -> Result<StmtKind> {
        let mut body = Macro { line, ..Default::default() };
        if self.is_operator("(") {
            self.signature(&mut body)?;
        }
        let call = self.expression()?;
        let Kind::Call(inside) = &call.kind else {
            return Err(Error::syntax("{% call %} takes a call", line));
        };
        if inside.arguments.named.iter().any(|(name, _)| **name == *"caller") {
            return Err(Error::syntax("{% call %} gives the argument 'caller' itself", line));
        }
        body.body = self.whole_body(&["endcall"])?;
        Ok(StmtKind::CallBlock(Box::new(CallBlock { call: Some(call), body: Arc::new(body) })))
    }

    /// transformers marks with it what a model said; it renders its body as a call block does.
    fn generation_tag(&mut self, line: u32) -> Result<StmtKind> {
        let body = self.whole_body(&["endgeneration"])?;
        let body = Arc::new(Macro { line, body, ..Default::default() });
        Ok(StmtKind::CallBlock(Box::new(CallBlock { call: None, body })))
    }

    fn filter_tag(&mut self, _: u32) -> Result<StmtKind> {
        let first = self.filter(None)?;
        let filter = self.filters(Some(first))?.ok_or_else(|| Error::syntax("a filter is missing", 0))?;
        let body = self.whole_body(&["endfilter"])?;
        Ok(StmtKind::FilterBlock { filter, body, scope: Scope::default(), escape: Escape::Off })
    }

    fn print_tag(&mut self, _: u32) -> Result<StmtKind> {
        let mut values = Vec::new();
        while *self.token() != Token::BlockEnd {
            if !values.is_empty() {
                self.expect_operator(",")?;
            }
            values.push(self.expression()?);
        }
        Ok(StmtKind::Print(values, Escape::Off))
    }
}

fn can_assign(target: &Expr) -> bool {
    match &target.kind {
        Kind::Name(_) | Kind::NamespaceField(..) => true,
        Kind::Tuple(items) => items.iter().all(can_assign),
        _ => false,
    }
}

/// Of an assignment's target.
fn copy(target: &Expr) -> Expr {
    let kind = match &target.kind {
        Kind::Tuple(items) => Kind::Tuple(items.iter().map(copy).collect()),
        Kind::Name(name) => {
            Kind::Name(super::ast::Name { name: name.name.clone(), place: name.place, checked: name.checked })
        }
        _ => Kind::Tuple(Vec::new()), // can_assign lets nothing else through
    };
    Expr { line: target.line, depth: target.depth, kind }
}
