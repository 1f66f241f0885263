//! Releases of Kamaji: `v1.0.0`, then `edge-24.7.1` and so on, from March 2026 on `26.3.2-edge`.

/// A release, ordered by time. Use it to compare the `since` of attributes; what an installed Kamaji can do is read from
/// its definitions, since no object tells its release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    // Stable releases are older than all edge ones.
    is_edge: bool,
    parts: [u32; 3],
}

impl Release {
    /// Reads the name of a release; [`None`] if it is none.
    pub fn parse(name: &str) -> Option<Self> {
        let (is_edge, numbers) = match name.strip_prefix('v') {
            Some(stable) => (false, stable),
            None => (true, name.strip_prefix("edge-").or_else(|| name.strip_suffix("-edge"))?),
        };
        let mut numbers = numbers.split('.').map(|number| number.parse().ok());
        let parts = [numbers.next()??, numbers.next()??, numbers.next()??];
        numbers.next().is_none().then_some(Self { is_edge, parts })
    }
}

#[cfg(test)]
mod tests {
    use super::Release;

    #[test]
    fn releases_are_ordered_by_time() {
        let names =
            ["v1.0.0", "edge-24.7.1", "edge-24.12.1", "edge-25.03.1", "edge-25.7.3", "26.3.2-edge", "26.8.2-edge"];
        let releases: Vec<Release> = names.iter().filter_map(|name| Release::parse(name)).collect();
        assert_eq!(releases.len(), names.len());
        assert!(releases.is_sorted());
    }

    #[rstest::rstest]
    #[case("")]
    #[case("26.3.2")]
    #[case("edge-26.3")]
    #[case("v1.0.0.0")]
    #[case("latest")]
    fn other_texts_are_none(#[case] name: &str) {
        assert_eq!(Release::parse(name), None);
    }
}
