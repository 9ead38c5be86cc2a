//! datetime.strftime in the C locale, as glibc formats it for Python; UTC, whole seconds.

use super::context::Context;
use super::error::{Error, Result};

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
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

/// A moment taken apart.
struct Time {
    seconds: i64,
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    /// From 0, Sunday.
    weekday: i64,
    /// From 0, the first of January.
    yearday: i64,
}

impl Time {
    fn new(seconds: i64) -> Self {
        let days = seconds.div_euclid(86400);
        let rest = seconds.rem_euclid(86400);
        // Years are counted from March, so that the leap day is their last one.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][month as usize - 1];
        Self {
            seconds,
            year,
            month,
            day,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            weekday: (days + 4).rem_euclid(7),
            yearday: before + day - 1 + i64::from(month > 2 && is_leap(year)),
        }
    }

    /// The year and week of ISO 8601: weeks begin on Monday, the first holds the fourth of January.
    fn iso_week(&self) -> (i64, i64) {
        let week = (self.yearday - (self.weekday + 6) % 7 + 10) / 7;
        if week < 1 {
            let year = self.year - 1;
            return (year, weeks_in(year));
        }
        if week > weeks_in(self.year) {
            return (self.year + 1, 1);
        }
        (self.year, week)
    }

    fn hour_of_twelve(&self) -> i64 {
        (self.hour + 11) % 12 + 1
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn weeks_in(year: i64) -> i64 {
    let last_weekday =
        |year: i64| (year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400)).rem_euclid(7);
    52 + i64::from(last_weekday(year) == 4 || last_weekday(year - 1) == 3)
}

pub fn strftime(context: &mut Context, format: &str) -> Result<String> {
    let time = Time::new(context.now);
    if !(1..=9999).contains(&time.year) {
        return Err(Error::value_error("year is out of range"));
    }
    let format = before_glibc(format);
    let format = format.split('\0').next().unwrap_or_default(); // C ends it there
    context.allocate(format.len() * 64)?;
    let mut out = Output { text: String::new(), limit: room(format) };
    expand(context, &time, format, &mut out)?;
    if out.text.chars().count() >= out.limit {
        return Ok(String::new());
    }
    Ok(out.text)
}

/// What datetime itself replaces: a naive time has no zone, and whole seconds no fraction.
fn before_glibc(format: &str) -> String {
    let mut out = String::with_capacity(format.len());
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let mut chars = rest[1..].chars();
        match chars.next() {
            Some('z' | 'Z') => {}
            Some('f') => out.push_str("000000"),
            Some(c) => out.extend(['%', c]),
            None => out.push('%'),
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out
}

/// The size of the last buffer that Python tries; what does not fit becomes an empty string.
fn room(format: &str) -> usize {
    let most = 256 * format.chars().count();
    let mut size = 1024;
    while size < most {
        size *= 2;
    }
    size
}

struct Output {
    text: String,
    limit: usize,
}

#[derive(Default)]
struct Directive {
    /// '_', '-' or '0'
    pad: Option<char>,
    upper: bool,
    change_case: bool,
    width: usize,
    /// 'E' or 'O'
    modifier: Option<char>,
}

impl Output {
    /// Text, behind padding to the width.
    fn copy(&mut self, context: &mut Context, directive: &Directive, text: &str) -> Result<()> {
        let margin = directive.width.saturating_sub(text.chars().count());
        let margin = margin.min(self.limit); // more leaves nothing at all
        context.allocate(margin + text.len())?;
        let pad = if directive.pad == Some('0') { '0' } else { ' ' };
        self.text.extend(std::iter::repeat_n(pad, margin));
        self.text.push_str(&if directive.upper { text.to_ascii_uppercase() } else { text.to_string() });
        Ok(())
    }

    /// A number of at least so many digits, filled with `pad` unless a flag says otherwise.
    fn number(
        &mut self,
        context: &mut Context,
        directive: &Directive,
        value: i64,
        digits: usize,
        pad: char,
    ) -> Result<()> {
        let flag = directive.pad.unwrap_or(pad);
        let digits = digits.max(directive.width).min(self.limit);
        let mut text = value.to_string();
        let fill = match flag {
            '-' => None,
            '_' => Some(' '),
            _ => Some('0'),
        };
        if let Some(fill) = fill {
            let missing = digits.saturating_sub(text.len());
            context.allocate(missing)?;
            text.insert_str(0, &String::from(fill).repeat(missing));
        }
        self.copy(context, directive, &text)
    }
}

fn expand(context: &mut Context, time: &Time, format: &str, out: &mut Output) -> Result<()> {
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        context.spend(1)?;
        out.text.push_str(&rest[..at]);
        rest = &rest[at..];
        let (directive, length) = read(rest);
        let kind = rest[length..].chars().next();
        let end = length + kind.map_or(0, char::len_utf8);
        let known = match kind {
            Some(kind) => directive_text(context, time, &directive, kind, out)?,
            None => false,
        };
        if !known {
            // glibc has read '#' for these by the time it sees that they take no E.
            let upper = directive.upper || (directive.change_case && matches!(kind, Some('b' | 'h')));
            out.copy(context, &Directive { upper, ..directive }, &rest[..end])?;
        }
        rest = &rest[end..];
    }
    out.text.push_str(rest);
    Ok(())
}

/// Flags, width and modifier behind a '%', and how many bytes they take with it.
fn read(text: &str) -> (Directive, usize) {
    let bytes = text.as_bytes();
    let mut directive = Directive::default();
    let mut at = 1;
    while let Some(flag) = bytes.get(at) {
        match flag {
            b'_' | b'-' | b'0' => directive.pad = Some(char::from(*flag)),
            b'^' => directive.upper = true,
            b'#' => directive.change_case = true,
            _ => break,
        }
        at += 1;
    }
    while let Some(digit) = bytes.get(at).filter(|byte| byte.is_ascii_digit()) {
        directive.width = directive.width.saturating_mul(10).saturating_add(usize::from(digit - b'0'));
        at += 1;
    }
    if let Some(modifier) = bytes.get(at).filter(|byte| matches!(byte, b'E' | b'O')) {
        directive.modifier = Some(char::from(*modifier));
        at += 1;
    }
    (directive, at)
}

/// Directives that take neither modifier, not E, and not O.
const PLAIN: &str = "aADF";
const NOT_E: &str = "bhBdeHIkljMmSUVgGWw";
const NOT_O: &str = "cxXY";

/// Writes one directive; false: it is none.
fn directive_text(
    context: &mut Context,
    time: &Time,
    directive: &Directive,
    kind: char,
    out: &mut Output,
) -> Result<bool> {
    let refused = match directive.modifier {
        Some('E') => PLAIN.contains(kind) || NOT_E.contains(kind),
        Some('O') => PLAIN.contains(kind) || NOT_O.contains(kind),
        _ => false,
    };
    if refused {
        return Ok(false);
    }
    if let Some((value, digits, pad)) = number_of(time, kind) {
        out.number(context, directive, value, digits, pad)?;
        return Ok(true);
    }
    let change = directive.change_case;
    let upper = Directive {
        upper: directive.upper || change,
        width: directive.width,
        pad: directive.pad,
        ..Default::default()
    };
    let half = if time.hour >= 12 { "PM" } else { "AM" };
    match kind {
        'a' => out.copy(context, &upper, &WEEKDAYS[time.weekday as usize][..3])?,
        'A' => out.copy(context, &upper, WEEKDAYS[time.weekday as usize])?,
        'b' | 'h' => out.copy(context, &upper, &MONTHS[time.month as usize - 1][..3])?,
        'B' => out.copy(context, &upper, MONTHS[time.month as usize - 1])?,
        'p' if change => {
            let plain = Directive { upper: false, width: directive.width, pad: directive.pad, ..Default::default() };
            out.copy(context, &plain, &half.to_ascii_lowercase())?;
        }
        'p' => out.copy(context, directive, half)?,
        'P' => {
            let plain = Directive { upper: false, width: directive.width, pad: directive.pad, ..Default::default() };
            out.copy(context, &plain, &half.to_ascii_lowercase())?;
        }
        'n' => out.copy(context, directive, "\n")?,
        't' => out.copy(context, directive, "\t")?,
        '%' => out.copy(context, directive, "%")?,
        'z' => {} // the time is naive
        'Z' => out.copy(context, directive, "")?,
        's' => {
            let seconds = time.seconds.to_string();
            out.copy(context, directive, &seconds)?;
        }
        _ => return whole(context, time, directive, kind, out),
    }
    Ok(true)
}

/// Value, digits and padding of the numeric directives.
fn number_of(time: &Time, kind: char) -> Option<(i64, usize, char)> {
    Some(match kind {
        'C' => (time.year.div_euclid(100), 2, '0'),
        'd' => (time.day, 2, '0'),
        'e' => (time.day, 2, '_'),
        'g' => (time.iso_week().0.rem_euclid(100), 2, '0'),
        'G' => (time.iso_week().0, 4, '0'),
        'H' => (time.hour, 2, '0'),
        'I' => (time.hour_of_twelve(), 2, '0'),
        'j' => (time.yearday + 1, 3, '0'),
        'k' => (time.hour, 2, '_'),
        'l' => (time.hour_of_twelve(), 2, '_'),
        'm' => (time.month, 2, '0'),
        'M' => (time.minute, 2, '0'),
        'S' => (time.second, 2, '0'),
        'u' => ((time.weekday + 6) % 7 + 1, 1, '0'),
        'U' => ((time.yearday + 7 - time.weekday) / 7, 2, '0'),
        'V' => (time.iso_week().1, 2, '0'),
        'w' => (time.weekday, 1, '0'),
        'W' => ((time.yearday + 7 - (time.weekday + 6) % 7) / 7, 2, '0'),
        'y' => (time.year.rem_euclid(100), 2, '0'),
        'Y' => (time.year, 4, '0'),
        _ => return None,
    })
}

/// Directives that stand for several others.
fn whole(context: &mut Context, time: &Time, directive: &Directive, kind: char, out: &mut Output) -> Result<bool> {
    let format = match kind {
        'c' => "%a %b %e %H:%M:%S %Y",
        'D' | 'x' => "%m/%d/%y",
        'F' => "%Y-%m-%d",
        'r' => "%I:%M:%S %p",
        'R' => "%H:%M",
        'T' | 'X' => "%H:%M:%S",
        _ => return Ok(false),
    };
    let mut inner = Output { text: String::new(), limit: out.limit };
    expand(context, time, format, &mut inner)?;
    out.copy(context, directive, &inner.text)?;
    Ok(true)
}
