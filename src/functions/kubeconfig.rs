//! `parse_kubeconfig`, `build_kubeconfig`.

use secrecy::ExposeSecret as _;
use tfplugin::Value;
use tfplugin::function::{Arguments, FunctionError, Signature};
use tfplugin::schema::{Problem, Validator, object, string};

use super::Row;
use crate::kamaji::certificate::{check_pair, read_key, read_pem};
use crate::kamaji::kubeconfig::Kubeconfig;
use crate::kamaji::network::Endpoint;

/// What stands for a name that is not given: kubeadm's.
const CLUSTER: &str = "kubernetes";
/// The same for the user, if there are credentials.
const USER: &str = "kubernetes-admin";

const HOST: &str = "host";
const CA: &str = "cluster_ca_certificate";
const CERTIFICATE: &str = "client_certificate";
const KEY: &str = "client_key";

pub(super) static PARSE: Row = Row::new(
    "parse_kubeconfig",
    || {
        let result = vec![
            string("cluster").doc("Name of the cluster."),
            string("user").doc("Name of the user; null if there is none."),
            string(HOST).doc("URL of the API, `https://host:port`."),
            string(CA).doc("Certificates of the CA, PEM."),
            string(CERTIFICATE).doc("Client certificate, PEM; null if there is none."),
            string(KEY).doc("Private key of the client certificate, PEM; null if there is none."),
            string("token").doc("Bearer token; null if there is none."),
        ];
        Signature::new(
            "Takes a kubeconfig apart.",
            "Takes a kubeconfig apart: its current context, or the only one. The attributes of the result are arguments of the \
             `kubernetes` and `helm` providers, and `build_kubeconfig` puts them together again.\n\nThe result holds \
             credentials. It is as sensitive as the argument: Terraform hides it, and keeps it out of the state, where the \
             argument comes from an ephemeral resource; what comes from `file()` or a plain string is neither.",
            vec![string("kubeconfig").required().doc(
                "Text of a kubeconfig, YAML, with its certificates and credentials embedded (`kubectl config view --raw \
                 --minify --flatten`). Credentials from a command or a file are an error: no file is read here.",
            )],
            object("parts", result).doc("What is in the kubeconfig."),
        )
    },
    |arguments| {
        let kubeconfig = arguments.read(0, Kubeconfig::parse)?;
        let secret = |secret: Option<secrecy::SecretString>| secret.map(|text| text.expose_secret().to_owned());
        let members: [(&str, Value); 7] = [
            ("cluster", kubeconfig.cluster.into()),
            ("user", Some(kubeconfig.user).filter(|user| !user.is_empty()).into()),
            (HOST, kubeconfig.server.into()),
            (CA, kubeconfig.ca_pem.into()),
            (CERTIFICATE, kubeconfig.client_certificate_pem.into()),
            (KEY, secret(kubeconfig.client_key_pem).into()),
            ("token", secret(kubeconfig.token).into()),
        ];
        Ok(Value::object(members))
    },
);

pub(super) static BUILD: Row = Row::new(
    "build_kubeconfig",
    || {
        let name = |name| string(name).rule(Validator::non_empty());
        let config = vec![
            string(HOST).required().rule(https()).doc("URL of the API, `https://host:port`."),
            string(CA).required().rule(certificates()).doc("Certificates of the CA, PEM."),
            string(CERTIFICATE).rule(certificates()).doc("Client certificate, PEM; needs `client_key`."),
            string(KEY).sensitive().rule(key()).doc("Private key of the client certificate, PEM."),
            string("token").sensitive().rule(token()).doc("Bearer token, instead of the certificate or beside it."),
            name("cluster").default(CLUSTER).doc("Name of the cluster."),
            name("user")
                .default(USER)
                .doc("Name of the user. Without credentials there is a user only if it is named."),
        ];
        Signature::new(
            "Builds a kubeconfig.",
            "Builds a kubeconfig with one cluster, one context and one user, everything embedded: for `kubectl`, for Secrets \
             of other tools such as Argo CD and Flux, and for provisioners. The same argument gives the same text.\n\nThe \
             result is as sensitive as what is in the argument. Give it to an ephemeral or write-only argument, or the \
             credentials are in the state.",
            vec![object("config", config).required().doc("What is in the kubeconfig. Attributes may be left out.")],
            string("kubeconfig").doc("The kubeconfig, YAML."),
        )
    },
    build,
);

fn build(arguments: &Arguments) -> Result<Value, FunctionError> {
    let config = arguments.get(0);
    let text = |name: &str| config.str_at(name).map(str::to_owned);
    match (config.str_at(CERTIFICATE), config.str_at(KEY)) {
        (Some(certificate), Some(key)) => {
            read_key(key).and_then(|key| check_pair(certificate, &key)).map_err(wrong)?;
        }
        (None, None) => {}
        (Some(_), None) => return Err(missing(KEY, CERTIFICATE)),
        (None, Some(_)) => return Err(missing(CERTIFICATE, KEY)),
    }
    let credentials = config.get(CERTIFICATE).is_set() || config.get("token").is_set();
    let kubeconfig = Kubeconfig {
        cluster: text("cluster").unwrap_or_else(|| CLUSTER.to_owned()),
        user: text("user").or(credentials.then(|| USER.to_owned())).unwrap_or_default(),
        server: text(HOST).unwrap_or_default(),
        ca_pem: text(CA).unwrap_or_default(),
        client_certificate_pem: text(CERTIFICATE),
        client_key_pem: text(KEY).map(Into::into),
        token: text("token").map(Into::into),
    };
    let yaml = kubeconfig.render().map_err(wrong)?;
    Ok(yaml.expose_secret().into())
}

fn wrong(problem: Problem) -> FunctionError {
    FunctionError::from(problem).at(0)
}

fn missing(what: &str, beside: &str) -> FunctionError {
    FunctionError::new(format!("`config.{what}` is missing beside `{beside}`. Give both, or a `token` instead.")).at(0)
}

fn https() -> Validator {
    rule("a URL of the form `https://host:port`", |text| Endpoint::from_url(text).map(|_| ()))
}

fn certificates() -> Validator {
    rule("certificates in PEM", |text| read_pem(text).map(|_| ()))
}

fn key() -> Validator {
    rule("a private key in PEM that is not encrypted", |text| read_key(text).map(|_| ()))
}

fn token() -> Validator {
    rule("a token without blanks and line breaks", |text| {
        if text.is_empty() || text.contains(char::is_whitespace) {
            return Err(Problem::new("Not a bearer token", "A bearer token has no blanks and line breaks."));
        }
        Ok(())
    })
}

fn rule(words: &'static str, check: fn(&str) -> Result<(), Problem>) -> Validator {
    Validator::new(words, move |value| value.as_str().map_or(Ok(()), check))
}
