//! `join_command`.

use secrecy::ExposeSecret as _;
use tfplugin::Value;
use tfplugin::function::{Arguments, FunctionError, Signature};
use tfplugin::schema::{Problem, Validator, object, string};

use super::Row;
use crate::kamaji::bootstrap_token::{self, BootstrapToken};
use crate::kamaji::certificate::ca_pins;
use crate::kamaji::join::settings::MachineSettings;
use crate::kamaji::join::{attributes, join_command};
use crate::kamaji::network::{self, Endpoint};

/// What kubeadm has flags for.
const FLAGS: [&str; 3] = ["node_name", "cri_socket", "ignore_preflight_errors"];

pub(super) static JOIN_COMMAND: Row = Row::new(
    "join_command",
    || {
        let certificates = Validator::new("certificates in PEM", |value| {
            value.as_str().map_or(Ok(()), |text| ca_pins(text).map(|_| ()))
        });
        let mut config = vec![
            string("endpoint").required().rule(network::host_port()).doc(
                "Where the machine reaches the tenant's API, `host:port`; the address that Kamaji tells machines, as in \
                 `endpoint` of a `kamaji_worker_join`.",
            ),
            string("token").required().sensitive().rule(bootstrap_token::validator()).doc("A bootstrap token of the tenant."),
            string("ca_certificate").required().rule(certificates).doc(
                "Certificates of the tenant's CA, PEM. The machine gets their pins, and recognises the tenant by them.",
            ),
        ];
        config.extend(attributes::machine().into_iter().filter(|attribute| FLAGS.contains(&attribute.name)));
        Signature::new(
            "Renders the kubeadm command with which a machine joins a tenant.",
            "Renders the `kubeadm join` command with which a machine joins a tenant: for a token that the provider did not \
             make, and for settings of single machines. It makes no token and asks nobody; `kamaji_worker_join` does both, and \
             gives whole user data.\n\nThe result holds the token, and is as sensitive as the argument.",
            vec![
                object("config", config)
                    .required()
                    .doc("The tenant and the machine. Optional attributes may be left out."),
            ],
            string("command").doc("One line for a shell of root on the machine."),
        )
    },
    render,
);

fn render(arguments: &Arguments) -> Result<Value, FunctionError> {
    let config = arguments.get(0);
    let text = |name: &str| config.str_at(name).unwrap_or_default();
    let wrong = |problem: Problem| FunctionError::from(problem).at(0);
    let endpoint: Endpoint = text("endpoint").parse().map_err(wrong)?;
    let token: BootstrapToken = text("token").parse().map_err(wrong)?;
    let pins = ca_pins(text("ca_certificate")).map_err(wrong)?;
    let settings = MachineSettings::from_value(config).map_err(wrong)?;
    Ok(join_command(&endpoint, &token, &pins, &settings).expose_secret().into())
}
