//! What the environment says about traces, by the names and with the meaning of OpenTelemetry's specification.

use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Uri, uri};
use percent_encoding::percent_decode_str;

use super::Collector;
use super::parent::Parent;
use crate::provider::Identity;

/// How long a collector may take over one request, unless `OTEL_EXPORTER_OTLP_TIMEOUT` says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where traces go, from whom, and to what they belong.
pub(super) struct Settings {
    pub(super) collector: Collector,
    /// The variable that names the collector.
    pub(super) variable: &'static str,
    /// Attributes of this process.
    pub(super) resource: Vec<(String, String)>,
    /// What calls without a parent of their own belong to.
    pub(super) root: Option<Parent>,
    /// How long one request may take.
    pub(super) timeout: Duration,
}

/// Reads the environment; [`None`] if no traces are to be sent. What cannot be used is named with its value, unless that
/// may be a secret.
pub(super) fn read(
    identity: &Identity,
    environment: &dyn Fn(&str) -> Option<String>,
) -> (Option<Settings>, Vec<String>) {
    let mut problems = Vec::new();
    let settings = Reader { environment, problems: &mut problems }.settings(identity);
    (settings, problems)
}

struct Reader<'a> {
    environment: &'a dyn Fn(&str) -> Option<String>,
    problems: &'a mut Vec<String>,
}

impl Reader<'_> {
    /// A variable; what is empty counts as not set.
    fn get(&self, name: &str) -> Option<String> {
        (self.environment)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The first of these that is set: that of traces comes before that of all signals.
    fn first(&self, names: [&'static str; 2]) -> Option<(&'static str, String)> {
        names.into_iter().find_map(|name| Some((name, self.get(name)?)))
    }

    fn problem(&mut self, name: &str, value: &str, problem: &str) {
        self.problems.push(format!("{name}={value:?} {problem}"));
    }

    fn settings(&mut self, identity: &Identity) -> Option<Settings> {
        const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
        let (variable, endpoint) = self.first(ENDPOINTS)?;
        let is_off = self.get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
            || self.get("OTEL_TRACES_EXPORTER").is_some_and(|value| value.eq_ignore_ascii_case("none"));
        if is_off {
            return None;
        }
        let protocol = self.first(["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"]);
        if let Some((name, value)) = protocol.filter(|(_, value)| value != "http/protobuf") {
            self.problem(name, &value, "is not offered: the protocol is http/protobuf. No traces are sent");
            return None;
        }
        let Some(url) = url(&endpoint, variable == ENDPOINTS[1]) else {
            // What is before an @ may be a password.
            let shown = endpoint.rsplit('@').next().unwrap_or_default();
            let problem =
                "is no URL of a collector (http:// or https://, host, port, path; no user). No traces are sent";
            self.problem(variable, shown, problem);
            return None;
        };
        let certificates = match self.first(["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"])
        {
            None => None,
            Some((name, file)) => match std::fs::read(&file) {
                Ok(pem) => Some(pem),
                Err(error) => {
                    self.problem(name, &file, &format!("cannot be read: {error}. No traces are sent"));
                    return None;
                }
            },
        };
        Some(Settings {
            collector: Collector { url, headers: self.headers(), certificates },
            variable,
            resource: self.resource(identity),
            root: self.root(),
            timeout: self.timeout(),
        })
    }

    fn headers(&mut self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some((name, list)) = self.first(["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"]) {
            let read = |(key, value): (String, String)| {
                let mut value = HeaderValue::from_str(&value).ok()?;
                value.set_sensitive(true);
                Some((HeaderName::try_from(key).ok()?, value))
            };
            for (at, pair) in pairs(&list).into_iter().enumerate() {
                match pair.and_then(read) {
                    Some((key, value)) => {
                        headers.insert(key, value);
                    }
                    // Not its value.
                    None => {
                        self.problems.push(format!("{name}: part {} is no header (name=value). It is not sent", at + 1))
                    }
                }
            }
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers
    }

    fn resource(&mut self, identity: &Identity) -> Vec<(String, String)> {
        const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
        let mut resource = Vec::new();
        if let Some(list) = self.get(ATTRIBUTES) {
            for pair in pairs(&list) {
                match pair {
                    Some(pair) => resource.push(pair),
                    None => {
                        self.problem(ATTRIBUTES, &list, "is no list of name=value. What cannot be read is left out")
                    }
                }
            }
        }
        let mut set = |name: &str, value: String, always: bool| {
            if always || !resource.iter().any(|(key, _)| key == name) {
                resource.retain(|(key, _)| key != name);
                resource.push((name.to_owned(), value));
            }
        };
        match self.get("OTEL_SERVICE_NAME") {
            Some(name) => set("service.name", name, true),
            None => set("service.name", identity.binary_name(), false),
        }
        set("service.version", identity.version.to_owned(), false);
        set("process.pid", std::process::id().to_string(), true);
        resource
    }

    fn root(&mut self) -> Option<Parent> {
        let value = self.get("TRACEPARENT")?;
        let parent = Parent::parse(&value);
        if parent.is_none() {
            let problem = "is no W3C traceparent (00-trace-span-flags). The traces of this run have no parent";
            self.problem("TRACEPARENT", &value, problem);
        }
        parent
    }

    fn timeout(&mut self) -> Duration {
        let Some((name, value)) = self.first(["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"])
        else {
            return TIMEOUT;
        };
        value.parse().map(Duration::from_millis).unwrap_or_else(|_| {
            self.problem(name, &value, "is no number of milliseconds. It is 10000");
            TIMEOUT
        })
    }
}

/// The URL to send to: as it is, or for that of all signals with the path of traces at its end.
fn url(endpoint: &str, is_base: bool) -> Option<Uri> {
    let mut parts = endpoint.parse::<Uri>().ok()?.into_parts();
    let is_http = parts.scheme.as_ref().is_some_and(|scheme| [uri::Scheme::HTTP, uri::Scheme::HTTPS].contains(scheme));
    let authority = parts.authority.as_ref()?.as_str();
    if !is_http || authority.contains('@') || authority.starts_with(':') {
        return None;
    }
    if is_base {
        let path = parts.path_and_query.as_ref().map_or("", uri::PathAndQuery::path);
        parts.path_and_query = Some(format!("{}/v1/traces", path.trim_end_matches('/')).parse().ok()?);
    }
    Uri::from_parts(parts).ok()
}

/// `name=value,name=value`, percent-encoded; [`None`] for a part that is not one.
fn pairs(list: &str) -> Vec<Option<(String, String)>> {
    let decoded = |text: &str| percent_decode_str(text.trim()).decode_utf8().ok().map(String::from);
    let read = |part: &str| {
        let (key, value) = part.split_once('=')?;
        Some((decoded(key).filter(|key| !key.is_empty())?, decoded(value)?))
    };
    list.split(',').filter(|part| !part.trim().is_empty()).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const IDENTITY: Identity = Identity { address: "registry.terraform.io/town/park", version: "1.2.3" };
    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318");

    fn read_of(set: &[(&str, &str)]) -> (Option<Settings>, Vec<String>) {
        let environment = |key: &str| set.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned());
        read(&IDENTITY, &environment)
    }

    fn url_of(set: &[(&str, &str)]) -> Option<String> {
        read_of(set).0.map(|settings| settings.collector.url.to_string())
    }

    #[rstest]
    #[case::nothing(&[], None)]
    #[case::base(&[ENDPOINT], Some("http://c:4318/v1/traces"))]
    #[case::base_with_a_path(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c/otlp/")], Some("https://c/otlp/v1/traces"))]
    #[case::that_of_traces_as_it_is(&[ENDPOINT, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t:1/x")], Some("http://t:1/x"))]
    #[case::empty_is_unset(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")], None)]
    #[case::disabled(&[ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")], None)]
    #[case::not_disabled(&[ENDPOINT, ("OTEL_SDK_DISABLED", "1")], Some("http://c:4318/v1/traces"))]
    #[case::no_exporter(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")], None)]
    #[case::the_protocol(&[ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")], Some("http://c:4318/v1/traces"))]
    fn the_environment_names_the_collector(#[case] set: &[(&str, &str)], #[case] expected: Option<&str>) {
        assert_eq!(url_of(set).as_deref(), expected);
        assert_eq!(read_of(set).1, [""; 0]);
    }

    #[rstest]
    #[case("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "OTEL_EXPORTER_OTLP_ENDPOINT=\"collector:4318\" is no URL")]
    #[case("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://c", "\"ftp://c\" is no URL")]
    #[case("OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:s3cret@c", "OTEL_EXPORTER_OTLP_ENDPOINT=\"c\" is no URL")]
    #[case("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL=\"grpc\" is not offered")]
    #[case("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/file", "OTEL_EXPORTER_OTLP_CERTIFICATE=\"/no/file\" cannot be read")]
    fn what_is_not_usable_is_named_and_nothing_is_sent(#[case] name: &str, #[case] value: &str, #[case] said: &str) {
        let (settings, problems) = read_of(&[(name, value), ENDPOINT]);
        assert!(settings.is_none() && problems.len() == 1, "{problems:?}");
        assert!(problems[0].contains(said) && !problems[0].contains("s3cret"), "{problems:?}");
    }

    #[rstest]
    #[case("TRACEPARENT", "00-x-y-01", "TRACEPARENT=\"00-x-y-01\" is no W3C traceparent")]
    #[case("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "OTEL_EXPORTER_OTLP_TIMEOUT=\"10s\" is no number")]
    #[case("OTEL_RESOURCE_ATTRIBUTES", "team", "OTEL_RESOURCE_ATTRIBUTES=\"team\" is no list")]
    #[case("OTEL_EXPORTER_OTLP_HEADERS", "a=b,s3cret", "OTEL_EXPORTER_OTLP_HEADERS: part 2 is no header")]
    fn what_is_less_important_is_named_and_left_out(#[case] name: &str, #[case] value: &str, #[case] said: &str) {
        let (settings, problems) = read_of(&[(name, value), ENDPOINT]);
        assert!(settings.is_some() && problems.len() == 1, "{problems:?}");
        assert!(problems[0].contains(said) && !problems[0].contains("s3cret"), "{problems:?}");
    }

    #[test]
    fn headers_and_attributes_are_decoded() {
        let set = [
            ENDPOINT,
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cret, x-team = a=b"),
            ("OTEL_RESOURCE_ATTRIBUTES", "team=a%2Cb,service.name=other,service.version=9"),
        ];
        let settings = read_of(&set).0.expect("settings");
        assert_eq!(settings.collector.headers["authorization"], "Bearer s3cret");
        assert_eq!(settings.collector.headers["x-team"], "a=b");
        let attribute = |name: &str| {
            let found: Vec<&str> =
                settings.resource.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect();
            found.join(" ")
        };
        assert_eq!(
            (attribute("team"), attribute("service.name"), attribute("service.version")),
            ("a,b".into(), "other".into(), "9".into())
        );
    }

    #[test]
    fn the_name_of_the_service_is_the_variables_or_the_providers() {
        let name = |set: &[(&str, &str)]| {
            let settings = read_of(set).0.expect("settings");
            settings.resource.into_iter().find(|(key, _)| key == "service.name").map(|(_, value)| value)
        };
        assert_eq!(name(&[ENDPOINT]).as_deref(), Some("terraform-provider-park"));
        let set = [ENDPOINT, ("OTEL_SERVICE_NAME", "ci"), ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other")];
        assert_eq!(name(&set).as_deref(), Some("ci"));
    }
}
