//! Durations as Go and so Kubernetes write them: `90s`, `1h30m`, `24h`.

use std::time::Duration;

use tfplugin::Value;
use tfplugin::schema::{Problem, Validator};

/// The units of Go's `time.ParseDuration` in nanoseconds. Both micro signs: U+00B5 and the Greek letter U+03BC.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
];

/// What Go's int64 nanoseconds hold: a little over 292 years.
const LONGEST: u128 = i64::MAX as u128;

/// Reads a duration as Go's `time.ParseDuration` does: one or more decimal numbers, each with a unit. `0` alone is zero.
/// Signs are refused: a time to live or a time-out is never negative.
///
/// # Errors
/// What is wrong with it, and how to write it.
pub fn parse(text: &str) -> Result<Duration, Problem> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let malformed = |reason: &str| {
        let detail = format!("{text:?} is not a duration: {reason}. {}", advice(text));
        Problem::new("Not a duration", detail)
    };
    if text.is_empty() {
        return Err(malformed("it is empty"));
    }
    let mut rest = text;
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (whole, after_whole) = digits(rest);
        let (fraction, after) = match after_whole.strip_prefix('.') {
            Some(after) => digits(after),
            None => ("", after_whole),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(malformed("each part is a number and a unit, without sign or blank"));
        }
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        let nanoseconds = match UNITS.iter().find(|(name, _)| *name == unit) {
            Some((_, nanoseconds)) => *nanoseconds,
            None if unit.is_empty() => return Err(malformed("a number has no unit")),
            None => return Err(malformed(&format!("there is no unit {unit:?}"))),
        };
        total = amount(whole, fraction, nanoseconds)
            .and_then(|part| total.checked_add(part))
            .filter(|sum| *sum <= LONGEST)
            .ok_or_else(|| malformed("it is longer than 292 years"))?;
        rest = next;
    }
    let nanoseconds = u64::try_from(total).map_err(|_| malformed("it is longer than 292 years"))?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// `whole.fraction` times a unit, in nanoseconds; what is finer than a nanosecond is dropped. [`None`] if too long.
fn amount(whole: &str, fraction: &str, unit: u128) -> Option<u128> {
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // The largest unit has 13 digits of nanoseconds.
    let fraction = fraction.get(..13).unwrap_or(fraction);
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    whole.checked_mul(unit)?.checked_add(part * unit / scale)
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn advice(text: &str) -> String {
    let number = text.trim();
    if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("Write \"{number}s\" for seconds or \"{number}m\" for minutes.");
    }
    let days = number.strip_suffix('d').and_then(|days| days.parse::<u64>().ok());
    if let Some(hours) = days.and_then(|days| days.checked_mul(24)) {
        return format!("There is no unit for days: write \"{hours}h\".");
    }
    "Write numbers with the units \"h\", \"m\", \"s\" or \"ms\", as in \"90s\" or \"1h30m\".".to_owned()
}

/// The canonical form of an attribute that holds a duration: nanoseconds. `24h` and `1440m` are the same.
pub fn canonical_value(value: &Value) -> Value {
    match value.as_str().map(parse) {
        Some(Ok(duration)) => format!("{}ns", duration.as_nanos()).into(),
        _ => value.clone(),
    }
}

/// The rule for an attribute that holds a duration: longer than zero.
pub fn validator() -> Validator {
    Validator::new("a positive duration such as `90s` or `1h30m`", |value| match value.as_str() {
        Some(text) if parse(text)?.is_zero() => Err(Problem::new(
            "Duration must be positive",
            format!("{text:?} is no time at all. Write a duration longer than zero, such as \"90s\" or \"1h30m\"."),
        )),
        _ => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0", Duration::ZERO)]
    #[case("0s", Duration::ZERO)]
    #[case("90s", Duration::from_secs(90))]
    #[case("1h30m", Duration::from_secs(5_400))]
    #[case("24h", Duration::from_secs(86_400))]
    #[case("24h0m0s", Duration::from_secs(86_400))]
    #[case("1.5h", Duration::from_secs(5_400))]
    #[case(".5s", Duration::from_millis(500))]
    #[case("1.s", Duration::from_secs(1))]
    #[case("100ms", Duration::from_millis(100))]
    #[case("1m1ms", Duration::from_millis(60_001))]
    #[case("3us", Duration::from_micros(3))]
    #[case("3µs", Duration::from_micros(3))]
    #[case("3μs", Duration::from_micros(3))]
    #[case("7ns", Duration::from_nanos(7))]
    #[case("0.3333333333333333333h", Duration::from_nanos(1_199_999_999_999))]
    #[case("2562047h47m16.854775807s", Duration::from_nanos(i64::MAX.unsigned_abs()))]
    fn durations_are_read_as_go_reads_them(#[case] text: &str, #[case] wanted: Duration) {
        assert_eq!(parse(text), Ok(wanted));
    }

    #[rstest]
    #[case("", "it is empty")]
    #[case("90", "Write \"90s\"")]
    #[case("2d", "write \"48h\"")]
    #[case("-1s", "without sign")]
    #[case("+1s", "without sign")]
    #[case("1h 30m", "there is no unit \"h \"")]
    #[case("1H", "there is no unit \"H\"")]
    #[case("h", "each part is a number and a unit")]
    #[case(".s", "each part is a number and a unit")]
    #[case("1h30", "a number has no unit")]
    #[case("2562047h47m16.854775808s", "longer than 292 years")]
    #[case("99999999999999999999999999999999999999999999h", "longer than 292 years")]
    fn what_is_no_duration_is_explained(#[case] text: &str, #[case] reason: &str) {
        let problem = parse(text).unwrap_err();
        assert!(problem.detail.contains(reason), "{}", problem.detail);
    }

    #[rstest]
    #[case("1s", true)]
    #[case("0s", false)]
    #[case("0.1ns", false)]
    #[case("soon", false)]
    fn an_attribute_wants_a_positive_duration(#[case] text: &str, #[case] good: bool) {
        assert_eq!(validator().check(&Value::from(text)).is_ok(), good);
    }

    #[test]
    fn two_spellings_of_a_duration_are_the_same() {
        assert_eq!(canonical_value(&"24h".into()), canonical_value(&"1440m".into()));
        assert_eq!(canonical_value(&"soon".into()), "soon".into());
    }

    proptest! {
        #[test]
        fn hours_minutes_and_seconds_add_up(h in 0_u64..1_000_000, m in 0_u64..100, s in 0_u64..100) {
            prop_assert_eq!(parse(&format!("{h}h{m}m{s}s")), Ok(Duration::from_secs(h * 3_600 + m * 60 + s)));
        }

        #[test]
        fn no_text_is_too_odd(text in "\\PC*") {
            let _ = parse(&text);
        }
    }
}
