//! Kubeconfigs of a join: to recognise the tenant by, and for a kubelet that bootstraps without kubeadm.

use secrecy::{ExposeSecret, SecretString};
use tfplugin::schema::Problem;

use super::JoinInput;
use crate::kamaji::kubeconfig::Kubeconfig;

impl JoinInput {
    fn kubeconfig(&self, user: &str, token: Option<SecretString>) -> Kubeconfig {
        Kubeconfig {
            cluster: self.cluster_name.clone(),
            user: user.to_owned(),
            server: self.endpoint.url(),
            ca_pem: self.ca_pem.clone(),
            client_certificate_pem: None,
            client_key_pem: None,
            token,
        }
    }

    /// Server and CA without credentials, for kubeadm's discovery by file, which wants a user all the same. Holds no
    /// secret.
    ///
    /// # Errors
    /// The YAML cannot be written, which no input leads to.
    pub fn discovery_kubeconfig(&self) -> Result<String, Problem> {
        Ok(self.kubeconfig("kubeadm-discovery", None).render()?.expose_secret().to_owned())
    }

    /// For a kubelet's `--bootstrap-kubeconfig`: the same, with the token.
    ///
    /// # Errors
    /// The YAML cannot be written, which no input leads to.
    pub fn bootstrap_kubeconfig(&self) -> Result<SecretString, Problem> {
        self.kubeconfig("kubelet-bootstrap", Some(self.token.token())).render()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::plain;
    use super::*;

    #[test]
    fn the_discovery_holds_no_credential_and_the_bootstrap_does() {
        let discovery = plain().discovery_kubeconfig().unwrap();
        let read = Kubeconfig::parse(&discovery).unwrap();
        assert_eq!((read.server.as_str(), read.has_credentials()), ("https://10.0.0.1:6443", false));
        assert_eq!((read.ca_pem, read.user.as_str()), (plain().ca_pem, "kubeadm-discovery"));
        assert!(discovery.contains("users:"), "{discovery}");
        let bootstrap = Kubeconfig::parse(plain().bootstrap_kubeconfig().unwrap().expose_secret()).unwrap();
        assert_eq!(bootstrap.token.unwrap().expose_secret(), "abcdef.0123456789abcdef");
        assert!(!discovery.contains("0123456789abcdef"));
    }
}
