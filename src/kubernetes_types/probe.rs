//! Probes and lifecycle hooks of a container: `core/v1 Probe` and `Lifecycle`.

use tfplugin::schema::{Attribute, Validator, list_of, number, object, string, string_list};

use super::values::port_number_or_name;
use super::whole_number;
use crate::kamaji::network;

/// The times and counts that Kubernetes' and Kamaji's probes share.
pub fn timing() -> Vec<Attribute> {
    let positive = |name| number(name).rule(Validator::at_least(1));
    vec![
        number("initial_delay_seconds")
            .json("initialDelaySeconds")
            .rule(Validator::at_least(0))
            .doc("Seconds from the start of the container to the first probe; 0 if left out."),
        positive("timeout_seconds")
            .json("timeoutSeconds")
            .doc("Seconds until a probe counts as failed; 1 if left out."),
        positive("period_seconds").json("periodSeconds").doc("Seconds from probe to probe; 10 if left out."),
        positive("success_threshold")
            .json("successThreshold")
            .doc("Successes in a row after a failure; 1 if left out, and always 1 for liveness and startup."),
        positive("failure_threshold").json("failureThreshold").doc("Failures in a row that count; 3 if left out."),
    ]
}

/// A probe with its action.
pub fn probe(name: &'static str) -> Attribute {
    let grpc = vec![
        number("port").json("port").required().rule(network::port()).doc("Port."),
        string("service")
            .json("service")
            .server_default_since("edge-24.9.1", "\"\"")
            .doc("Service name in the health check request."),
    ];
    let mut all = timing();
    all.extend([
        exec(),
        http_get(),
        tcp_socket(),
        object("grpc", grpc).json("grpc").doc("Asks a gRPC health service."),
        number("termination_grace_period_seconds")
            .json("terminationGracePeriodSeconds")
            .rule(Validator::at_least(1))
            .doc("Seconds to shut down after a failed liveness or startup probe; those of the pod if left out."),
    ]);
    object(name, all)
}

/// Hooks around the life of a container.
pub fn lifecycle() -> Attribute {
    let hook = |name, key, doc| {
        let sleep = vec![whole_number("seconds").json("seconds").required().doc("Seconds.")];
        let sleep = object("sleep", sleep).json("sleep").doc("Waits.");
        object(name, vec![exec(), http_get(), tcp_socket(), sleep]).json(key).doc(doc)
    };
    let members = vec![
        hook("post_start", "postStart", "Runs right after the start; the container ends if it fails."),
        hook("pre_stop", "preStop", "Runs before the end, within the pod's grace period."),
        string("stop_signal")
            .json("stopSignal")
            .since("edge-25.4.1")
            .doc("Signal that ends the container, such as `SIGTERM`; that of the image if left out."),
    ];
    object("lifecycle", members).json("lifecycle").doc("Hooks at start and end.")
}

fn exec() -> Attribute {
    let command = string_list("command").json("command").doc("Command and arguments, without a shell.");
    object("exec", vec![command]).json("exec").doc("Runs a command in the container.")
}

fn http_get() -> Attribute {
    let header = vec![
        string("name").json("name").required().doc("Name."),
        string("value").json("value").required().doc("Value."),
    ];
    let members = vec![
        port_number_or_name("port").json("port").required().doc("Port."),
        string("path").json("path").doc("Path; `/` if left out."),
        string("host").json("host").doc("Host; the pod's IP address if left out."),
        string("scheme").json("scheme").rule(Validator::one_of(&["HTTP", "HTTPS"])).doc("`HTTP` if left out."),
        list_of("http_headers", header).json("httpHeaders").doc("Headers of the request."),
    ];
    object("http_get", members).json("httpGet").doc("Sends an HTTP request; 200 to 399 is a success.")
}

fn tcp_socket() -> Attribute {
    let members = vec![
        port_number_or_name("port").json("port").required().doc("Port."),
        string("host").json("host").doc("Host; the pod's IP address if left out."),
    ];
    object("tcp_socket", members).json("tcpSocket").doc("Opens a TCP connection. As a hook it does nothing.")
}
