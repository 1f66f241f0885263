//! Functions of the provider, `provider::kamaji::<name>`: what Kamaji, kubeadm and Kubernetes mean, to ask in a configuration.
//!
//! All of them are rows over the domain code in [`crate::kamaji`]; none decides anything by itself.

mod join_command;
mod kubeconfig;
mod networks;
mod quantity;
mod resource_id;
#[cfg(test)]
mod tests;
mod versions;

use std::cmp::Ordering;
use std::sync::LazyLock;

use tfplugin::Value;
use tfplugin::function::{Arguments, Function, FunctionError, Signature};
use tfplugin::schema::{Attribute, number};

/// All functions, by name.
pub static ALL: [&(dyn Function + 'static); 11] = [
    &kubeconfig::BUILD,
    &networks::CONTAINS,
    &networks::OVERLAPS,
    &networks::DNS_SERVICE_IP,
    &join_command::JOIN_COMMAND,
    &versions::KUBELET_SKEW_OK,
    &versions::NEXT,
    &kubeconfig::PARSE,
    &resource_id::PARSE,
    &quantity::COMPARE,
    &versions::COMPARE,
];

/// A function as a row: its name, its table, and what it computes.
struct Row {
    name: &'static str,
    signature: LazyLock<Signature>,
    call: fn(&Arguments) -> Result<Value, FunctionError>,
}

impl Row {
    const fn new(
        name: &'static str,
        signature: fn() -> Signature,
        call: fn(&Arguments) -> Result<Value, FunctionError>,
    ) -> Self {
        Self { name, signature: LazyLock::new(signature), call }
    }
}

impl Function for Row {
    fn name(&self) -> &'static str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn call(&self, arguments: &Arguments) -> Result<Value, FunctionError> {
        (self.call)(arguments)
    }
}

/// The result of a comparison.
fn order(doc: &'static str) -> Attribute {
    number("order").doc(doc)
}

/// -1, 0 or 1.
fn sign(order: Ordering) -> Value {
    Value::from(i64::from(order as i8))
}
