//! Tokens and names that nobody can guess.

use tfplugin::Diagnostic;

use crate::kamaji::bootstrap_token::{BootstrapToken, random_text};

fn no_random_numbers() -> Diagnostic {
    Diagnostic::error("No random numbers", "The operating system gives no random numbers, so no token can be drawn.")
}

/// A new bootstrap token.
pub fn token() -> Result<BootstrapToken, Diagnostic> {
    let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    BootstrapToken::generate(|bytes| random.fill(bytes)).map_err(|_| no_random_numbers())
}

/// A new text of lower-case letters and digits.
pub fn text(length: usize) -> Result<String, Diagnostic> {
    let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    random_text(length, |bytes| random.fill(bytes)).map_err(|_| no_random_numbers())
}
