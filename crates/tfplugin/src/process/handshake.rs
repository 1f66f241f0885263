//! The agreement between Terraform and this process: the cookie in the environment and the one line on stdout.

use super::listener::Address;

/// Major version of the plugin protocol that is served.
///
/// The client lists the majors it knows in `PLUGIN_PROTOCOL_VERSIONS`. Only 6 is on offer, so 6 is the answer whatever
/// the list says: a client without it reports both sides itself.
pub(super) const PROTOCOL_VERSION: u32 = 6;

/// Version of go-plugin's own protocol.
const CORE_PROTOCOL_VERSION: u32 = 1;

const COOKIE_KEY: &str = "TF_PLUGIN_MAGIC_COOKIE";
const COOKIE_VALUE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// Variable with the client's certificate (PEM); without it the client speaks plaintext HTTP/2.
pub(super) const CLIENT_CERTIFICATE_KEY: &str = "PLUGIN_CLIENT_CERT";

/// Whether Terraform or OpenTofu started this process, told by the cookie (the same in both).
pub(super) fn is_started_as_plugin(environment: impl Fn(&str) -> Option<String>) -> bool {
    environment(COOKIE_KEY).is_some_and(|value| value == COOKIE_VALUE)
}

/// The line that tells the client where to connect.
///
/// `certificate` is the server's DER in base64 without padding; empty means plaintext. The seventh field (broker
/// multiplexing) is never written: older clients would take it for a part of the certificate.
pub(super) fn line(address: &Address, certificate: &str) -> String {
    let Address { network, text } = address;
    format!("{CORE_PROTOCOL_VERSION}|{PROTOCOL_VERSION}|{network}|{text}|grpc|{certificate}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::right(Some(COOKIE_VALUE), true)]
    #[case::absent(None, false)]
    #[case::empty(Some(""), false)]
    #[case::wrong(Some("d602"), false)]
    fn only_the_cookie_tells_a_plugin_start(#[case] cookie: Option<&str>, #[case] expected: bool) {
        let environment = |key: &str| cookie.filter(|_| key == COOKIE_KEY).map(str::to_owned);
        assert_eq!(is_started_as_plugin(environment), expected);
    }

    #[rstest]
    #[case::with_tls("TUlJ", "1|6|unix|/tmp/tfp-1-a/provider.sock|grpc|TUlJ\n")]
    #[case::plaintext_ends_in_an_empty_field("", "1|6|unix|/tmp/tfp-1-a/provider.sock|grpc|\n")]
    fn the_line_has_six_fields(#[case] certificate: &str, #[case] expected: &str) {
        let address = Address { network: "unix", text: "/tmp/tfp-1-a/provider.sock".to_owned() };
        assert_eq!(line(&address, certificate), expected);
    }
}
