//! Below the messages: what is no protobuf, no gRPC and no HTTP/2 request of gRPC.

use std::time::Instant;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use tonic::body::Body;

use super::clis::Cli;
use super::requests::Template;
use super::rpcs::Rpc;
use super::runner::{Session, World, each_rpc, play as play_cases};
use super::tally::{Case, Expected, Tally};
use crate::client::{Connection, PATIENCE};

async fn play_rpc(session: &Session, rpc: &'static Rpc, tally: &mut Tally) {
    let template = session.templates.iter().find(|template| template.rpc == rpc.name).expect("a request of every RPC");
    let good = template.good();
    let case = |what: &str, expected, messages: Vec<Vec<u8>>| {
        (Case { rpc, what: what.to_owned(), expected, template: None }, messages)
    };
    let with = |bytes: &[u8]| vec![[good.as_slice(), bytes].concat()];
    let cases = [
        case("without a message", Expected::End, Vec::new()),
        case("two messages", Expected::End, vec![good.clone(), good.clone()]),
        case("a message that is no protobuf", Expected::End, vec![vec![0xff; 64]]),
        case("a message with a group that does not end", Expected::End, vec![vec![0x0b; 4096]]),
        case("a message cut off", Expected::End, vec![good[..good.len() / 2].to_vec()]),
        case("a field that claims four gigabytes", Expected::End, with(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f])),
        case("a name that is not UTF-8", Expected::End, vec![vec![0x0a, 2, 0xff, 0xfe]]),
        // A newer client has fields that this provider does not know.
        case("a number that is not known yet", Expected::Answer, with(&[0xf8, 0x7f, 1])),
        case("a message that is not known yet", Expected::Answer, with(&[0xfa, 0x7f, 2, 0x0a, 0])),
    ];
    play_cases(&session.connection, cases.into_iter(), tally).await;
    for (what, request) in http_requests(rpc, &template_frame(template)) {
        let begun = Instant::now();
        let end = tokio::time::timeout(PATIENCE, exchange(&session.connection, request)).await;
        let case = Case { rpc, what: what.to_owned(), expected: Expected::End, template: None };
        // What ends is well, with whatever status.
        let end = end
            .ok()
            .map(|end| Err(tonic::Status::unknown(end.err().map(|error| error.to_string()).unwrap_or_default())));
        tally.record(&case, begun.elapsed(), end);
    }
    // A broken request ends its call alone.
    let case = Case { rpc, what: "after all that".to_owned(), expected: Expected::Answer, template: Some(template) };
    play_cases(&session.connection, [(case, vec![good])].into_iter(), tally).await;
}

pub async fn play(cli: &'static Cli, tally: &mut Tally) {
    each_rpc(tally, |rpc| async move {
        let mut tally = Tally::default();
        let session = Session::start(cli.launch(), cli, World::Offline).await;
        play_rpc(&session, rpc, &mut tally).await;
        session.end(&format!("{} with broken frames", rpc.name), &mut tally).await;
        tally
    })
    .await;
}

/// The good message with the five bytes that gRPC puts before it.
fn template_frame(template: &Template) -> Vec<u8> {
    let message = template.good();
    let length = u32::try_from(message.len()).expect("a length");
    [&[0], length.to_be_bytes().as_slice(), &message].concat()
}

fn http_requests(rpc: &Rpc, frame: &[u8]) -> Vec<(&'static str, Request<Body>)> {
    let path = format!("/tfplugin6.Provider/{}", rpc.name);
    let request = |method: Method, path: &str, content_type: &str, body: &[u8]| {
        let builder = Request::builder().method(method).uri(format!("http://localhost{path}")).header("te", "trailers");
        let body = Body::new(Full::new(Bytes::copy_from_slice(body)));
        builder.header("content-type", content_type).body(body).expect("a request")
    };
    let post = |body: &[u8]| request(Method::POST, &path, "application/grpc", body);
    let compressed = [&[1], &frame[1..]].concat();
    let mut short_of_time = post(frame);
    short_of_time.headers_mut().insert("grpc-timeout", http::HeaderValue::from_static("1n"));
    let mut no_time = post(frame);
    no_time.headers_mut().insert("grpc-timeout", http::HeaderValue::from_static("soon"));
    let mut gzip = post(&compressed);
    gzip.headers_mut().insert("grpc-encoding", http::HeaderValue::from_static("gzip"));
    vec![
        ("no frame", post(&[])),
        ("half the head of a frame", post(&frame[..3.min(frame.len())])),
        ("half a frame", post(&frame[..frame.len() - frame.len() / 2])),
        ("a frame of four gigabytes", post(&[0, 0xff, 0xff, 0xff, 0xff, 0])),
        ("a frame of an unknown kind", post(&[[7].as_slice(), &frame[1..]].concat())),
        ("a compressed frame without a compression", post(&compressed)),
        ("a compressed frame that is not compressed", gzip),
        ("a time-out of a nanosecond", short_of_time),
        ("a time-out that is none", no_time),
        ("GET", request(Method::GET, &path, "application/grpc", &[])),
        ("JSON", request(Method::POST, &path, "application/json", b"{}")),
        ("protocol 5", request(Method::POST, &format!("/tfplugin5.Provider/{}", rpc.name), "application/grpc", frame)),
        ("another call", request(Method::POST, &format!("{path}s"), "application/grpc", frame)),
    ]
}

async fn exchange(connection: &Connection, request: Request<Body>) -> Result<(), crate::transport::Error> {
    let response = connection.send(request).await?;
    response.into_body().collect().await?;
    Ok(())
}
