//! What the binary does when a person, not Terraform, starts it.

use crate::provider::Identity;

/// What the arguments ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// No argument: Terraform starts a plugin so.
    Serve,
    /// `-debug`: serve for a developer's Terraform to attach to.
    Debug,
    /// `-version`.
    Version,
    /// `-help`.
    Help,
    /// Anything else.
    Unknown(String),
}

impl Command {
    /// Reads the arguments after the program's name. Options may have one dash (Terraform's habit) or two.
    pub(super) fn parse(arguments: impl IntoIterator<Item = String>) -> Command {
        let mut arguments = arguments.into_iter();
        match (arguments.next().as_deref(), arguments.next()) {
            (None, _) => Command::Serve,
            (Some(_), Some(second)) => Command::Unknown(second),
            (Some("-debug" | "--debug"), None) => Command::Debug,
            (Some("-version" | "--version" | "-v"), None) => Command::Version,
            (Some("-help" | "--help" | "-h"), None) => Command::Help,
            (Some(other), None) => Command::Unknown(other.to_owned()),
        }
    }
}

/// `name vX.Y.Z (protocol 6)`.
pub(super) fn version(identity: &Identity) -> String {
    let protocol = super::handshake::PROTOCOL_VERSION;
    format!("{} v{} (protocol {protocol})\n", identity.binary_name(), identity.version)
}

/// Shown when the binary is started by hand.
pub(super) fn not_a_program(identity: &Identity) -> String {
    format!(
        "{name} is a plugin: Terraform and OpenTofu start it, it does nothing when run by hand.\n\
         To use it, add source = \"{source}\" to required_providers in your configuration and run `terraform init`.\n\
         To try this very file, name its directory under dev_overrides in the CLI configuration file; see {name} -help.\n",
        name = identity.binary_name(),
        source = identity.source(),
    )
}

/// The text of `-help`.
pub(super) fn help(identity: &Identity) -> String {
    format!(
        "{name} v{version}: a plugin that Terraform and OpenTofu start.\n\
         \n\
         Usage: {name} [option]\n\
         \n\
         \x20 -debug     serve until Ctrl-C, and print the variable that makes Terraform attach to this process\n\
         \x20 -version   print the version and the plugin protocol\n\
         \x20 -help      print this text\n\
         \n\
         To try this file without installing it, point the environment variable TF_CLI_CONFIG_FILE at a file with\n\
         \n\
         \x20 provider_installation {{\n\
         \x20   dev_overrides {{ \"{source}\" = \"<directory of this file>\" }}\n\
         \x20   direct {{}}\n\
         \x20 }}\n\
         \n\
         Logs go to Terraform: set TF_LOG_PROVIDER to ERROR, WARN, INFO, DEBUG or TRACE.\n",
        name = identity.binary_name(),
        version = identity.version,
        source = identity.source(),
    )
}

/// Shown for arguments that mean nothing here.
pub(super) fn unknown_argument(identity: &Identity, argument: &str) -> String {
    let name = identity.binary_name();
    format!("{name} takes one of -debug, -version and -help, not {argument:?}.\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const IDENTITY: Identity = Identity { address: "registry.terraform.io/acme/kamaji", version: "1.2.3" };

    #[rstest]
    #[case::as_terraform_does(&[], Command::Serve)]
    #[case::debug(&["-debug"], Command::Debug)]
    #[case::two_dashes(&["--debug"], Command::Debug)]
    #[case::version(&["--version"], Command::Version)]
    #[case::help(&["-help"], Command::Help)]
    #[case::misspelt(&["-debgu"], Command::Unknown("-debgu".into()))]
    #[case::more_than_one(&["-debug", "now"], Command::Unknown("now".into()))]
    fn the_argument_decides(#[case] arguments: &[&str], #[case] expected: Command) {
        assert_eq!(Command::parse(arguments.iter().map(|argument| (*argument).to_owned())), expected);
    }

    #[test]
    fn the_version_names_the_binary_and_the_protocol() {
        assert_eq!(version(&IDENTITY), "terraform-provider-kamaji v1.2.3 (protocol 6)\n");
    }

    #[test]
    fn started_by_hand_it_says_in_three_lines_what_it_is_and_how_to_use_it() {
        let text = not_a_program(&IDENTITY);
        assert_eq!(text.lines().count(), 3);
        for part in ["is a plugin", "source = \"acme/kamaji\"", "terraform init", "dev_overrides"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }

    #[test]
    fn the_source_of_a_private_registry_keeps_its_host() {
        let identity = Identity { address: "registry.example/acme/kamaji", version: "1.2.3" };
        assert!(help(&identity).contains("\"registry.example/acme/kamaji\""));
    }
}
