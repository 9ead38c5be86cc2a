//! Expressions, loosest operators first.

use super::ast::{Conditional, Expr, Kind, Literal, Name, Place};
use super::error::{Error, Result};
use super::lexer::Token;
use super::ops::{Binary, Comparison, Unary};
use super::parser::{deepest, Parser};

/// How a list without brackets is read.
#[derive(Clone, Copy, Default)]
pub struct TupleStyle {
    /// Only names, literals and brackets: the target of an assignment.
    pub simple: bool,
    /// ns.field is read as a target.
    pub fields: bool,
    /// x if y is not read: the `if` belongs to the tag.
    pub without_if: bool,
    /// In parentheses, where nothing at all is a tuple too.
    pub in_parentheses: bool,
}

const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Eq),
    ("!=", Comparison::Ne),
    ("<", Comparison::Lt),
    ("<=", Comparison::Le),
    (">", Comparison::Gt),
    (">=", Comparison::Ge),
];
const SUMS: [(&str, Binary); 2] = [("+", Binary::Add), ("-", Binary::Sub)];
const PRODUCTS: [(&str, Binary); 4] =
    [("*", Binary::Mul), ("/", Binary::Div), ("//", Binary::FloorDiv), ("%", Binary::Mod)];
const POWERS: [(&str, Binary); 1] = [("**", Binary::Pow)];

type Parse = fn(&mut Parser) -> Result<Expr>;

impl Parser {
    pub fn expression(&mut self) -> Result<Expr> {
        self.nested(Self::conditional)
    }

    fn conditional(&mut self) -> Result<Expr> {
        let mut line = self.line();
        let mut then = self.or()?;
        while self.skip_name("if") {
            let test = self.or()?;
            let otherwise = if self.skip_name("else") { Some(self.expression()?) } else { None };
            let depth = deepest([&then, &test].into_iter().chain(&otherwise));
            then = self.expr(line, depth, Kind::Conditional(Box::new(Conditional { test, then, otherwise })))?;
            line = self.line();
        }
        Ok(then)
    }

    /// x word y word z, from the left.
    fn chain(&mut self, word: &str, part: Parse, join: fn(Box<[Expr; 2]>) -> Kind) -> Result<Expr> {
        let mut line = self.line();
        let mut left = part(self)?;
        while self.skip_name(word) {
            let right = part(self)?;
            left = self.expr(line, left.depth.max(right.depth), join(Box::new([left, right])))?;
            line = self.line();
        }
        Ok(left)
    }

    fn or(&mut self) -> Result<Expr> {
        self.chain("or", Self::and, Kind::Or)
    }

    fn and(&mut self) -> Result<Expr> {
        self.chain("and", Self::not, Kind::And)
    }

    fn not(&mut self) -> Result<Expr> {
        let line = self.line();
        if !self.skip_name("not") {
            return self.comparison();
        }
        let value = self.nested(Self::not)?;
        self.expr(line, value.depth, Kind::Not(Box::new(value)))
    }

    fn comparison(&mut self) -> Result<Expr> {
        let line = self.line();
        let first = self.sum()?;
        let mut rest = Vec::new();
        while let Some(comparison) = self.next_comparison() {
            rest.push((comparison, self.sum()?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        let depth = first.depth.max(deepest(rest.iter().map(|(_, part)| part)));
        self.expr(line, depth, Kind::Compare(Box::new(first), rest))
    }

    fn next_comparison(&mut self) -> Option<Comparison> {
        if let Token::Operator(operator) = self.token() {
            let (_, comparison) = COMPARISONS.iter().find(|(text, _)| text == operator)?;
            self.skip();
            return Some(*comparison);
        }
        if self.skip_name("in") {
            return Some(Comparison::In);
        }
        if self.is_name("not") && self.is_ahead("in") {
            self.skip();
            self.skip();
            return Some(Comparison::NotIn);
        }
        None
    }

    fn binary(&mut self, operators: &[(&str, Binary)], part: Parse) -> Result<Expr> {
        let mut line = self.line();
        let mut left = part(self)?;
        loop {
            let Token::Operator(found) = self.token() else { return Ok(left) };
            let Some((_, operator)) = operators.iter().find(|(text, _)| text == found) else { return Ok(left) };
            self.skip();
            let right = part(self)?;
            left = self.expr(line, left.depth.max(right.depth), Kind::Binary(*operator, Box::new([left, right])))?;
            line = self.line();
        }
    }

    fn sum(&mut self) -> Result<Expr> {
        self.binary(&SUMS, Self::concatenation)
    }

    fn concatenation(&mut self) -> Result<Expr> {
        let line = self.line();
        let first = self.product()?;
        if !self.is_operator("~") {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.skip_operator("~") {
            parts.push(self.product()?);
        }
        self.expr(line, deepest(&parts), Kind::Concat(parts, Default::default()))
    }

    fn product(&mut self) -> Result<Expr> {
        self.binary(&PRODUCTS, Self::power)
    }

    /// From the left, as jinja2 has it: 2 ** 3 ** 2 is 64.
    fn power(&mut self) -> Result<Expr> {
        self.binary(&POWERS, Self::filtered)
    }

    fn filtered(&mut self) -> Result<Expr> {
        let value = self.signed()?;
        self.filters_and_tests(value)
    }

    /// A sign binds tighter than filters and powers.
    fn signed(&mut self) -> Result<Expr> {
        let line = self.line();
        let sign = match self.token() {
            Token::Operator("-") => Some(Unary::Neg),
            Token::Operator("+") => Some(Unary::Pos),
            _ => None,
        };
        let value = match sign {
            Some(sign) => {
                self.skip();
                let value = self.nested(Self::signed)?;
                self.expr(line, value.depth, Kind::Unary(sign, Box::new(value)))?
            }
            None => self.primary(false)?,
        };
        self.postfix(value)
    }

    pub fn primary(&mut self, fields: bool) -> Result<Expr> {
        let line = self.line();
        match self.token().clone() {
            Token::Name(name) => {
                self.skip();
                match &*name {
                    "true" | "True" => self.constant(line, Literal::Bool(true)),
                    "false" | "False" => self.constant(line, Literal::Bool(false)),
                    "none" | "None" => self.constant(line, Literal::None),
                    _ => {
                        let name = Name { name, place: Place::default(), checked: true };
                        if fields && self.skip_operator(".") {
                            let field = self.expect_name()?;
                            return self.expr(line, 0, Kind::NamespaceField(name, field));
                        }
                        self.expr(line, 0, Kind::Name(name))
                    }
                }
            }
            Token::Str(first) => {
                let mut text = first.to_string();
                self.skip();
                while let Token::Str(more) = self.token() {
                    text.push_str(more);
                    self.skip();
                }
                self.constant(line, Literal::Str(text.into()))
            }
            Token::Int(value) => {
                self.skip();
                self.constant(line, Literal::Int(value))
            }
            Token::Float(value) => {
                self.skip();
                self.constant(line, Literal::Float(value))
            }
            Token::Operator("(") => {
                self.skip();
                let value = self.tuple(TupleStyle { in_parentheses: true, ..Default::default() })?;
                self.expect_operator(")")?;
                Ok(value)
            }
            Token::Operator("[") => self.list(),
            Token::Operator("{") => self.dict(),
            _ => self.expected("an expression"),
        }
    }

    /// An expression, or with commas a tuple of them.
    pub fn tuple(&mut self, style: TupleStyle) -> Result<Expr> {
        let mut line = self.line();
        let mut items = Vec::new();
        let mut is_tuple = false;
        loop {
            let ends = matches!(self.token(), Token::VariableEnd | Token::BlockEnd | Token::Operator(")"));
            if ends {
                break;
            }
            items.push(match style {
                TupleStyle { simple: true, fields, .. } => self.nested(|parser| parser.primary(fields))?,
                TupleStyle { without_if: true, .. } => self.nested(Self::or)?,
                _ => self.expression()?,
            });
            if !self.is_operator(",") {
                break;
            }
            is_tuple = true;
            line = self.line();
            self.skip();
        }
        if !is_tuple {
            if let Some(only) = items.pop() {
                return Ok(only);
            }
            if !style.in_parentheses {
                return self.expected("an expression");
            }
        }
        self.expr(line, deepest(&items), Kind::Tuple(items))
    }

    fn list(&mut self) -> Result<Expr> {
        let line = self.line();
        self.expect_operator("[")?;
        let mut items = Vec::new();
        while !self.is_operator("]") {
            if !items.is_empty() {
                self.expect_operator(",")?;
                if self.is_operator("]") {
                    break;
                }
            }
            items.push(self.expression()?);
        }
        self.skip();
        self.expr(line, deepest(&items), Kind::List(items))
    }

    fn dict(&mut self) -> Result<Expr> {
        let line = self.line();
        self.expect_operator("{")?;
        let mut items = Vec::new();
        while !self.is_operator("}") {
            if !items.is_empty() {
                self.expect_operator(",")?;
                if self.is_operator("}") {
                    break;
                }
            }
            let key = self.expression()?;
            self.expect_operator(":")?;
            items.push((key, self.expression()?));
        }
        self.skip();
        let depth = deepest(items.iter().flat_map(|(key, value)| [key, value]));
        self.expr(line, depth, Kind::Dict(items))
    }

    pub fn postfix(&mut self, mut value: Expr) -> Result<Expr> {
        loop {
            value = match self.token() {
                Token::Operator(".") => self.attribute(value)?,
                Token::Operator("[") => self.item(value)?,
                Token::Operator("(") => self.call(value)?,
                _ => return Ok(value),
            };
        }
    }

    fn filters_and_tests(&mut self, mut value: Expr) -> Result<Expr> {
        loop {
            value = match self.token() {
                Token::Operator("|") => self.filters(Some(value))?.ok_or_else(|| Error::syntax("", 0))?,
                Token::Name(name) if **name == *"is" => self.test(value)?,
                Token::Operator("(") => self.call(value)?,
                _ => return Ok(value),
            };
        }
    }

    fn attribute(&mut self, value: Expr) -> Result<Expr> {
        let line = self.line();
        self.skip();
        match self.token().clone() {
            Token::Name(name) => {
                self.skip();
                self.expr(line, value.depth, Kind::Attribute(Box::new(value), name))
            }
            Token::Int(index) => {
                self.skip();
                let index = self.constant(line, Literal::Int(index))?;
                self.expr(line, value.depth, Kind::Item(Box::new([value, index])))
            }
            _ => self.expected("a name or a number"),
        }
    }

    fn item(&mut self, value: Expr) -> Result<Expr> {
        let line = self.line();
        self.skip();
        let mut parts = Vec::new();
        while !self.is_operator("]") {
            if !parts.is_empty() {
                self.expect_operator(",")?;
            }
            parts.push(self.nested(Self::subscript)?);
        }
        self.skip();
        let only = if parts.len() == 1 { parts.pop() } else { None };
        let key = match only {
            Some(key) => key,
            None if parts.iter().any(|part| matches!(part.kind, Kind::Slice(_))) => {
                return Err(Error::syntax("a slice stands alone between its brackets", line));
            }
            None => self.expr(line, deepest(&parts), Kind::Tuple(parts))?,
        };
        self.expr(line, value.depth.max(key.depth), Kind::Item(Box::new([value, key])))
    }

    /// A key, or start:stop:step with any of them left out.
    fn subscript(&mut self) -> Result<Expr> {
        let line = self.line();
        let mut parts = [None, None, None];
        if !self.is_operator(":") {
            let key = self.expression()?;
            if !self.is_operator(":") {
                return Ok(key);
            }
            parts[0] = Some(key);
        }
        self.skip();
        let ends = |parser: &Self| parser.is_operator("]") || parser.is_operator(",");
        if !ends(self) && !self.is_operator(":") {
            parts[1] = Some(self.expression()?);
        }
        if self.skip_operator(":") && !ends(self) {
            parts[2] = Some(self.expression()?);
        }
        let depth = deepest(parts.iter().flatten());
        self.expr(line, depth, Kind::Slice(Box::new(parts)))
    }
}
