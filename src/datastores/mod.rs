//! The data source `kamaji_datastores`: which datastores there are, and who uses them.

mod list;
pub mod schema;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value as Json;
use tfplugin::data_source::DataSource;
use tfplugin::resource::Context;
use tfplugin::schema::Schema;
use tfplugin::{Diagnostics, Value};

use crate::configured::Configured;
use crate::datastore::show;
use crate::managed_object::mapping;
use crate::managed_object::selectors::{refused, selectors};
use crate::management_cluster::{Kind, Operation, REFRESH_PATIENCE, json_of};
use schema::{SCHEMA, SHOWN};

/// How long the list may take.
const LIMIT: Duration = Duration::from_secs(120);

/// The data source.
pub struct DataStores {
    shared: Arc<Configured>,
}

impl DataStores {
    /// The data source in a provider.
    pub fn new(shared: Arc<Configured>) -> Self {
        Self { shared }
    }
}

/// What is shown of a datastore.
fn summary(live: &Json) -> Value {
    let mut all = mapping::show(&SHOWN, live);
    show(live, &mut all);
    Value::object(SHOWN.iter().map(|attribute| (attribute.name, all.get(attribute.name).clone())))
}

#[async_trait]
impl DataSource for DataStores {
    fn type_name(&self) -> &'static str {
        "kamaji_datastores"
    }

    fn schema(&self) -> &Schema {
        &SCHEMA
    }

    async fn read(&self, cx: &Context, config: Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let cluster = self.shared.cluster()?;
        let operation = Operation::new(LIMIT, &cx.stop).patience(REFRESH_PATIENCE);
        let keep = |object| summary(&json_of(&object));
        let listed = cluster.list_selected(&operation, Kind::DataStore, None, selectors(&config), keep).await;
        let mut found = listed.map_err(|error| refused(&error, "list the datastores"))?;
        found.retain(|store| config.str_at("driver").is_none_or(|driver| store.str_at("driver") == Some(driver)));
        found.sort_by_cached_key(|store| store.str_at("name").unwrap_or_default().to_owned());
        let mut result = config;
        result.set("names", Value::strings(found.iter().filter_map(|store| store.str_at("name"))));
        result.set("datastores", Value::List(found));
        Ok((result, Diagnostics::new()))
    }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use serde_json::json;
    use tfplugin::schema::ObjectKind;
    use tfplugin::schema::check::check;

    use super::*;
    use crate::management_cluster::scripted::{Scripted, list_of, on};

    #[test]
    fn core_accepts_the_schema() {
        assert_eq!(check(ObjectKind::DataSource, &SCHEMA), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn the_drivers_are_told_apart_and_no_secret_is_shown() {
        let store = |name: &str, driver: &str| {
            json!({"metadata": {"name": name, "uid": name}, "spec": {"driver": driver, "endpoints": ["a:1"],
                "basicAuth": {"password": {"content": "c2VjcmV0"}}}, "status": {"usedBy": ["t/a"], "ready": true}})
        };
        let all = list_of("1", &[store("b", "etcd"), store("n", "NATS"), store("a", "etcd")]);
        let api = Scripted::new([on(Method::GET, "/apis/kamaji.clastix.io/v1alpha1/datastores").answers(200, &all)]);
        let mut config = SCHEMA.null_object();
        config.set("driver", "etcd".into());
        config.set("field_selector", "metadata.name!=c".into());
        let source = DataStores::new(Arc::new(Configured::of(api.cluster())));
        let (result, _) = source.read(&Context::default(), config).await.expect("a list");
        assert_eq!(result.get("names"), &Value::strings(["a", "b"]));
        assert!(api.asked()[0].query.contains("fieldSelector=metadata.name%21%3Dc"), "{}", api.asked()[0].query);
        let first = result.get("datastores").as_list().expect("a list").first().expect("one");
        assert_eq!(first.get("used_by"), &Value::strings(["t/a"]));
        assert_eq!(first.get("ready"), &true.into());
        assert!(!format!("{result:?}").contains("secret"), "{result:?}");
        api.finish();
    }
}
