//! Deferral: what depends on a provider block that is not known yet is put off to the next plan, if the client takes that.
//! Without it the provider does what can be done offline.
//!
//! What is sent along is not applied; core shows it, and evaluates what refers to the object with it. So what nobody knows
//! yet has to be unknown, and not null.

use super::Inner;
use crate::plan::propose;
use crate::proto::tfplugin6 as wire;
use crate::schema::Schema;
use crate::value::Value;

impl Inner {
    /// The deferral of a call that cannot be answered before the provider block is known: the one reason that core accepts
    /// for all kinds of objects. [`None`] if it can, or if the client takes none.
    pub(super) fn deferral(&self, client: Option<wire::ClientCapabilities>) -> Option<wire::Deferred> {
        let accepted = client.is_some_and(|client| client.deferral_allowed);
        let reason = wire::deferred::Reason::ProviderConfigUnknown.into();
        (accepted && self.provider.is_partly_unknown()).then_some(wire::Deferred { reason })
    }
}

/// What stands for an object of this configuration that could not be read: all that it computes is unknown.
pub(super) fn placeholder(schema: &Schema, config: &Value) -> Value {
    propose(schema, &Value::Null, config, config).planned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{RecomputedBy, object, string};

    fn schema() -> Schema {
        Schema::new(
            0,
            "A thing.",
            vec![
                string("name").required(),
                string("size"),
                string("id").computed(RecomputedBy::Nothing),
                object("place", vec![string("street"), string("floor").computed(RecomputedBy::Nothing)]),
            ],
        )
    }

    #[test]
    fn what_was_not_read_is_configured_or_unknown() {
        let mut config = schema().null_object();
        config.set("name", "a".into());
        config.set("place", Value::object([("street", Value::from("b")), ("floor", Value::Null)]));
        let stands_for = placeholder(&schema(), &config);
        assert_eq!(stands_for.get("name"), &"a".into());
        assert_eq!((stands_for.get("size"), stands_for.get("id")), (&Value::Null, &Value::Unknown));
        assert_eq!((stands_for.str_at("place.street"), stands_for.get("place.floor")), (Some("b"), &Value::Unknown));
    }
}
