//! A MIME multipart document for cloud-init: the script, and parts of the user.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// Types of parts that cloud-init knows.
pub const TYPES: &[&str] = &[
    "text/cloud-boothook",
    "text/cloud-config",
    "text/jinja2",
    "text/x-include-url",
    "text/x-shellscript",
    "text/x-shellscript-per-boot",
    "text/x-shellscript-per-instance",
    "text/x-shellscript-per-once",
];

/// A part of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// One of [`TYPES`].
    pub content_type: String,
    /// What is in it.
    pub content: String,
}

impl Part {
    /// From the list of objects of an attribute.
    pub fn from_values(parts: &tfplugin::Value) -> Vec<Self> {
        let parts = parts.as_list().unwrap_or_default().iter();
        parts
            .filter_map(|part| {
                let text = |attribute| part.str_at(attribute).map(str::to_owned);
                Some(Self { content_type: text("content_type")?, content: text("content")? })
            })
            .collect()
    }
}

/// The document. Its boundary follows from the content, so that the same input gives the same bytes.
pub(super) fn multipart(script: &SecretString, parts: &[Part]) -> String {
    let mut all = vec![("text/x-shellscript", "kamaji-worker-join.sh".to_owned(), script.expose_secret())];
    let named = parts.iter().enumerate();
    all.extend(
        named.map(|(index, part)| (part.content_type.as_str(), format!("part-{}", index + 1), part.content.as_str())),
    );
    let mut hash = Sha256::new();
    for (content_type, _, content) in &all {
        hash.update(content_type.as_bytes());
        hash.update(content.as_bytes());
    }
    // base64 has no "=" inside a line of this form, and no "_" at all.
    let boundary: String = std::iter::once("_kamaji_".to_owned())
        .chain(hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")))
        .collect();
    let mut text = format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\nMIME-Version: 1.0\n\n");
    for (content_type, name, content) in all {
        text.push_str(&format!(
            "--{boundary}\nContent-Type: {content_type}; charset=\"utf-8\"\nMIME-Version: 1.0\nContent-Transfer-Encoding: \
             base64\nContent-Disposition: attachment; filename=\"{name}\"\n\n"
        ));
        let encoded = STANDARD.encode(content);
        for line in encoded.as_bytes().chunks(76) {
            text.push_str(&String::from_utf8_lossy(line));
            text.push('\n');
        }
    }
    text.push_str(&format!("--{boundary}--\n"));
    text
}
