//! Python's int: any size, with the small ones (nearly all) kept inline.

use super::context::Context;
use super::error::{Error, Result};
use num_bigint::{BigInt, Sign};
use num_integer::Integer;
use num_traits::{One, Signed, ToPrimitive, Zero};
use std::cmp::Ordering;
use std::rc::Rc;

/// Beyond so many digits Python refuses to read or print an int (sys.int_info.default_max_str_digits).
pub const MAX_DIGITS: usize = 4300;

#[derive(Clone, Debug)]
pub enum Int {
    Small(i64),
    /// Only what does not fit into Small.
    Big(Rc<BigInt>),
}

impl From<i64> for Int {
    fn from(value: i64) -> Self {
        Self::Small(value)
    }
}

impl From<BigInt> for Int {
    fn from(value: BigInt) -> Self {
        match value.to_i64() {
            Some(small) => Self::Small(small),
            None => Self::Big(Rc::new(value)),
        }
    }
}

impl PartialEq for Int {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Small(a), Self::Small(b)) => a == b,
            (Self::Big(a), Self::Big(b)) => a == b,
            _ => false,
        }
    }
}
impl Eq for Int {}

impl PartialOrd for Int {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Int {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Small(a), Self::Small(b)) => a.cmp(b),
            (Self::Big(a), Self::Big(b)) => a.cmp(b),
            (Self::Small(_), Self::Big(b)) => sign_order(b).reverse(),
            (Self::Big(a), Self::Small(_)) => sign_order(a),
        }
    }
}

/// A big int is above or below every small one.
fn sign_order(big: &BigInt) -> Ordering {
    if big.is_negative() {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}

impl Int {
    pub fn big(&self) -> BigInt {
        match self {
            Self::Small(value) => BigInt::from(*value),
            Self::Big(value) => (**value).clone(),
        }
    }

    pub fn to_i64(&self) -> Option<i64> {
        match self {
            Self::Small(value) => Some(*value),
            Self::Big(_) => None,
        }
    }

    /// For indexes and counts where anything out of range means "all of it".
    pub fn clamped(&self) -> i64 {
        match self {
            Self::Small(value) => *value,
            Self::Big(value) if value.is_negative() => i64::MIN,
            Self::Big(_) => i64::MAX,
        }
    }

    pub fn is_zero(&self) -> bool {
        matches!(self, Self::Small(0))
    }

    pub fn is_negative(&self) -> bool {
        match self {
            Self::Small(value) => *value < 0,
            Self::Big(value) => value.is_negative(),
        }
    }

    pub fn bits(&self) -> u64 {
        match self {
            Self::Small(value) => 64 - u64::from(value.unsigned_abs().leading_zeros()),
            Self::Big(value) => value.bits(),
        }
    }

    pub fn to_f64(&self) -> Result<f64> {
        match self {
            Self::Small(value) => Ok(*value as f64),
            Self::Big(value) => big_to_f64(value),
        }
    }

    /// Cuts off the fraction.
    pub fn from_f64(value: f64) -> Result<Self> {
        if value.is_nan() {
            return Err(Error::value_error("cannot convert float NaN to integer"));
        }
        if value.is_infinite() {
            return Err(Error::runtime("OverflowError", "cannot convert float infinity to integer"));
        }
        let value = value.trunc();
        if (-9.0e18..=9.0e18).contains(&value) {
            return Ok(Self::Small(value as i64));
        }
        let (mantissa, exponent) = parts(value);
        Ok(Self::from(BigInt::from(mantissa) << exponent.max(0) as u64))
    }

    /// Exact; None: against NaN.
    pub fn compare_f64(&self, other: f64) -> Option<Ordering> {
        if other.is_nan() {
            return None;
        }
        if other.is_infinite() {
            return Some(if other > 0.0 { Ordering::Less } else { Ordering::Greater });
        }
        let whole = Self::from_f64(other).ok()?;
        Some(self.cmp(&whole).then_with(|| 0.0f64.partial_cmp(&other.fract()).unwrap_or(Ordering::Equal)))
    }

    pub fn negated(&self) -> Self {
        match self {
            Self::Small(value) => match value.checked_neg() {
                Some(value) => Self::Small(value),
                None => Self::from(-BigInt::from(*value)),
            },
            Self::Big(value) => Self::from(-&**value),
        }
    }

    pub fn abs(&self) -> Self {
        if self.is_negative() {
            self.negated()
        } else {
            self.clone()
        }
    }

    pub fn add(&self, context: &mut Context, other: &Self) -> Result<Self> {
        if let (Self::Small(a), Self::Small(b)) = (self, other) {
            if let Some(sum) = a.checked_add(*b) {
                return Ok(Self::Small(sum));
            }
        }
        context.allocate(bytes(self).max(bytes(other)))?;
        Ok(Self::from(self.big() + other.big()))
    }

    pub fn sub(&self, context: &mut Context, other: &Self) -> Result<Self> {
        self.add(context, &other.negated())
    }

    pub fn mul(&self, context: &mut Context, other: &Self) -> Result<Self> {
        if let (Self::Small(a), Self::Small(b)) = (self, other) {
            if let Some(product) = a.checked_mul(*b) {
                return Ok(Self::Small(product));
            }
        }
        context.allocate(bytes(self) + bytes(other))?;
        spend_product(context, self, other)?;
        Ok(Self::from(self.big() * other.big()))
    }

    /// Quotient towards minus infinity, and the remainder with the divisor's sign.
    pub fn div_mod(&self, context: &mut Context, other: &Self) -> Result<(Self, Self)> {
        if other.is_zero() {
            return Err(Error::runtime("ZeroDivisionError", "integer division or modulo by zero"));
        }
        if let (Self::Small(a), Self::Small(b)) = (self, other) {
            if *b != -1 {
                return Ok((Self::Small(Integer::div_floor(a, b)), Self::Small(Integer::mod_floor(a, b))));
            }
        }
        context.allocate(bytes(self))?;
        spend_product(context, self, other)?;
        let (quotient, remainder) = self.big().div_mod_floor(&other.big());
        Ok((Self::from(quotient), Self::from(remainder)))
    }

    /// The exponent is not negative.
    pub fn pow(&self, context: &mut Context, exponent: &Self) -> Result<Self> {
        match self {
            Self::Small(0) if !exponent.is_zero() => return Ok(Self::Small(0)),
            Self::Small(1) => return Ok(Self::Small(1)),
            Self::Small(-1) => {
                let odd = exponent.big().is_odd();
                return Ok(Self::Small(if odd { -1 } else { 1 }));
            }
            _ => {}
        }
        let size = (self.bits() as u128) * (exponent.clamped() as u128) / 8 + 8;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        context.allocate(size)?;
        context.spend(((size / 64) as u64).saturating_mul((size / 64) as u64))?;
        Ok(Self::from(num_traits::pow::pow(self.big(), exponent.clamped() as usize)))
    }

    /// True division, rounded once.
    pub fn true_div(&self, context: &mut Context, other: &Self) -> Result<f64> {
        const EXACT: i64 = 1 << 53;
        if other.is_zero() {
            return Err(Error::runtime("ZeroDivisionError", "division by zero"));
        }
        if let (Self::Small(a), Self::Small(b)) = (self, other) {
            if (-EXACT..=EXACT).contains(a) && (-EXACT..=EXACT).contains(b) {
                return Ok(*a as f64 / *b as f64);
            }
        }
        context.allocate(bytes(self) + bytes(other))?;
        spend_product(context, self, other)?;
        let negative = self.is_negative() != other.is_negative();
        let (a, b) = (self.big().abs(), other.big().abs());
        if a.is_zero() {
            return Ok(if negative { -0.0 } else { 0.0 });
        }
        let value = divide(&a, &b)?;
        Ok(if negative { -value } else { value })
    }

    /// str(): refuses what Python refuses.
    pub fn to_decimal(&self, context: &mut Context) -> Result<String> {
        match self {
            Self::Small(value) => Ok(value.to_string()),
            Self::Big(value) => {
                // 10 ** 4300 has 14285 bits.
                if value.bits() <= 14285 {
                    context.allocate(value.bits() as usize / 3)?;
                    let text = value.to_string();
                    if text.trim_start_matches('-').len() <= MAX_DIGITS {
                        return Ok(text);
                    }
                }
                Err(Error::value_error(format!(
                    "exceeds the limit ({MAX_DIGITS} digits) for integer string conversion"
                )))
            }
        }
    }

    /// Digits in base 2, 8 or 16, lower case, with a sign but no prefix.
    pub fn to_radix(&self, context: &mut Context, radix: u32) -> Result<String> {
        context.allocate(self.bits() as usize)?;
        Ok(self.big().to_str_radix(radix))
    }
}

fn bytes(value: &Int) -> usize {
    value.bits() as usize / 8 + 8
}

fn spend_product(context: &mut Context, a: &Int, b: &Int) -> Result<()> {
    context.spend((a.bits() / 64).saturating_mul(b.bits() / 64) / 16)
}

/// The float as mantissa * 2 ** exponent, exactly.
pub fn parts(value: f64) -> (i64, i32) {
    let bits = value.to_bits();
    let fraction = (bits & ((1 << 52) - 1)) as i64;
    let exponent = ((bits >> 52) & 0x7ff) as i32;
    let (mantissa, exponent) = if exponent == 0 { (fraction, -1074) } else { (fraction | (1 << 52), exponent - 1075) };
    (if value.is_sign_negative() { -mantissa } else { mantissa }, exponent)
}

fn too_large() -> Error {
    Error::runtime("OverflowError", "int too large to convert to float")
}

fn big_to_f64(value: &BigInt) -> Result<f64> {
    let magnitude = divide(&value.abs(), &BigInt::one()).map_err(|_| too_large())?;
    Ok(if value.sign() == Sign::Minus { -magnitude } else { magnitude })
}

/// a / b for positive ints, rounded half to even once, also where the result is subnormal.
fn divide(a: &BigInt, b: &BigInt) -> Result<f64> {
    let overflow = || Error::runtime("OverflowError", "integer division result too large for a float");
    let top = a.bits() as i64 - b.bits() as i64; // the quotient is in [2^(top-1), 2^(top+1))
    if top > 1025 {
        return Err(overflow());
    }
    // The unit of the last place: 53 bits of a quotient that has `top` or `top + 1` bits before the point.
    let estimate = |top: i64| (top - 53).max(-1074);
    let mut unit = estimate(top);
    let quotient = |unit: i64| {
        if unit >= 0 {
            a.div_rem(&(b << unit as u64))
        } else {
            (a << (-unit) as u64).div_rem(b)
        }
    };
    let (mut whole, mut rest) = quotient(unit);
    if whole.bits() > 53 {
        unit += 1;
        (whole, rest) = quotient(unit);
    }
    let divisor = if unit >= 0 { b << unit as u64 } else { b.clone() };
    let half: Ordering = (rest << 1u32).cmp(&divisor);
    if half == Ordering::Greater || (half == Ordering::Equal && whole.is_odd()) {
        whole += 1;
    }
    let mantissa = whole.to_u64().ok_or_else(overflow)? as f64;
    // Both factors are exact powers of two, in two steps because 2 ** -1074 * 2 ** 53 spans the range.
    let value = scale(mantissa, unit);
    if value.is_infinite() {
        return Err(overflow());
    }
    Ok(value)
}

/// mantissa * 2 ** exponent for an integral mantissa of at most 54 bits whose product is exact.
pub fn scale(mantissa: f64, exponent: i64) -> f64 {
    let mut value = mantissa;
    let mut exponent = exponent;
    while exponent > 1000 {
        value *= 2f64.powi(1000);
        exponent -= 1000;
    }
    while exponent < -1000 {
        value *= 2f64.powi(-1000);
        exponent += 1000;
    }
    value * 2f64.powi(exponent as i32)
}
