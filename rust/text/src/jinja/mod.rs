//! Jinja as Python's jinja2 renders it, in the sandbox and with the settings of transformers' chat templates.

pub mod access;
mod args;
pub mod ast;
mod blocks;
pub mod context;
pub mod dict;
pub mod error;
mod expressions;
pub mod filters;
mod filters_number;
mod filters_select;
mod filters_sequence;
mod filters_text;
mod float;
mod format;
mod format_spec;
mod frame;
pub mod globals;
mod html;
pub mod int;
pub mod iterate;
pub mod json;
mod lexer;
mod literals;
mod loop_object;
mod loops;
mod macros;
mod methods;
mod methods_collection;
mod methods_number;
mod methods_str;
mod names;
mod number;
pub mod ops;
pub mod output;
mod parse_calls;
mod parse_expressions;
mod parse_statements;
mod parser;
mod percent;
mod pprint;
pub mod render;
mod resolve;
mod resolve_expressions;
mod statements;
mod strftime;
mod symbols;
pub mod tests;
pub mod text;
mod textwrap;
mod unicode;
mod urls;
pub mod value;

#[cfg(test)]
mod hostile_test;
#[cfg(test)]
mod syntax_test;
#[cfg(test)]
mod values_test;
