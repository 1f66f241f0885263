//! Deferral: while the provider block is not known, everything that would ask the management cluster is put off, if the
//! client takes that; what is sent along is known as far as it is configured. Without it the plan goes on offline.

use tfplugin::Value;
use tfplugin::proto::tfplugin6::deferred::Reason;
use tfplugin::proto::tfplugin6::schema::Attribute;
use tfplugin::proto::tfplugin6::{self as wire, ClientCapabilities};

use crate::client::{Connection, Launch, Plugin};
use crate::conformance::requests::{lean, state};
use crate::objects::{Object, Schemas, errors, propose};

/// A configured process, and what is expected of it.
struct Configured {
    _plugin: Plugin,
    connection: Connection,
    schemas: Schemas,
    /// What plan, read and import say in each request.
    capabilities: Option<ClientCapabilities>,
    deferred: Option<Reason>,
    /// Why nothing is asked, where that is an error.
    refusal: &'static str,
}

impl Configured {
    async fn with(arguments: &[(&str, Value)], deferral_allowed: bool, refusal: Option<&'static str>) -> Self {
        let plugin = Launch::as_plugin().start();
        let mut connection = plugin.connect().await;
        let schemas = Schemas::of(&mut connection).await;
        let capabilities = Some(ClientCapabilities { deferral_allowed, ..Default::default() });
        let request = wire::configure_provider::Request {
            config: Some(schemas.provider_config(arguments)),
            client_capabilities: capabilities,
            ..Default::default()
        };
        let configured = connection.provider.configure_provider(request).await.unwrap().into_inner();
        assert_eq!(errors(&configured.diagnostics), [""; 0]);
        let deferred = refusal.is_none().then_some(Reason::ProviderConfigUnknown);
        let refusal = refusal.unwrap_or_default();
        Configured { _plugin: plugin, connection, schemas, capabilities, deferred, refusal }
    }

    #[track_caller]
    fn check(&self, what: &str, deferred: Option<wire::Deferred>, diagnostics: &[wire::Diagnostic]) {
        assert_eq!(deferred.map(|deferred| deferred.reason()), self.deferred, "{what}");
        assert_eq!(errors(diagnostics), [""; 0], "{what}");
    }

    /// The same for what cannot be answered without the cluster.
    #[track_caller]
    fn check_asking(&self, what: &str, deferred: Option<wire::Deferred>, diagnostics: &[wire::Diagnostic]) {
        assert_eq!(deferred.map(|deferred| deferred.reason()), self.deferred, "{what}");
        let refusals: &[&str] = if deferred.is_some() { &[] } else { &[self.refusal] };
        assert_eq!(errors(diagnostics), refusals, "{what}");
    }

    async fn plan(&mut self, type_name: &str, prior: &Value, config: &Value) -> Value {
        let object = Object::of(&self.schemas.0.resource_schemas[type_name]);
        let proposed = if config.is_null() { Value::Null } else { propose(&object.block.attributes, config, prior) };
        let request = wire::plan_resource_change::Request {
            type_name: type_name.to_owned(),
            prior_state: Some(object.write(prior)),
            proposed_new_state: Some(object.write(&proposed)),
            config: Some(object.write(config)),
            client_capabilities: self.capabilities,
            ..Default::default()
        };
        let plan = self.connection.provider.plan_resource_change(request).await.unwrap().into_inner();
        self.check(type_name, plan.deferred, &plan.diagnostics);
        object.read(plan.planned_state.as_ref())
    }

    /// Reads a state, which must come back as it is.
    async fn read(&mut self, type_name: &str, current: wire::DynamicValue, private: &[u8]) {
        let request = wire::read_resource::Request {
            type_name: type_name.to_owned(),
            current_state: Some(current.clone()),
            private: private.to_vec(),
            client_capabilities: self.capabilities,
            ..Default::default()
        };
        let read = self.connection.provider.read_resource(request).await.unwrap().into_inner();
        self.check(type_name, read.deferred, &read.diagnostics);
        assert_eq!(read.new_state.as_ref(), Some(&current), "{type_name}");
        if self.deferred.is_some() {
            // A refresh that is left out without a deferral is said, and remembered.
            assert_eq!((read.private.as_slice(), read.diagnostics.len()), (private, 0), "{type_name}");
        }
    }

    async fn managed(&mut self) {
        for type_name in self.schemas.0.resource_schemas.keys().cloned().collect::<Vec<_>>() {
            let object = Object::of(&self.schemas.0.resource_schemas[&type_name]);
            let attributes = object.block.attributes.clone();
            let (mut config, mut stored) = (lean(object), state(object));
            for attribute in &attributes {
                // What follows from the configuration alone.
                if attribute.name.ends_with("_all") {
                    stored.set(&attribute.name, Value::Null);
                }
                if attribute.name == "deletion_protection" {
                    config.set(&attribute.name, false.into());
                    stored.set(&attribute.name, false.into());
                }
            }
            let written = object.write(&stored);
            let planned = self.plan(&type_name, &Value::Null, &config).await;
            is_planned(&attributes, &config, &planned);
            assert_eq!(planned.get("id"), &Value::Unknown, "{type_name}");
            self.read(&type_name, written, b"{}").await;
            assert_eq!(self.plan(&type_name, &stored, &config).await, stored, "{type_name}");
            assert_eq!(self.plan(&type_name, &stored, &Value::Null).await, Value::Null, "{type_name}");
        }
    }

    /// Imports by id and by identity, up to the plan that core makes of it.
    async fn imported(&mut self) {
        let by_identity = wire::get_resource_identity_schemas::Request {};
        let identities =
            self.connection.provider.get_resource_identity_schemas(by_identity).await.unwrap().into_inner();
        for (type_name, id) in [
            ("kamaji_tenant_control_plane", "tenants/a"),
            ("kamaji_datastore", "a"),
            ("kamaji_worker", "tenants/a#n"),
            ("kamaji_worker_nodes", "tenants/a/node_names=n"),
        ] {
            assert!(identities.identity_schemas.contains_key(type_name));
            let request = wire::import_resource_state::Request {
                type_name: type_name.to_owned(),
                id: id.to_owned(),
                client_capabilities: self.capabilities,
                ..Default::default()
            };
            let imported = self.connection.provider.import_resource_state(request).await.unwrap().into_inner();
            self.check(type_name, imported.deferred, &imported.diagnostics);
            let [resource] = imported.imported_resources.as_slice() else { panic!("{imported:?}") };
            let object = Object::of(&self.schemas.0.resource_schemas[type_name]);
            let (attributes, config) = (object.block.attributes.clone(), lean(object));
            let found = object.read(resource.state.as_ref());
            assert_eq!(found.is_null(), self.deferred.is_some(), "{type_name}");

            let request = wire::import_resource_state::Request {
                type_name: type_name.to_owned(),
                identity: resource.identity.clone(),
                client_capabilities: self.capabilities,
                ..Default::default()
            };
            let again = self.connection.provider.import_resource_state(request).await.unwrap().into_inner();
            assert_eq!(again, imported, "by identity");
            if self.deferred.is_some() {
                self.read(type_name, resource.state.clone().unwrap(), &resource.private).await;
                let planned = self.plan(type_name, &found, &config).await;
                is_planned(&attributes, &config, &planned);
                assert_eq!(planned.get("id"), &Value::Unknown, "{type_name}");
            }
        }
    }

    async fn others(&mut self) {
        for (type_name, schema) in &self.schemas.0.data_source_schemas {
            let object = Object::of(schema);
            let config = lean(object);
            let request = wire::read_data_source::Request {
                type_name: type_name.clone(),
                config: Some(object.write(&config)),
                client_capabilities: self.capabilities,
                ..Default::default()
            };
            let read = self.connection.provider.read_data_source(request).await.unwrap().into_inner();
            self.check_asking(type_name, read.deferred, &read.diagnostics);
            if read.deferred.is_some() {
                is_planned(&object.block.attributes, &config, &object.read(read.state.as_ref()));
            }
        }
        for (type_name, schema) in &self.schemas.0.ephemeral_resource_schemas {
            let object = Object::of(schema);
            let config = lean(object);
            let request = wire::open_ephemeral_resource::Request {
                type_name: type_name.clone(),
                config: Some(object.write(&config)),
                // All that core says here, also where it takes deferrals.
                client_capabilities: Some(ClientCapabilities::default()),
            };
            let opened = self.connection.provider.open_ephemeral_resource(request).await.unwrap().into_inner();
            self.check_asking(type_name, opened.deferred, &opened.diagnostics);
            assert!(opened.private.is_none_or(|private| private.is_empty()) && opened.renew_at.is_none());
            if opened.deferred.is_some() {
                is_planned(&object.block.attributes, &config, &object.read(opened.result.as_ref()));
            }
        }
        for (type_name, schema) in &self.schemas.0.action_schemas {
            let object = Object::of(schema.schema.as_ref().unwrap());
            for id in [Value::Unknown, Value::from("tenants/a")] {
                let mut config = lean(object);
                config.set("tenant_control_plane_id", id);
                let request = wire::plan_action::Request {
                    action_type: type_name.clone(),
                    config: Some(object.write(&config)),
                    client_capabilities: self.capabilities,
                };
                let planned = self.connection.provider.plan_action(request).await.unwrap().into_inner();
                self.check(type_name, planned.deferred, &planned.diagnostics);
            }
        }
    }
}

/// What core demands of a plan: what is configured is planned, and what only the provider knows is null or unknown.
#[track_caller]
fn is_planned(attributes: &[Attribute], config: &Value, planned: &Value) {
    assert!(!planned.is_null());
    for attribute in attributes {
        let (given, value) = (config.get(&attribute.name), planned.get(&attribute.name));
        if attribute.write_only {
            assert_eq!(value, &Value::Null, "{}", attribute.name);
        } else if !attribute.computed || !given.is_null() {
            assert_eq!(value, given, "{}", attribute.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_put_off_while_the_provider_block_is_unknown() {
    let mut configured = Configured::with(&[("host", Value::Unknown)], true, None).await;
    configured.managed().await;
    configured.imported().await;
    configured.others().await;
    // The next plan knows it, in a process that a developer has started.
    let request = wire::configure_provider::Request {
        config: Some(configured.schemas.provider_config(&[("offline", true.into())])),
        client_capabilities: configured.capabilities,
        ..Default::default()
    };
    configured.connection.provider.configure_provider(request).await.unwrap();
    (configured.deferred, configured.refusal) = (None, "Provider is offline");
    configured.managed().await;
    configured.others().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_put_off_where_the_client_takes_no_deferral() {
    let refusal = Some("Management cluster not known yet");
    let mut configured = Configured::with(&[("host", Value::Unknown)], false, refusal).await;
    configured.managed().await;
    configured.imported().await;
    configured.others().await;
}

/// Terraform takes deferrals in every apply.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_put_off_where_no_cluster_is_to_be_asked() {
    let arguments = [("offline", true.into()), ("host", Value::Unknown)];
    let mut configured = Configured::with(&arguments, true, Some("Provider is offline")).await;
    configured.managed().await;
    configured.imported().await;
    configured.others().await;
}
