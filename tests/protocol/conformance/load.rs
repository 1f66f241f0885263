//! Many calls at once, and values of many megabytes.

use std::time::{Duration, Instant};

use tfplugin::Value;
use tfplugin::value::{self, Type};

use super::Extent;
use super::breakage::{Good, dynamic};
use super::clis::Cli;
use super::requests::Template;
use super::rpcs::{RPCS, Rpc};
use super::runner::{Session, World};
use super::samples::{full, places, with};
use super::tally::{Case, Expected, Tally};
use crate::client::Launch;

/// As `-parallelism=300` does.
const PARALLELISM: usize = 300;

/// How long all of them together may take; a debug build makes the schemas slowly.
const FOR_ALL: Duration = Duration::from_secs(120);

/// The largest message that core sends and gets of everything but states.
const LARGE: usize = 64 << 20;

/// Beyond the four megabytes that gRPC servers allow by default.
const MEDIUM: usize = 5 << 20;

/// 300 calls of an RPC in flight on one connection; in a sample only of those that core makes so many of.
pub async fn many_at_once(cli: &'static Cli, extent: Extent, tally: &mut Tally) {
    let session = Session::start(cli.launch(), cli, World::Denied).await;
    for rpc in &RPCS {
        let templates: Vec<_> = session.templates.iter().filter(|template| template.rpc == rpc.name).collect();
        let walked = ["ReadResource", "PlanResourceChange", "ApplyResourceChange"].contains(&rpc.name);
        let many = if walked || extent == Extent::All { PARALLELISM } else { PARALLELISM / 10 };
        let begun = Instant::now();
        let calls = (0..many).map(|n| {
            let template = templates[n % templates.len()];
            let call = session.connection.call(rpc.name, vec![template.good()]);
            async move { (template, tokio::time::timeout(FOR_ALL, call).await.ok()) }
        });
        for (template, end) in futures::future::join_all(calls).await {
            let what = format!("{} beside {many} others", template.about);
            let case = Case { rpc, what, expected: Expected::Answer, template: Some(template) };
            tally.record(&case, begun.elapsed(), end);
        }
    }
    session.end("-parallelism=300", tally).await;
}

/// A string, a list and a map of many megabytes in every kind of request that carries values.
pub async fn many_megabytes(cli: &'static Cli, extent: Extent, tally: &mut Tally) {
    for rpc in &RPCS {
        // Without TLS, as with TF_DISABLE_PLUGIN_TLS.
        let launch = Launch::plain().env("PLUGIN_PROTOCOL_VERSIONS", cli.protocols);
        let session = Session::start(launch, cli, World::Offline).await;
        let all: Vec<_> = session.templates.iter().filter(|template| template.rpc == rpc.name).collect();
        let templates = if extent == Extent::All { all.as_slice() } else { &all[..all.len().min(1)] };
        let bytes = if extent == Extent::All || rpc.name.starts_with("Validate") { LARGE } else { MEDIUM };
        let bytes = if rpc.name == "ValidateResourceConfig" || extent == Extent::All { bytes } else { MEDIUM };
        for template in templates {
            for (what, message) in large(template, bytes) {
                let case = Case {
                    rpc: Rpc::named(template.rpc),
                    what: format!("{} with {what} of {bytes} bytes", template.about),
                    expected: Expected::Answer,
                    template: None,
                };
                // A debug build takes its time over millions of elements.
                let begun = Instant::now();
                let call = session.connection.call(template.rpc, vec![message]);
                let end = tokio::time::timeout(FOR_ALL, call).await.ok();
                tally.record(&case, begun.elapsed(), end);
            }
        }
        let peak = session.plugin.process.peak_memory();
        tally.played("memory", if peak < 4 << 30 { Ok(()) } else { Err(format!("{peak} bytes at most")) }, rpc.name);
        session.end(&format!("{} with many megabytes", rpc.name), tally).await;
    }
}

/// Requests with something large at the first place of each kind.
fn large(template: &Template, bytes: usize) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for (index, field) in template.fields.iter().enumerate() {
        let (ty, whole) = match &field.good {
            Good::Value { ty, full, .. } | Good::Stored { ty, full } => (ty, full),
            Good::Private(_) => {
                let content = super::breakage::Content::Bytes(vec![b' '; bytes]);
                all.push((format!("{} of spaces", field.name), template.with(index, content)));
                continue;
            }
            _ => continue,
        };
        let places = places(ty);
        let first = |fits: fn(&Type) -> bool| places.iter().find(|(_, ty)| fits(ty));
        let text =
            first(|ty| *ty == Type::String).map(|(place, _)| (place, Value::from("x".repeat(bytes)), "a string"));
        let list = first(|ty| matches!(ty, Type::List(_) | Type::Set(_)));
        let list =
            list.map(|(place, ty)| (place, Value::List(vec![Value::Null; elements(ty, bytes)]), "a list of nulls"));
        let map = first(|ty| matches!(ty, Type::Map(element) if **element == Type::String));
        let map = map.map(|(place, ty)| {
            let Type::Map(element) = ty else { return (place, Value::Null, "nothing") };
            let members = (0..bytes / 64).map(|n| (format!("{n:032}"), full(element, "")));
            (place, Value::object(members), "a map")
        });
        for (place, value, kind) in [text, list, map].into_iter().flatten() {
            let Some(value) = with(whole, place, value) else { continue };
            let content = match field.good {
                Good::Stored { .. } => {
                    let json = value::to_json(&value, ty).to_string().into_bytes();
                    super::breakage::Content::Stored(Some(tfplugin::proto::tfplugin6::RawState {
                        json,
                        flatmap: Default::default(),
                    }))
                }
                _ => dynamic(value::encode(&value, ty)),
            };
            all.push((format!("{} = {kind}", place.join(".")), template.with(index, content)));
        }
    }
    all
}

/// A byte an element; a set is compared pairwise, so it gets fewer.
fn elements(ty: &Type, bytes: usize) -> usize {
    if matches!(ty, Type::Set(_)) { 10_000 } else { bytes / 16 }
}
