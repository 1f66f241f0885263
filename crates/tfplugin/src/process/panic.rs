//! Panics, in the form that Terraform shows to the user.

use std::backtrace::Backtrace;
use std::io::Write as _;

/// Installs the hook: an error line in the log, then the panic and its backtrace on stderr.
///
/// go-plugin 1.7 and newer (Terraform 1.14, OpenTofu 1.11) collects what follows a line that starts with `panic: ` and
/// prints it as the plugin's crash report, even with logging off. Rust's own format is shown to nobody.
pub(super) fn install_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.to_string();
        tracing::error!(panic = %text, "the provider panicked, which is a bug in it");
        let report = report(&text, &Backtrace::force_capture().to_string());
        let _ = std::io::stderr().lock().write_all(report.as_bytes());
    }));
}

/// The message on one line, because only the first line is recognised by its beginning.
fn report(text: &str, backtrace: &str) -> String {
    format!("panic: {}\n\n{}\n", text.replace('\n', " "), backtrace.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_starts_with_the_word_that_terraform_looks_for() {
        let report = report("panicked at src/a.rs:1:2:\nno value", "0: main\n");
        assert_eq!(report, "panic: panicked at src/a.rs:1:2: no value\n\n0: main\n");
    }
}
