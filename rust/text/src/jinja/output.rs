//! What {{ value }} appends.

use super::context::Context;
use super::error::Result;
use super::html;
use super::text;
use super::value::Value;

pub fn write(context: &mut Context, value: &Value, out: &mut String) -> Result<()> {
    match value {
        Value::Undefined(_) => {}
        Value::Str(text) if context.autoescape && !text.safe => out.push_str(&html::escape(context, text)?),
        Value::Str(text) => {
            context.spend(text.len() as u64 / 64)?;
            out.push_str(text);
        }
        other => {
            let text = text::str_of(context, other)?;
            if context.autoescape {
                out.push_str(&html::escape(context, &text)?);
            } else {
                out.push_str(&text);
            }
        }
    }
    Ok(())
}
