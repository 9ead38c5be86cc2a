//! What chat templates expect of Python: json.dumps, strftime, and a few string methods beyond pycompat.

use minijinja::value::{Kwargs, Rest, Tuple, Value, ValueKind};
use minijinja::{escape_formatter, Error, ErrorKind, Output, State};
use std::fmt::Write;

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// repr(float): the shortest digits, an exponent from 1e16 and below 1e-4.
pub fn float_repr(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |e| ('-', e));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    let text = value.to_string();
    if text.contains('.') {
        text
    } else {
        text + ".0"
    }
}

/// What {{ value }} writes: str(value). Only floats differ from minijinja's own way.
pub fn write_value(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    if value.kind() != ValueKind::Number || value.is_integer() {
        return escape_formatter(out, state, value);
    }
    let text = match f64::try_from(value.clone())? {
        number if number.is_nan() => "nan".to_owned(),
        number if number.is_infinite() => if number > 0.0 { "inf" } else { "-inf" }.to_owned(),
        number => float_repr(number),
    };
    out.write_str(&text).map_err(Error::from)
}

pub struct JsonStyle {
    pub ensure_ascii: bool,
    /// None: everything on one line.
    pub indent: Option<String>,
    pub item_separator: String,
    pub key_separator: String,
    pub sort_keys: bool,
}

impl JsonStyle {
    fn string(&self, text: &str, out: &mut String) {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                c if (c as u32) < 0x20 || (self.ensure_ascii && !c.is_ascii()) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let _ = write!(out, "\\u{unit:04x}");
                    }
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }

    fn line(&self, depth: usize, out: &mut String) {
        if let Some(indent) = &self.indent {
            out.push('\n');
            for _ in 0..depth {
                out.push_str(indent);
            }
        }
    }

    fn key(&self, key: &Value) -> Result<String, Error> {
        match key.kind() {
            ValueKind::String => Ok(key.to_string()),
            ValueKind::Bool => Ok(if key.is_true() { "true" } else { "false" }.to_owned()),
            ValueKind::None => Ok("null".to_owned()),
            ValueKind::Number => self.number(key),
            kind => Err(invalid(format!("tojson: a key cannot be of type {kind}"))),
        }
    }

    fn number(&self, value: &Value) -> Result<String, Error> {
        if value.is_integer() {
            return Ok(value.to_string());
        }
        Ok(float_repr(f64::try_from(value.clone())?))
    }

    /// Items between brackets, as json.dumps lays them out.
    fn group<T>(
        &self,
        brackets: (char, char),
        items: Vec<T>,
        depth: usize,
        out: &mut String,
        mut write: impl FnMut(&T, &mut String) -> Result<(), Error>,
    ) -> Result<(), Error> {
        out.push(brackets.0);
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                out.push_str(&self.item_separator);
            }
            self.line(depth + 1, out);
            write(item, out)?;
        }
        if !items.is_empty() {
            self.line(depth, out);
        }
        out.push(brackets.1);
        Ok(())
    }

    fn value(&self, value: &Value, depth: usize, out: &mut String) -> Result<(), Error> {
        if depth > 128 {
            return Err(invalid("tojson: nested deeper than 128"));
        }
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => out.push_str(&self.number(value)?),
            ValueKind::String => self.string(value.as_str().unwrap_or_default(), out),
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.group(('[', ']'), items, depth, out, |item, out| self.value(item, depth + 1, out))?;
            }
            ValueKind::Map => {
                let mut pairs = Vec::new();
                for key in value.try_iter()? {
                    let item = value.get_item(&key)?;
                    pairs.push((self.key(&key)?, item));
                }
                if self.sort_keys {
                    pairs.sort_by(|a, b| a.0.cmp(&b.0));
                }
                self.group(('{', '}'), pairs, depth, out, |(key, item), out| {
                    self.string(key, out);
                    out.push_str(&self.key_separator);
                    self.value(item, depth + 1, out)
                })?;
            }
            kind => return Err(invalid(format!("tojson: a value of type {kind} is not JSON"))),
        }
        Ok(())
    }
}

/// json.dumps with transformers' defaults: nothing escaped for HTML, characters beyond ASCII as they are.
pub fn tojson(value: &Value, args: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let argument = |index: usize, name: &str| -> Result<Option<Value>, Error> {
        let named: Option<Value> = kwargs.get(name)?;
        Ok(args.get(index).cloned().or(named).filter(|v| !v.is_none() && !v.is_undefined()))
    };
    let indent = match argument(1, "indent")? {
        Some(text) if text.kind() == ValueKind::String => Some(text.to_string()),
        Some(count) => Some(" ".repeat(usize::try_from(count).unwrap_or(0).min(64))),
        None => None,
    };
    let mut style = JsonStyle {
        ensure_ascii: argument(0, "ensure_ascii")?.is_some_and(|v| v.is_true()),
        item_separator: if indent.is_some() { "," } else { ", " }.to_owned(),
        key_separator: ": ".to_owned(),
        indent,
        sort_keys: argument(3, "sort_keys")?.is_some_and(|v| v.is_true()),
    };
    if let Some(separators) = argument(2, "separators")? {
        style.item_separator = separators.get_item_by_index(0)?.to_string();
        style.key_separator = separators.get_item_by_index(1)?.to_string();
    }
    kwargs.assert_all_used()?;
    let mut out = String::new();
    style.value(value, 0, &mut out)?;
    Ok(Value::from(out))
}

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A moment of the Gregorian calendar, UTC.
struct Moment {
    year: i64,
    month: usize,
    day: i64,
    weekday: usize,
    yearday: i64,
    seconds: i64,
}

impl Moment {
    /// Days are counted from 1 March of year 0, so that the leap day ends a year of a 400-year cycle.
    fn of(unix: i64) -> Self {
        let days = unix.div_euclid(86400);
        let shifted = days + 719_468;
        let (cycle, in_cycle) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year = (in_cycle - in_cycle / 1460 + in_cycle / 36524 - in_cycle / 146_096) / 365;
        let from_march = in_cycle - (365 * year + year / 4 - year / 100);
        let march_month = (5 * from_march + 2) / 153;
        let day = from_march - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = year + cycle * 400 + i64::from(month <= 2);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][month as usize - 1];
        Self {
            year,
            month: month as usize,
            day,
            weekday: (days + 4).rem_euclid(7) as usize,
            yearday: before + day + i64::from(leap && month > 2),
            seconds: unix.rem_euclid(86400),
        }
    }

    fn number(value: i64, width: usize, pad: Option<char>) -> String {
        match pad {
            Some(' ') => format!("{value:>width$}"),
            Some(_) => format!("{value:0>width$}"),
            None => value.to_string(),
        }
    }

    /// One directive; None where it is not known. `pad` is '0', ' ' or none ("%-d").
    fn directive(&self, letter: char, pad: Option<char>) -> Option<String> {
        let (hour, minute, second) = (self.seconds / 3600, self.seconds / 60 % 60, self.seconds % 60);
        let two = |value: i64| Self::number(value, 2, pad);
        let hour12 = if hour % 12 == 0 { 12 } else { hour % 12 };
        let (day_name, month_name) = (DAYS[self.weekday], MONTHS[self.month - 1]);
        Some(match letter {
            'Y' => self.year.to_string(),
            'y' => two(self.year.rem_euclid(100)),
            'm' => two(self.month as i64),
            'd' => two(self.day),
            'e' => Self::number(self.day, 2, pad.map(|_| ' ')),
            'j' => Self::number(self.yearday, 3, pad),
            'H' => two(hour),
            'I' => two(hour12),
            'M' => two(minute),
            'S' => two(second),
            'p' => if hour < 12 { "AM" } else { "PM" }.to_owned(),
            'A' => day_name.to_owned(),
            'a' => day_name[..3].to_owned(),
            'B' => month_name.to_owned(),
            'b' | 'h' => month_name[..3].to_owned(),
            'u' => (if self.weekday == 0 { 7 } else { self.weekday }).to_string(),
            'w' => self.weekday.to_string(),
            'F' => format!("{}-{:02}-{:02}", self.year, self.month, self.day),
            'D' => format!("{:02}/{:02}/{:02}", self.month, self.day, self.year.rem_euclid(100)),
            'T' => format!("{hour:02}:{minute:02}:{second:02}"),
            'R' => format!("{hour:02}:{minute:02}"),
            'Z' | 'z' => String::new(), // Python's datetime.now() knows no zone
            'f' => "000000".to_owned(),
            'n' => "\n".to_owned(),
            't' => "\t".to_owned(),
            '%' => "%".to_owned(),
            _ => return None,
        })
    }
}

pub fn strftime(format: &str, unix: i64) -> Result<String, Error> {
    let moment = Moment::of(unix);
    let mut out = String::new();
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut letter = rest.next();
        let mut pad = Some('0');
        if letter == Some('-') {
            pad = None;
            letter = rest.next();
        }
        let text = letter.and_then(|letter| moment.directive(letter, pad));
        out.push_str(&text.ok_or_else(|| invalid(format!("strftime: a directive of \"{format}\" is not known")))?);
    }
    Ok(out)
}

/// Methods of str and dict that minijinja-contrib's pycompat does not have; what is not here goes there.
pub fn method(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    let text = value.as_str();
    let argument = args.first().and_then(|a| a.as_str());
    match (name, text, argument) {
        ("removeprefix", Some(text), Some(part)) => Ok(text.strip_prefix(part).unwrap_or(text).into()),
        ("removesuffix", Some(text), Some(part)) => Ok(text.strip_suffix(part).unwrap_or(text).into()),
        ("partition", Some(text), Some(part)) if !part.is_empty() => {
            let (before, found, after) = text.split_once(part).map_or((text, "", ""), |(a, b)| (a, part, b));
            Ok(Tuple::from([before.into(), found.into(), after.into()]).into())
        }
        ("rpartition", Some(text), Some(part)) if !part.is_empty() => {
            let (before, found, after) = text.rsplit_once(part).map_or(("", "", text), |(a, b)| (a, part, b));
            Ok(Tuple::from([before.into(), found.into(), after.into()]).into())
        }
        ("rsplit", Some(text), Some(part)) if !part.is_empty() => {
            let limit = args.get(1).and_then(|n| usize::try_from(n.clone()).ok()).unwrap_or(usize::MAX - 1);
            let mut pieces: Vec<&str> = text.rsplitn(limit.saturating_add(1), part).collect();
            pieces.reverse();
            Ok(pieces.into_iter().map(Value::from).collect())
        }
        ("casefold", Some(text), None) => Ok(text.to_lowercase().into()),
        ("copy", None, None) if matches!(value.kind(), ValueKind::Map | ValueKind::Seq) => Ok(value.clone()),
        _ => minijinja_contrib::pycompat::unknown_method_callback(state, value, name, args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_the_gregorian_calendar() {
        let cases = [
            (0, "1970-01-01 Thursday 001 00:00:00"),
            (951_782_399, "2000-02-28 Monday 059 23:59:59"),
            (951_782_400, "2000-02-29 Tuesday 060 00:00:00"),
            (4_107_542_400, "2100-03-01 Monday 060 00:00:00"),
            (1_735_603_200, "2024-12-31 Tuesday 366 00:00:00"),
            (-1, "1969-12-31 Wednesday 365 23:59:59"),
        ];
        for (unix, want) in cases {
            assert_eq!(strftime("%Y-%m-%d %A %j %H:%M:%S", unix).unwrap(), want);
        }
        assert_eq!(strftime("%-d %b %y, %I %p 100%%", 951_782_400).unwrap(), "29 Feb 00, 12 AM 100%");
        assert!(strftime("%Q", 0).is_err());
        assert!(strftime("%", 0).is_err());
    }

    #[test]
    fn floats_as_python_writes_them() {
        let cases = [(1.0, "1.0"), (0.1, "0.1"), (1e16, "1e+16"), (1.5e-5, "1.5e-05"), (1e22, "1e+22"), (-0.0, "-0.0")];
        for (value, want) in cases {
            assert_eq!(float_repr(value), want);
        }
        assert_eq!(float_repr(123_456_789_012_345.0), "123456789012345.0");
        assert_eq!(float_repr(1e-4), "0.0001");
        assert_eq!(float_repr(1e300), "1e+300");
    }
}
