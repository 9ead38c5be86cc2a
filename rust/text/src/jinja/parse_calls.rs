//! Calls, filters and tests with their arguments.

use super::ast::{Apply, Arguments, Call, Expr, Kind, Text};
use super::error::{Error, Result};
use super::lexer::Token;
use super::parser::{deepest, Parser};
use std::collections::HashSet;

/// Keyword arguments that jinja2's own calls use, or that Python's compiler takes amiss.
const RESERVED_ARGUMENTS: [&str; 3] = ["_loop_vars", "_block_vars", "__debug__"];

impl Parser {
    pub fn call(&mut self, callee: Expr) -> Result<Expr> {
        let line = self.line();
        let arguments = self.arguments()?;
        let depth = callee.depth.max(arguments.depth());
        self.expr(line, depth, Kind::Call(Box::new(Call { callee, arguments })))
    }

    fn arguments(&mut self) -> Result<Arguments> {
        let line = self.line();
        let wrong = |message: &str| Err(Error::syntax(message, line));
        self.expect_operator("(")?;
        let mut found = Arguments::default();
        let mut first = true;
        while !self.is_operator(")") {
            if !first {
                self.expect_operator(",")?;
                if self.is_operator(")") {
                    break;
                }
            }
            first = false;
            if found.named_rest.is_some() {
                return wrong("nothing follows **arguments in a call");
            }
            if self.skip_operator("**") {
                found.named_rest = Some(self.expression()?);
            } else if matches!((self.token(), self.ahead()), (Token::Name(_), Token::Operator("="))) {
                self.named_argument(&mut found)?;
            } else if found.rest.is_some() {
                return wrong("only keyword arguments follow *arguments in a call");
            } else if self.skip_operator("*") {
                found.rest = Some(self.expression()?);
            } else if found.named.is_empty() {
                found.positional.push(self.expression()?);
            } else {
                return wrong("a positional argument follows keyword arguments in a call");
            }
        }
        self.skip();
        if let Some(name) = repeated(found.named.iter().map(|(name, _)| name)) {
            return wrong(&format!("the keyword argument '{name}' is given twice"));
        }
        Ok(found)
    }

    fn named_argument(&mut self, found: &mut Arguments) -> Result<()> {
        let line = self.line();
        let name = self.expect_name()?;
        self.expect_operator("=")?;
        let value = self.expression()?;
        if RESERVED_ARGUMENTS.contains(&&*name) {
            return Err(Error::unsupported(format!("a keyword argument of the name '{name}'")).at(line));
        }
        found.named.push((name, value));
        Ok(())
    }

    /// name, or a.b.c
    fn dotted_name(&mut self) -> Result<String> {
        let mut name = self.expect_name()?.to_string();
        while self.skip_operator(".") {
            name.push('.');
            name.push_str(&self.expect_name()?);
        }
        Ok(name)
    }

    fn apply(&mut self, name: String, value: Option<Expr>, arguments: Arguments) -> (u16, Box<Apply>) {
        let depth = deepest(&value).max(arguments.depth());
        (depth, Box::new(Apply { name: name.into(), native: None, value, arguments }))
    }

    /// `| name(...) | ...`, as long as there are any; None: none, and no value.
    pub fn filters(&mut self, mut value: Option<Expr>) -> Result<Option<Expr>> {
        while self.skip_operator("|") {
            value = Some(self.filter(value)?);
        }
        Ok(value)
    }

    /// A filter behind its bar.
    pub fn filter(&mut self, value: Option<Expr>) -> Result<Expr> {
        let line = self.line();
        let name = self.dotted_name()?;
        let arguments = if self.is_operator("(") { self.arguments()? } else { Arguments::default() };
        let (depth, apply) = self.apply(name, value, arguments);
        self.expr(line, depth, Kind::Filter(apply))
    }

    pub fn test(&mut self, value: Expr) -> Result<Expr> {
        let line = self.line();
        self.skip();
        let negated = self.skip_name("not");
        let name = self.dotted_name()?;
        let mut arguments = Arguments::default();
        match self.token() {
            Token::Operator("(") => arguments = self.arguments()?,
            Token::Name(word) if matches!(&**word, "else" | "or" | "and") => {}
            Token::Name(word) if **word == *"is" => return self.fail("tests cannot be chained with 'is'"),
            Token::Name(_) | Token::Str(_) | Token::Int(_) | Token::Float(_) | Token::Operator("[" | "{") => {
                let argument = self.primary(false)?;
                arguments.positional.push(self.postfix(argument)?);
            }
            _ => {}
        }
        let (depth, apply) = self.apply(name, Some(value), arguments);
        let test = self.expr(line, depth, Kind::Test(apply))?;
        if negated {
            return self.expr(line, test.depth, Kind::Not(Box::new(test)));
        }
        Ok(test)
    }
}

/// A name that is there more than once.
pub fn repeated<'a>(names: impl IntoIterator<Item = &'a Text>) -> Option<&'a Text> {
    let mut seen = HashSet::new();
    names.into_iter().find(|name| !seen.insert(*name))
}

impl Arguments {
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        let named = self.named.iter().map(|(_, value)| value);
        self.positional.iter().chain(named).chain(&self.rest).chain(&self.named_rest)
    }
    fn depth(&self) -> u16 {
        deepest(self.exprs())
    }
}
