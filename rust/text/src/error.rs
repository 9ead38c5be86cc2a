//! Errors, as the C ABI reports them.

#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Ok = 0,
    Corrupt = 1,
    Unsupported = 2,
    Invalid = 3,
    Limit = 4,
    Internal = 5,
}

#[derive(Debug)]
pub struct Error {
    pub code: Code,
    pub message: String,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self { code: Code::Corrupt, message: message.into() }
    }
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self { code: Code::Unsupported, message: message.into() }
    }
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { code: Code::Invalid, message: message.into() }
    }
    pub fn limit(message: impl Into<String>) -> Self {
        Self { code: Code::Limit, message: message.into() }
    }
    pub fn internal(message: impl Into<String>) -> Self {
        Self { code: Code::Internal, message: message.into() }
    }
}
