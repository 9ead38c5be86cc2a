//! Errors of a template.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The source is not a template (jinja2's TemplateSyntaxError).
    Syntax,
    /// What Python raises while rendering: UndefinedError, TypeError, ValueError, SecurityError, ...
    Runtime,
    /// raise_exception of the template itself.
    Raised,
    /// Fuel, nesting or size ran out.
    Limit,
    /// Python would render it; this engine does not, and says so.
    Unsupported,
}

#[derive(Clone, Debug)]
pub struct Error {
    pub kind: Kind,
    pub message: String,
    /// Of the template's source, from 1; 0: not known (yet).
    pub line: u32,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), line: 0 }
    }
    pub fn syntax(message: impl Into<String>, line: u32) -> Self {
        Self { kind: Kind::Syntax, message: message.into(), line }
    }
    /// `name` is the Python exception: "TypeError", "UndefinedError", ...
    pub fn runtime(name: &str, message: impl AsRef<str>) -> Self {
        Self::new(Kind::Runtime, format!("{name}: {}", message.as_ref()))
    }
    pub fn type_error(message: impl AsRef<str>) -> Self {
        Self::runtime("TypeError", message)
    }
    pub fn value_error(message: impl AsRef<str>) -> Self {
        Self::runtime("ValueError", message)
    }
    pub fn limit(message: impl Into<String>) -> Self {
        Self::new(Kind::Limit, message)
    }
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Kind::Unsupported, message)
    }
    /// Whether it is this Python exception.
    pub fn is(&self, name: &str) -> bool {
        self.kind == Kind::Runtime && self.message.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'))
    }
    /// IndexError and KeyError.
    pub fn is_lookup(&self) -> bool {
        self.is("IndexError") || self.is("KeyError")
    }
    /// The innermost line wins.
    pub fn at(mut self, line: u32) -> Self {
        if self.line == 0 {
            self.line = line;
        }
        self
    }
}
