//! Plays requests, each with a deadline, and counts what came of them.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use tfplugin::Value;
use tfplugin::proto::tfplugin6 as wire;
use tokio::time::error::Elapsed;
use tonic::Status;

use super::Extent;
use super::breakage::Field;
use super::clis::{Cli, Walk};
use super::requests::{Template, templates};
use super::rpcs::{RPCS, Rpc};
use super::tally::{Case, Expected, Tally};
use crate::api_server::ApiServer;
use crate::client::{Connection, Launch, PATIENCE, Plugin};
use crate::objects::Schemas;

/// How long a call may wait for something, before it is told to stop.
const WAITING: Duration = Duration::from_secs(10);

/// How long core waits after `StopProvider` before it kills. A call that goes on after it hangs.
pub const TIME_TO_STOP: Duration = Duration::from_secs(5);

/// Processes at a time; most of them wait.
const PROCESSES: usize = 4;

/// Calls in flight on one connection; Terraform has ten by default.
const PARALLELISM: usize = 16;

/// How the provider is configured and what it can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// As in the validate walk.
    Unconfigured,
    Offline,
    /// The API server allows nothing.
    Denied,
    /// The API server's answers are no answers.
    Nonsense,
}

impl World {
    pub const ALL: [World; 4] = [World::Unconfigured, World::Offline, World::Denied, World::Nonsense];
}

/// A started provider in its world.
pub struct Session {
    pub plugin: Plugin,
    pub connection: Connection,
    pub templates: Vec<Template>,
}

impl Session {
    pub async fn start(launch: Launch, cli: &'static Cli, world: World) -> Self {
        let host = match world {
            World::Denied => Some(ApiServer::start().await.always(403)),
            World::Nonsense => Some(ApiServer::start().await.always(200)),
            World::Unconfigured | World::Offline => None,
        };
        let arguments = match &host {
            _ if world == World::Unconfigured => None,
            Some(host) => Some(("host", host.as_str().into())),
            None => Some(("offline", true.into())),
        };
        Self::configured(launch, cli, arguments).await
    }

    /// With this API server.
    pub async fn start_at(launch: Launch, cli: &'static Cli, host: &str) -> Self {
        Self::configured(launch, cli, Some(("host", host.into()))).await
    }

    async fn configured(launch: Launch, cli: &'static Cli, argument: Option<(&str, Value)>) -> Self {
        let plugin = launch.start();
        let mut connection = plugin.connect().await;
        let schemas = Schemas::of(&mut connection).await;
        let request = wire::get_resource_identity_schemas::Request {};
        let identities =
            connection.provider.get_resource_identity_schemas(request).await.expect("identities").into_inner();
        if let Some(argument) = argument {
            let request = wire::configure_provider::Request {
                config: Some(schemas.provider_config(&[argument])),
                terraform_version: cli.version.to_owned(),
                client_capabilities: cli.capabilities,
            };
            let configured = connection.provider.configure_provider(request).await.expect("an answer").into_inner();
            assert_eq!(crate::objects::errors(&configured.diagnostics), [""; 0]);
        }
        let templates = templates(cli, &schemas, &identities);
        Session { plugin, connection, templates }
    }

    /// Ends the process as the CLI does, and looks at what it left on stderr.
    pub async fn end(mut self, what: &str, tally: &mut Tally) {
        let answer = tokio::time::timeout(PATIENCE, self.connection.try_shut_down()).await;
        // What waits for a process blocks the thread.
        tokio::task::block_in_place(|| self.ended(what, answer, tally));
    }

    fn ended(&mut self, what: &str, answer: Result<Result<(), Status>, Elapsed>, tally: &mut Tally) {
        let process = &mut self.plugin.process;
        let problem = match answer {
            Err(_) => Some("no answer to Shutdown".to_owned()),
            Ok(Err(status)) => Some(format!("Shutdown: {status:?}")),
            Ok(Ok(())) => match process.ended_within(PATIENCE) {
                None => Some(format!("still running {PATIENCE:?} after Shutdown")),
                Some(status) if !status.success() => Some(format!("ended with {status}")),
                Some(_) => None,
            },
        };
        if let Some(problem) = problem {
            tally.fail(format!("{what}: {problem}"));
            process.kill();
        }
        let stderr = process.drain_stderr();
        for (at, _) in stderr.iter().enumerate().filter(|(_, line)| line.starts_with("panic: ")) {
            let report = stderr[at..].iter().take(40).cloned().collect::<Vec<_>>().join("\n");
            tally.panicked(&format!("{what}: on stderr: {report}"));
        }
    }
}

/// One walk of a command: the right requests, in the order of the walk, then the end.
pub async fn valid_requests(cli: &'static Cli, walk: &Walk, tally: &mut Tally) {
    let world = if walk.configured { World::Offline } else { World::Unconfigured };
    let session = Session::start(cli.launch(), cli, world).await;
    for name in walk.calls {
        let cases = session.templates.iter().filter(|template| template.rpc == *name).map(|template| {
            let what = format!("{} of {}'s {} walk", template.about, cli.name, walk.name);
            (case(template, what, Expected::Answer), vec![template.good()])
        });
        play(&session.connection, cases, tally).await;
    }
    session.end(&format!("{}'s {} walk", cli.name, walk.name), tally).await;
}

fn case(template: &Template, what: String, expected: Expected) -> Case<'_> {
    Case { rpc: Rpc::named(template.rpc), what, expected, template: Some(template) }
}

/// Every field of every request broken in every way, a process for each RPC.
pub async fn broken_requests(world: World, cli: &'static Cli, extent: Extent, tally: &mut Tally) {
    // Whether a value can be read is the same everywhere; what is done with one differs where the API is asked.
    let extent = match world {
        World::Offline => extent,
        World::Denied if extent == Extent::All => Extent::Sample,
        _ => Extent::Glance,
    };
    each_rpc(tally, |rpc| async move {
        let mut tally = Tally::default();
        let session = Session::start(cli.launch(), cli, world).await;
        let templates = session.templates.iter().filter(|template| template.rpc == rpc.name).enumerate();
        let cases = templates.flat_map(|(turn, template)| cases_of(template, world, extent, turn));
        play(&session.connection, cases, &mut tally).await;
        session.end(&format!("{} {world:?}", rpc.name), &mut tally).await;
        tally
    })
    .await;
}

/// Plays each RPC, several at a time.
pub async fn each_rpc<F: Future<Output = Tally>>(tally: &mut Tally, play: impl Fn(&'static Rpc) -> F) {
    let mut played = futures::stream::iter(RPCS.iter().map(play)).buffer_unordered(PROCESSES);
    while let Some(played) = played.next().await {
        tally.add(played);
    }
}

fn cases_of(
    template: &Template,
    world: World,
    extent: Extent,
    turn: usize,
) -> impl Iterator<Item = (Case<'_>, Vec<Vec<u8>>)> + Send {
    let about = &template.about;
    let named = move |what: &str| format!("{about} ({world:?}): {what}");
    let absent = template.message(&template.fields.iter().map(Field::absent).collect::<Vec<_>>());
    let whole = [
        (case(template, named("as it should be"), Expected::Answer), vec![template.good()]),
        (case(template, named("an empty message"), Expected::Answer), vec![Vec::new()]),
        (case(template, named("every field absent"), Expected::Answer), vec![absent]),
    ];
    let fields = template.fields.iter().enumerate().flat_map(move |(index, field)| {
        field.broken(extent, turn + index).map(move |broken| {
            let expected = if broken.refused { Expected::Refusal } else { Expected::Answer };
            let message = template.with(index, broken.content);
            (case(template, format!("{about} ({world:?}): {}", broken.what), expected), vec![message])
        })
    });
    whole.into_iter().chain(fields)
}

/// Makes the calls, many at a time.
pub async fn play<'a>(
    connection: &Connection,
    cases: impl Iterator<Item = (Case<'a>, Vec<Vec<u8>>)>,
    tally: &mut Tally,
) {
    let calls = cases.map(|(case, messages)| {
        let call = connection.call(case.rpc.name, messages);
        async move {
            let begun = Instant::now();
            let (end, stopped) = end_of(connection, call).await;
            (case, begun.elapsed(), end, stopped)
        }
    });
    let mut ends = futures::stream::iter(calls).buffer_unordered(PARALLELISM);
    while let Some((case, took, end, stopped)) = ends.next().await {
        tally.row(case.rpc.name).stopped += usize::from(stopped);
        tally.record(&case, took, end);
    }
}

/// The end of a call and whether it had to be told to stop: what waits for a control plane to become ready, say, waits
/// long. [`None`] is a call that does not end.
pub async fn end_of<T>(connection: &Connection, call: impl Future<Output = T>) -> (Option<T>, bool) {
    let mut call = std::pin::pin!(call);
    if let Ok(end) = tokio::time::timeout(WAITING, &mut call).await {
        return (Some(end), false);
    }
    let stop = connection.call("StopProvider", vec![Vec::new()]);
    // If it does not stop, that shows in the call.
    let _ = tokio::time::timeout(TIME_TO_STOP, stop).await;
    (tokio::time::timeout(TIME_TO_STOP, call).await.ok(), true)
}
