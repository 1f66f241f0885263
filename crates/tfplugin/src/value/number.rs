//! Numbers of any size, without loss.

use std::cmp::Ordering;
use std::fmt;

/// A number. Terraform sends whole numbers up to 64 bits as integers, exact fractions as floats, and everything else as
/// decimal text; the text is kept so that it goes back as it came.
#[derive(Clone, Debug)]
pub enum Number {
    /// A whole number that fits.
    Int(i64),
    /// A fraction that is exactly this float, or an infinity.
    Float(f64),
    /// Plain decimal digits.
    Decimal(String),
}

impl Number {
    /// From decimal text, as it stands in JSON or on the wire; [`None`] if it is no number.
    pub fn parse(text: &str) -> Option<Self> {
        // Rust also reads "inf", "nan" and a leading "+": not numbers here.
        if !text.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        match text.parse::<i64>() {
            Ok(whole) => Some(Self::Int(whole)),
            // Kept as text: next to no decimal fraction is exactly a float.
            Err(_) => text.parse::<f64>().is_ok().then(|| Self::Decimal(text.to_owned())),
        }
    }

    /// The number as a whole number, if it is one that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(whole) => Some(*whole),
            Self::Float(float) => format!("{float}").parse().ok(),
            Self::Decimal(text) => {
                let (digits, fraction) = text.split_once('.').unwrap_or((text, ""));
                fraction.bytes().all(|digit| digit == b'0').then(|| digits.parse().ok()).flatten()
            }
        }
    }

    /// The nearest float.
    pub fn as_f64(&self) -> f64 {
        match self {
            #[allow(clippy::cast_precision_loss)] // the nearest float is what is asked for
            Self::Int(whole) => *whole as f64,
            Self::Float(float) => *float,
            Self::Decimal(text) => text.parse().unwrap_or(f64::NAN),
        }
    }
}

/// Plain decimal digits.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(whole) => whole.fmt(f),
            Self::Float(float) => float.fmt(f),
            Self::Decimal(text) => f.write_str(text),
        }
    }
}

/// By value: the digits are compared where no float holds both.
impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Decimal(a), Self::Decimal(b)) if a == b => true,
            (Self::Float(a), Self::Float(b)) => a == b,
            _ => digits(&self.to_string()) == digits(&other.to_string()),
        }
    }
}

impl Number {
    /// Some total order that agrees with equality; not that of the numbers.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        if self == other { Ordering::Equal } else { digits(&self.to_string()).cmp(&digits(&other.to_string())) }
    }
}

/// Sign, digits without leading and trailing zeros, and the power of ten of the last digit.
fn digits(text: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let negative = mantissa.starts_with('-');
    let mantissa = mantissa.trim_start_matches(['-', '+']);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_end_matches('0');
    let places = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    let dropped = i64::try_from(all.len() - significant.len()).unwrap_or(0);
    let beyond = if exponent.starts_with('-') { i64::MIN } else { i64::MAX };
    let power = exponent.parse::<i64>().unwrap_or(beyond).saturating_sub(places).saturating_add(dropped);
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() { (false, String::new(), 0) } else { (negative, significant.to_owned(), power) }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self == other { Some(Ordering::Equal) } else { self.as_f64().partial_cmp(&other.as_f64()) }
    }
}

impl From<i64> for Number {
    fn from(whole: i64) -> Self {
        Self::Int(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).expect("a number")
    }

    #[rstest::rstest]
    #[case("1", "1.0")]
    #[case("0.1", "1e-1")]
    #[case("9223372036854775808", "9223372036854775808.00")]
    #[case("100", "1e2")]
    #[case("-0", "0")]
    fn are_equal_by_value(#[case] a: &str, #[case] b: &str) {
        assert_eq!(number(a), number(b));
    }

    #[rstest::rstest]
    #[case("9223372036854775808", "9223372036854775809")]
    #[case("0.1", "0.2")]
    #[case("1", "-1")]
    #[case("10", "1")]
    #[case("1e400", "1e401")]
    #[case("1", "1e99999999999999999999")]
    fn differ_by_value(#[case] a: &str, #[case] b: &str) {
        assert_ne!(number(a), number(b));
    }

    #[test]
    fn text_that_is_no_number_is_refused() {
        for text in ["", "-", "inf", "NaN", "+1", "1x", ".5"] {
            assert!(Number::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn keeps_its_digits() {
        for text in ["0.1", "1.5", "340282366920938463463374607431768211456", "0.30000000000000004000"] {
            assert_eq!(number(text).to_string(), text);
        }
    }
}
