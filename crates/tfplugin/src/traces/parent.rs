//! The span that another process began: W3C Trace Context, `traceparent`.

/// A span in a trace, of this process or another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parent {
    pub(super) trace_id: u128,
    pub(super) span_id: u64,
    /// False: the trace is not kept, and neither is what belongs to it.
    pub(super) sampled: bool,
}

impl Parent {
    /// Reads `version-trace-span-flags` in hexadecimal digits; [`None`] for what the standard calls invalid.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let mut field = |length: usize| {
            let part = parts.next().filter(|part| part.len() == length)?;
            let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            if part.bytes().all(is_digit) { u128::from_str_radix(part, 16).ok() } else { None }
        };
        let version = field(2)?;
        let (trace_id, span_id, flags) = (field(32)?, field(16)?, field(2)?);
        // Versions to come may have more fields.
        let is_valid = version != 0xff && (version != 0 || parts.next().is_none()) && trace_id != 0 && span_id != 0;
        let span_id = u64::try_from(span_id).ok()?;
        is_valid.then_some(Self { trace_id, span_id, sampled: flags & 1 == 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const TRACE: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;
    const SPAN: u64 = 0xb7ad_6b71_6920_3331;

    #[rstest]
    #[case::sampled("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Some(true))]
    #[case::not_sampled("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", Some(false))]
    #[case::a_version_to_come("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-ever", Some(true))]
    #[case::more_than_version_0_has("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x", None)]
    #[case::version_ff("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None)]
    #[case::capitals("00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01", None)]
    #[case::no_trace("00-00000000000000000000000000000000-b7ad6b7169203331-01", None)]
    #[case::no_span("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", None)]
    #[case::short("00-0af7651916cd43dd-b7ad6b7169203331-01", None)]
    #[case::sign("00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None)]
    #[case::empty("", None)]
    fn a_parent_is_read_as_the_standard_says(#[case] text: &str, #[case] sampled: Option<bool>) {
        let expected = sampled.map(|sampled| Parent { trace_id: TRACE, span_id: SPAN, sampled });
        assert_eq!(Parent::parse(text), expected);
    }
}
