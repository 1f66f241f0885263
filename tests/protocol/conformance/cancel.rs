//! An end in the middle of every RPC: the client gives the call up, closes the connection, or asks the provider to stop.

use std::time::{Duration, Instant};

use super::clis::Cli;
use super::rpcs::Rpc;
use super::runner::{Session, TIME_TO_STOP, each_rpc};
use super::tally::{Case, Expected, Tally};
use crate::api_server::ApiServer;
use crate::client::{PATIENCE, Plugin};
use crate::interrupt::PROMISED;
use tfplugin::proto::tfplugin6 as wire;

pub async fn play(cli: &'static Cli, tally: &mut Tally) {
    each_rpc(tally, |rpc| play_rpc(rpc, cli)).await;
}

async fn play_rpc(rpc: &'static Rpc, cli: &'static Cli) -> Tally {
    let mut tally = Tally::default();
    // An API server that never answers keeps every call waiting that needs one.
    let mut api = ApiServer::start().await;
    let mut session = Session::start_at(cli.launch(), cli, &api.url).await;
    let templates = session.templates.iter().filter(|template| template.rpc == rpc.name);
    let requests: Vec<_> = templates.map(|template| (template.about.clone(), template.good())).collect();
    for (about, message) in &requests {
        stopped(rpc, about, message, &mut session, &mut api, &mut tally).await;
    }
    for (about, message) in &requests {
        // Given up before and after the provider has seen it.
        for after in [1, 50] {
            let call = session.connection.call(rpc.name, vec![message.clone()]);
            let _ = tokio::time::timeout(Duration::from_millis(after), call).await;
            answers(rpc, &format!("{about} given up after {after} ms"), &session, &mut tally).await;
        }
    }
    let (about, message) = &requests[0];
    disconnected(rpc, about, message, &session.plugin, &mut tally).await;
    session.end(&format!("{} cancelled", rpc.name), &mut tally).await;
    tally
}

/// `StopProvider` ends what waits.
async fn stopped(
    rpc: &'static Rpc,
    about: &str,
    message: &[u8],
    session: &mut Session,
    api: &mut ApiServer,
    tally: &mut Tally,
) {
    let case = Case { rpc, what: format!("{about} stopped"), expected: Expected::Answer, template: None };
    let mut call = std::pin::pin!(session.connection.call(rpc.name, vec![message.to_vec()]));
    let begun = Instant::now();
    let waits = tokio::select! {
        end = &mut call => {
            // It needs no API.
            tally.record(&case, begun.elapsed(), Some(end));
            return;
        }
        asked = api.next() => Some(asked),
        // It waits for something else, such as a machine.
        () = tokio::time::sleep(Duration::from_secs(2)) => None,
    };
    let stopping = Instant::now();
    let mut end = None;
    while end.is_none() && stopping.elapsed() < TIME_TO_STOP {
        // A request of a call that was stopped before may come late, and this call later than the stop.
        if let Err(status) = session.connection.provider.stop_provider(wire::stop_provider::Request {}).await {
            tally.fail(format!("StopProvider during {} of {about}: {status:?}", rpc.name));
        }
        end = tokio::time::timeout(PROMISED, &mut call).await.ok();
    }
    tally.record(&case, stopping.elapsed(), end);
    drop(waits);
}

/// The server goes on after what ended early.
async fn answers(rpc: &'static Rpc, what: &str, session: &Session, tally: &mut Tally) {
    let call = session.connection.call("GetMetadata", vec![Vec::new()]);
    let case = Case { rpc, what: what.to_owned(), expected: Expected::Answer, template: None };
    let begun = Instant::now();
    let end = tokio::time::timeout(PATIENCE, call).await.ok();
    let end = end.map(|end| end.map(|_| vec![Vec::new()]));
    tally.record(&case, begun.elapsed(), end);
}

/// A connection that is closed ends its calls, not the process.
async fn disconnected(rpc: &'static Rpc, about: &str, message: &[u8], plugin: &Plugin, tally: &mut Tally) {
    let other = plugin.connect().await;
    let call = other.call(rpc.name, vec![message.to_vec()]);
    let _ = tokio::time::timeout(Duration::from_millis(20), call).await;
    drop(other);
    let case = Case { rpc, what: format!("{about} disconnected"), expected: Expected::Answer, template: None };
    let begun = Instant::now();
    let again = tokio::time::timeout(PATIENCE, async {
        plugin.connect().await.call("GetMetadata", vec![Vec::new()]).await.map(|_| vec![Vec::new()])
    });
    let end = again.await.ok();
    tally.record(&case, begun.elapsed(), end);
}
