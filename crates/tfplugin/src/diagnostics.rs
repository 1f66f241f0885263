//! Errors and warnings as the user sees them.

use crate::path::Path;
use crate::proto::tfplugin6 as wire;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The operation failed.
    Error,
    /// The operation goes on; the user should know.
    Warning,
}

/// One message to the user.
///
/// `summary` is a title of at most eight words; `detail` says what is wrong, with what value, and what to do.
/// No secret belongs into either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// The title.
    pub summary: String,
    /// The explanation and the way out.
    pub detail: String,
    /// The attribute that is at fault; the root for the object as a whole.
    pub path: Path,
}

impl Diagnostic {
    /// An error about the object as a whole.
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { severity: Severity::Error, summary: summary.into(), detail: detail.into(), path: Path::root() }
    }

    /// A warning about the object as a whole.
    pub fn warning(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(summary, detail) }
    }

    /// The same, at an attribute.
    #[must_use]
    pub fn at(mut self, path: Path) -> Self {
        self.path = path;
        self
    }

    /// The detail, with the attribute's name if it lies inside another one. Terraform shows the line of a top-level
    /// attribute, but for one inside it only the head of the resource.
    fn detail_with_attribute(&self) -> String {
        let path = self.path.to_string();
        let detail = shortened(&self.detail);
        if self.path.steps().len() < 2 || self.detail.contains(&path) {
            return detail;
        }
        format!("{detail}\n\nAttribute: {path}")
    }

    fn to_proto(&self) -> wire::Diagnostic {
        let severity = match self.severity {
            Severity::Error => wire::diagnostic::Severity::Error,
            Severity::Warning => wire::diagnostic::Severity::Warning,
        };
        wire::Diagnostic {
            severity: severity.into(),
            summary: shortened(&self.summary),
            detail: self.detail_with_attribute(),
            attribute: (!self.path.is_root()).then(|| self.path.to_proto()),
        }
    }
}

/// Longest text of a diagnostic in bytes. The rule and the way out stand around a value that can be of any size.
const LONGEST_TEXT: usize = 8 << 10;

/// Bytes that are kept at the end of a text that is too long.
const LONGEST_END: usize = 1 << 10;

/// The text without its middle if it is too long for anybody to read.
pub(crate) fn shortened(text: &str) -> String {
    if text.len() <= LONGEST_TEXT {
        return text.to_owned();
    }
    let boundary = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let (head, tail) = (boundary(LONGEST_TEXT - LONGEST_END), boundary(text.len() - LONGEST_END));
    format!("{} … ({} bytes left out) … {}", &text[..head], tail - head, &text[tail..])
}

/// How many errors, and how many warnings, are told. Nobody reads more, and a map of a million wrong entries has a million.
const MOST: usize = 500;

/// What an operation has to say, in the order in which it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    all: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
}

impl Diagnostics {
    /// Nothing to say.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one. The same message about the same attribute is kept once; after 500 of a severity it is said that there are
    /// more, and the others are dropped.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let count = match diagnostic.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if *count > MOST || self.all.contains(&diagnostic) {
            return;
        }
        *count += 1;
        self.all.push(if *count <= MOST {
            diagnostic
        } else {
            Diagnostic {
                summary: "More problems than are shown".to_owned(),
                detail: format!("The first {MOST} are shown. Correct these, and run again for the others."),
                path: Path::root(),
                ..diagnostic
            }
        });
    }

    /// Adds all of another list.
    pub fn extend(&mut self, others: impl IntoIterator<Item = Diagnostic>) {
        for diagnostic in others {
            self.push(diagnostic);
        }
    }

    /// True if one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// The explanations of the errors, for answers that have one text.
    pub fn texts(&self) -> String {
        let errors = self.all.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
        errors.map(Diagnostic::detail_with_attribute).collect::<Vec<_>>().join("\n\n")
    }

    /// True if there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// In the order in which they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.all.iter()
    }

    /// The wire form.
    pub fn to_proto(&self) -> Vec<wire::Diagnostic> {
        self.all.iter().map(Diagnostic::to_proto).collect()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::from(vec![diagnostic])
    }
}

impl From<Vec<Diagnostic>> for Diagnostics {
    fn from(all: Vec<Diagnostic>) -> Self {
        let mut diagnostics = Self::new();
        diagnostics.extend(all);
        diagnostics
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severity_is_never_the_invalid_zero_of_the_wire() {
        let all = Diagnostics::from(vec![Diagnostic::error("a", "b"), Diagnostic::warning("a", "b")]);
        assert_eq!(all.to_proto().iter().map(|d| d.severity).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn an_attribute_that_terraform_cannot_point_at_is_named() {
        let detail = |text: &str, path: Path| Diagnostic::error("a", text).at(path).to_proto().detail;
        assert_eq!(detail("Wrong.", Path::of("x")), "Wrong.");
        assert_eq!(detail("Wrong.", Path::of("x.y").index(1)), "Wrong.\n\nAttribute: x.y[1]");
        assert_eq!(detail("x.y is wrong.", Path::of("x.y")), "x.y is wrong.");
    }

    #[test]
    fn the_same_message_is_kept_once() {
        let mut all = Diagnostics::new();
        all.push(Diagnostic::error("a", "b").at(Path::of("x")));
        all.push(Diagnostic::error("a", "b").at(Path::of("x")));
        all.push(Diagnostic::error("a", "b").at(Path::of("y")));
        assert_eq!(all.iter().count(), 2);
    }

    #[test]
    fn a_map_of_a_million_wrong_entries_is_told_in_time_and_hides_no_other_severity() {
        let mut all = Diagnostics::new();
        all.extend((0..1_000_000).map(|n| Diagnostic::warning("a", "b").at(Path::of("x").index(n))));
        assert_eq!((all.iter().count(), all.has_errors()), (MOST + 1, false));
        all.push(Diagnostic::error("a", "b"));
        assert!(all.has_errors());
        assert_eq!(all.iter().nth(MOST).map(|it| it.summary.as_str()), Some("More problems than are shown"));
        // As a part of others it is the same.
        let whole = Diagnostics::from(all.clone().into_iter().collect::<Vec<_>>());
        assert_eq!(whole, all);
    }

    /// A value of many megabytes that is refused must not come back as a message of as many.
    #[test]
    fn a_long_text_keeps_its_beginning_and_its_end() {
        let detail = format!("The name is {}. Give another one.", "ä".repeat(1 << 20));
        let told = Diagnostic::error("Name not allowed", detail).to_proto().detail;
        assert!(told.len() < LONGEST_TEXT + 100, "{}", told.len());
        assert!(told.starts_with("The name is ä") && told.ends_with("ä. Give another one."));
        assert!(told.contains("bytes left out"));
    }
}
