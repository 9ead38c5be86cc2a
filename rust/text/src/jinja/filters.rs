//! The filters (`value | name`).

use super::args::{bind, exactly, flag, POSITIONAL};
use super::context::Context;
use super::error::{Error, Result};
use super::value::{Args, Value};
use super::{access, filters_number, filters_select, filters_sequence, filters_text, json, ops, pprint, text, urls};

pub type Native = fn(&mut Context, Args) -> Result<Value>;

const FILTERS: &[(&str, Native)] = &[
    ("abs", filters_number::abs),
    ("attr", attr),
    ("batch", filters_sequence::batch),
    ("capitalize", filters_text::capitalize),
    ("center", filters_text::center),
    ("count", filters_sequence::length),
    ("d", default),
    ("default", default),
    ("dictsort", filters_sequence::dictsort),
    ("e", escape),
    ("escape", escape),
    ("filesizeformat", filters_number::filesizeformat),
    ("first", filters_sequence::first),
    ("float", filters_number::float),
    ("forceescape", filters_text::forceescape),
    ("format", filters_text::format),
    ("groupby", filters_select::groupby),
    ("indent", filters_text::indent),
    ("int", filters_number::int),
    ("items", filters_sequence::items),
    ("join", filters_text::join),
    ("last", filters_sequence::last),
    ("length", filters_sequence::length),
    ("list", filters_sequence::list),
    ("lower", filters_text::lower),
    ("map", filters_select::map),
    ("max", |c, a| filters_select::extreme(c, a, "max")),
    ("min", |c, a| filters_select::extreme(c, a, "min")),
    ("pprint", pprint::filter),
    ("random", filters_sequence::random),
    ("reject", |c, a| filters_select::select(c, a, "reject", false, false)),
    ("rejectattr", |c, a| filters_select::select(c, a, "rejectattr", true, false)),
    ("replace", filters_text::replace),
    ("reverse", filters_sequence::reverse),
    ("round", filters_number::round),
    ("safe", filters_text::safe),
    ("select", |c, a| filters_select::select(c, a, "select", false, true)),
    ("selectattr", |c, a| filters_select::select(c, a, "selectattr", true, true)),
    ("slice", filters_sequence::slice),
    ("sort", filters_select::sort),
    ("string", |c, a| {
        let [value] = exactly(a, "string")?;
        Ok(Value::Str(text::soft_str(c, &value)?))
    }),
    ("striptags", filters_text::striptags),
    ("sum", filters_select::sum),
    ("title", filters_text::title),
    ("tojson", json::filter),
    ("trim", filters_text::trim),
    ("truncate", filters_text::truncate),
    ("unique", filters_select::unique),
    ("upper", filters_text::upper),
    ("urlencode", urls::urlencode),
    ("urlize", urls::urlize),
    ("wordcount", filters_text::wordcount),
    ("wordwrap", filters_text::wordwrap),
    ("xmlattr", filters_text::xmlattr),
];

pub fn find(name: &str) -> Option<Native> {
    FILTERS.binary_search_by(|(known, _)| (*known).cmp(name)).ok().map(|at| FILTERS[at].1)
}

/// The filtered value and a flag after it.
fn default(context: &mut Context, args: Args) -> Result<Value> {
    let [value, other, boolean] = bind(args, "default", ["value", "default_value", "boolean"], 1)?;
    let value = value.unwrap_or(Value::None);
    let boolean = flag(context, boolean, false)?;
    if value.is_undefined() || (boolean && !ops::truthy(context, &value)?) {
        return Ok(other.unwrap_or_else(|| Value::str("")));
    }
    Ok(value)
}

fn escape(context: &mut Context, args: Args) -> Result<Value> {
    let [value] = bind(args, "escape", [POSITIONAL], 1)?;
    Ok(Value::Str(text::escape(context, &value.unwrap_or(Value::None))?))
}

/// value | attr(name): the attribute alone, never the item.
fn attr(context: &mut Context, args: Args) -> Result<Value> {
    let [object, name] = bind(args, "attr", ["obj", "name"], 2)?;
    let object = object.unwrap_or(Value::None);
    let Some(Value::Str(name)) = name else {
        return Err(Error::type_error("attribute name must be string"));
    };
    if object.is_undefined() && access::is_hidden_from_undefined(&name) {
        return Ok(access::absent(&object, &Value::Str(name)));
    }
    match access::find_attribute(context, &object, &name)? {
        access::Found::Absent => Ok(access::absent(&object, &Value::Str(name))),
        _ => access::attribute(context, &object, &name),
    }
}
