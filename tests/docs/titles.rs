//! The titles of all errors and warnings, found in the source: what a user searches the documentation for.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The folders whose code talks to users.
const SOURCE: [&str; 2] = ["src", "crates/tfplugin/src"];

/// Literals that look like titles and are none.
const NO_TITLES: [&str; 4] = ["Amazon EC2", "Google Cloud", "OpenStack Nova", "VMware guest customization"];

/// A string in the code.
struct Literal {
    text: String,
    /// True if it is the first argument of a call: `Diagnostic::error(format!("…"`, `Problem::new("…"`.
    of_diagnostic: bool,
    /// What comes next in the code.
    next: Option<char>,
}

/// Every literal that could be a title.
pub struct Titles {
    /// Those that are titles beyond doubt: what follows is the explanation.
    pub certain: BTreeSet<String>,
    /// All.
    pub possible: BTreeSet<String>,
}

impl Titles {
    /// Of all code but tests.
    pub fn find(root: &Path) -> Self {
        let mut titles = Self { certain: BTreeSet::new(), possible: BTreeSet::new() };
        let mut files = Vec::new();
        SOURCE.iter().for_each(|folder| collect(&root.join(folder), &mut files));
        for file in files {
            let code = fs::read_to_string(file).expect("readable");
            for literal in literals(without_tests(&code)) {
                let formatted = literal.text.contains('{');
                let text = title(&literal.text);
                if !(2..=8).contains(&text.split_whitespace().count()) || !looks_like_a_title(&text) {
                    continue;
                }
                let certain = if formatted { literal.of_diagnostic } else { literal.next == Some(',') };
                if certain && !NO_TITLES.contains(&text.as_str()) {
                    titles.certain.insert(text.clone());
                }
                titles.possible.insert(text);
            }
        }
        titles
    }
}

/// The files of a folder and of those in it, without those of tests.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() && !matches!(name.as_str(), "tests" | "snapshots" | "conformance") {
            collect(&path, files);
        } else if name.ends_with(".rs") && name != "tests.rs" && name != "conformance.rs" {
            files.push(path);
        }
    }
}

/// Test modules stand at the end.
fn without_tests(code: &str) -> &str {
    let at = ["mod tests {", "pub(crate) mod tests {", "pub(super) mod tests {", "pub(in crate::kamaji) mod tests {"]
        .into_iter()
        .find_map(|module| code.find(&format!("#[cfg(test)]\n{module}")));
    code.get(..at.unwrap_or(code.len())).unwrap_or(code)
}

/// The string literals of some code, without their escapes; raw ones are passed over.
fn literals(code: &str) -> Vec<Literal> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(['"', '/', '\'', 'r']) {
        let (before, here) = rest.split_at(at);
        if here.starts_with("//") {
            rest = here.split_once('\n').map_or("", |(_, rest)| rest);
        } else if here.starts_with("r#\"") {
            rest = here.get(3..).and_then(|raw| raw.split_once("\"#")).map_or("", |(_, rest)| rest);
        } else if here.starts_with("r\"") && !before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            rest = here.get(2..).and_then(|raw| raw.split_once('"')).map_or("", |(_, rest)| rest);
        } else if here.starts_with("'\"'") || here.starts_with("'\\\"'") {
            rest = here.get(1..).and_then(|quoted| quoted.split_once("\"'")).map_or("", |(_, rest)| rest);
        } else if let Some(quoted) = here.strip_prefix('"') {
            let (text, after) = literal(quoted);
            let call = before.trim_end();
            let of_diagnostic = ["Diagnostic::error(format!(", "Diagnostic::warning(format!("]
                .into_iter()
                .any(|head| call.split_whitespace().collect::<String>().ends_with(head));
            found.push(Literal { text, of_diagnostic, next: after.trim_start().chars().next() });
            rest = after;
        } else {
            rest = here.get(1..).unwrap_or_default();
        }
    }
    found
}

/// The text of a literal after its quote, and what follows its end.
fn literal(quoted: &str) -> (String, &str) {
    let mut text = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (text, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => match characters.next() {
                Some((_, 'n')) => text.push('\n'),
                // The next line goes on here.
                Some((_, '\n')) => {
                    let blank = characters.as_str().len() - characters.as_str().trim_start().len();
                    if blank > 0 {
                        characters.nth(blank - 1);
                    }
                }
                Some((_, escaped)) => text.push(escaped),
                None => break,
            },
            _ => text.push(character),
        }
    }
    (text, "")
}

/// A literal with `…` for what is filled in.
fn title(text: &str) -> String {
    let mut title = String::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once('{') {
        title.push_str(before);
        title.push('…');
        rest = inside.split_once('}').map_or("", |(_, after)| after);
    }
    title + rest
}

fn looks_like_a_title(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_uppercase() || matches!(c, '"' | '…'));
    (begins || text.starts_with("kubeadm "))
        && !text.ends_with(['.', ':', ',', ';', '?', ')', '`'])
        && !text.contains('\n')
}
