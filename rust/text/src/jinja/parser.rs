//! The parser's common parts: the tokens ahead, nesting, messages. parse_statements.rs and parse_expressions.rs
//! hold the grammar, which is that of jinja2 with all its leniency.

use super::ast::{Expr, Kind, Literal, Stmt, Text};
use super::error::{Error, Result};
use super::lexer::{self, Positioned, Token};

/// Expressions and tags within each other while parsing.
const MAX_NESTING: usize = 100;
/// Levels of an expression's tree, long chains of operators included.
const MAX_DEPTH: u16 = 200;

/// An open tag and what may end the part of it that is being read.
pub struct Open {
    pub tag: Text,
    pub line: u32,
    pub ends: &'static [&'static str],
}

pub struct Parser {
    tokens: Vec<Positioned>,
    at: usize,
    nesting: usize,
    pub constants: Vec<Literal>,
    pub open: Vec<Open>,
}

/// The statements of a template and the constants they refer to.
pub fn parse(source: &str) -> Result<(Vec<Stmt>, Vec<Literal>)> {
    let tokens = lexer::tokens(source)?;
    let mut parser = Parser { tokens, at: 0, nesting: 0, constants: Vec::new(), open: Vec::new() };
    let body = parser.statements_until(&[])?;
    Ok((body, parser.constants))
}

impl Parser {
    pub fn token(&self) -> &Token {
        &self.tokens[self.at].token
    }
    pub fn line(&self) -> u32 {
        self.tokens[self.at].line
    }
    /// The token behind the present one.
    pub fn ahead(&self) -> &Token {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)].token
    }
    /// Goes on by one token; the last one, the end, stays.
    pub fn skip(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    pub fn is_operator(&self, operator: &str) -> bool {
        matches!(self.token(), Token::Operator(found) if *found == operator)
    }
    pub fn is_name(&self, name: &str) -> bool {
        matches!(self.token(), Token::Name(found) if **found == *name)
    }
    pub fn is_ahead(&self, name: &str) -> bool {
        matches!(self.ahead(), Token::Name(found) if **found == *name)
    }
    pub fn skip_operator(&mut self, operator: &str) -> bool {
        let found = self.is_operator(operator);
        if found {
            self.skip();
        }
        found
    }
    pub fn skip_name(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        if found {
            self.skip();
        }
        found
    }

    pub fn fail<T>(&self, message: impl Into<String>) -> Result<T> {
        Err(Error::syntax(message, self.line()))
    }
    pub fn expected<T>(&self, what: &str) -> Result<T> {
        self.fail(format!("{what} is expected, not {}", self.token().describe()))
    }
    pub fn expect_operator(&mut self, operator: &str) -> Result<()> {
        if self.skip_operator(operator) {
            return Ok(());
        }
        self.expected(&format!("'{operator}'"))
    }
    pub fn expect_word(&mut self, word: &str) -> Result<()> {
        if self.skip_name(word) {
            return Ok(());
        }
        self.expected(&format!("'{word}'"))
    }
    pub fn expect_name(&mut self) -> Result<Text> {
        let Token::Name(name) = self.token() else {
            return self.expected("a name");
        };
        let name = name.clone();
        self.skip();
        Ok(name)
    }
    pub fn expect_token(&mut self, token: &Token) -> Result<()> {
        if self.token() == token {
            self.skip();
            return Ok(());
        }
        self.expected(&token.describe())
    }

    /// Parses something that may hold more of its kind.
    pub fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.nesting >= MAX_NESTING {
            return self.fail(format!("the template nests deeper than {MAX_NESTING}"));
        }
        self.nesting += 1;
        let parsed = parse(self);
        self.nesting -= 1;
        parsed
    }

    /// `depth`: that of the deepest part.
    pub fn expr(&self, line: u32, depth: u16, kind: Kind) -> Result<Expr> {
        if depth >= MAX_DEPTH {
            return Err(Error::syntax(format!("an expression of more than {MAX_DEPTH} levels"), line));
        }
        Ok(Expr { line, depth: depth + 1, kind })
    }
    pub fn constant(&mut self, line: u32, literal: Literal) -> Result<Expr> {
        self.constants.push(literal);
        self.expr(line, 0, Kind::Constant((self.constants.len() - 1) as u32))
    }
}

/// The depth of the deepest of some expressions.
pub fn deepest<'a>(parts: impl IntoIterator<Item = &'a Expr>) -> u16 {
    parts.into_iter().map(|part| part.depth).max().unwrap_or(0)
}
