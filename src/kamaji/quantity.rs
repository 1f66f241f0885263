//! Kubernetes quantities. They are sent in canonical form, since Kamaji rewrites all others and so takes the field over.

use std::cmp::Ordering;

use tfplugin::Value;
use tfplugin::schema::{Problem, Validator};

/// The rule for a quantity.
pub fn validator() -> Validator {
    Validator::new("a Kubernetes quantity such as `500m`, `2` or `1Gi`", |value| {
        let text = value.as_str().unwrap_or_default();
        if canonical(text).is_some() {
            return Ok(());
        }
        let detail = format!("{text:?} is not a quantity such as \"500m\", \"2\" or \"1Gi\".");
        Err(Problem::new("Not a Kubernetes quantity", detail))
    })
}

const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];

/// The form in which Kubernetes writes a quantity: the largest suffix that leaves a whole number (apimachinery,
/// `resource.Quantity`). [`None`] for what is no quantity, and for exponents, which nobody writes by hand.
pub fn canonical(text: &str) -> Option<String> {
    let Parts { negative, mantissa, scale, suffix } = parts(text)?;
    let sign = if negative && mantissa != 0 { "-" } else { "" };
    let binary = BINARY.iter().position(|known| !known.is_empty() && *known == suffix);
    if let Some(power) = binary {
        let bytes = mantissa.checked_mul(1024_i128.checked_pow(u32::try_from(power).ok()?)?)?;
        // A fraction of a byte is rounded up.
        let bytes = (bytes + scale - 1) / scale;
        let (mut value, mut power) = (bytes, 0);
        while value != 0 && value % 1024 == 0 && power + 1 < BINARY.len() {
            value /= 1024;
            power += 1;
        }
        return Some(format!("{sign}{value}{}", BINARY.get(power)?));
    }
    let power = DECIMAL.iter().position(|known| *known == suffix)?;
    let nano = mantissa.checked_mul(1000_i128.checked_pow(u32::try_from(power).ok()?)?)?;
    let (mut value, mut power) = ((nano + scale - 1) / scale, 0);
    if value == 0 {
        return Some("0".to_owned());
    }
    while value % 1000 == 0 && power + 1 < DECIMAL.len() {
        value /= 1000;
        power += 1;
    }
    Some(format!("{sign}{value}{}", DECIMAL.get(power)?))
}

/// Which of two quantities is more; [`None`] if one of them is no quantity, or beyond comparison.
pub fn compare(one: &str, other: &str) -> Option<Ordering> {
    let amount = |text: &str| -> Option<(i128, i128)> {
        let Parts { negative, mantissa, scale, suffix } = parts(text)?;
        let power = |base: i128, power: usize| base.checked_pow(u32::try_from(power).ok()?);
        let nano = match BINARY.iter().position(|known| !known.is_empty() && *known == suffix) {
            Some(steps) => power(1024, steps)?.checked_mul(power(1000, 3)?)?,
            None => power(1000, DECIMAL.iter().position(|known| *known == suffix)?)?,
        };
        let amount = mantissa.checked_mul(nano)?;
        Some((if negative { -amount } else { amount }, scale))
    };
    let ((one, scale), (other, other_scale)) = (amount(one)?, amount(other)?);
    Some(one.checked_mul(other_scale)?.cmp(&other.checked_mul(scale)?))
}

/// `-1.50Gi`: mantissa 150, scale 100, suffix `Gi`.
struct Parts<'a> {
    negative: bool,
    mantissa: i128,
    scale: i128,
    suffix: &'a str,
}

fn parts(text: &str) -> Option<Parts<'_>> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (digits, suffix) = text.split_at(split);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let negative = whole.starts_with('-');
    let whole = whole.strip_prefix(['-', '+']).unwrap_or(whole);
    let sound = !(whole.is_empty() && fraction.is_empty())
        && whole.bytes().chain(fraction.bytes()).all(|digit| digit.is_ascii_digit())
        && whole.len() + fraction.len() <= 18;
    if !sound {
        return None;
    }
    let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    Some(Parts { negative, mantissa, scale, suffix })
}

/// The canonical form of an attribute that holds a quantity or a map of them: what is sent, and what is compared.
pub fn canonical_value(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::object(members.iter().map(|(key, member)| (key.clone(), canonical_value(member))))
        }
        _ => value.as_str().and_then(canonical).map_or_else(|| value.clone(), Value::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("0.5", "500m")]
    #[case("1000m", "1")]
    #[case("1024Mi", "1Gi")]
    #[case("2", "2")]
    #[case("1.5Gi", "1536Mi")]
    #[case("100m", "100m")]
    #[case("1500", "1500")]
    #[case("2000", "2k")]
    #[case("0", "0")]
    #[case("-1000m", "-1")]
    fn is_written_with_the_largest_suffix(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(canonical(text).as_deref(), Some(expected));
    }

    #[rstest::rstest]
    #[case("1Gi", "1024Mi", Ordering::Equal)]
    #[case("500m", "1", Ordering::Less)]
    #[case("1.5", "1500m", Ordering::Equal)]
    #[case("1G", "1Gi", Ordering::Less)]
    #[case("-1", "0", Ordering::Less)]
    #[case("100E", "99E", Ordering::Greater)]
    fn are_compared_by_amount(#[case] one: &str, #[case] other: &str, #[case] expected: Ordering) {
        assert_eq!(compare(one, other), Some(expected));
        assert_eq!(compare(other, one), Some(expected.reverse()));
        assert_eq!(compare(one, "half"), None);
    }

    #[rstest::rstest]
    #[case("")]
    #[case("x")]
    #[case("1 Gi")]
    #[case("1Qi")]
    #[case("--1")]
    fn other_texts_are_refused(#[case] text: &str) {
        assert_eq!(canonical(text), None);
    }

    #[test]
    fn maps_are_rewritten_member_by_member() {
        let limits = |cpu: &str| Value::object([("cpu", Value::from(cpu)), ("memory", Value::Unknown)]);
        assert_eq!(canonical_value(&limits("0.5")), limits("500m"));
    }

    #[test]
    fn the_rule_names_what_is_no_quantity() {
        assert_eq!(validator().check(&"0.5".into()), Ok(()));
        let problem = validator().check(&"half".into()).unwrap_err();
        assert!(problem.detail.starts_with("\"half\" is not"), "{}", problem.detail);
    }

    proptest::proptest! {
        #[test]
        fn a_canonical_form_is_its_own(whole in 0_u32.., suffix in "[numkMGT]?|[KMG]i") {
            let once = canonical(&format!("{whole}{suffix}"));
            proptest::prop_assert_eq!(once.as_deref().and_then(canonical), once);
        }
    }
}
