//! `core/v1 ResourceRequirements`.

use tfplugin::schema::{Attribute, Merge, list_of, object, string};

use super::values::quantities;

/// Requests, limits and claims of a container.
pub fn resources(name: &'static str) -> Attribute {
    let mut all = limits_and_requests();
    let claims = vec![
        string("name").json("name").required().doc("Name of the claim in the pod."),
        string("request")
            .json("request")
            .since("edge-24.9.1")
            .doc("Name of the request in the claim; all of the claim if left out."),
    ];
    all.push(
        list_of("claims", claims)
            .json("claims")
            .merging(Merge::Keys(&["name"]))
            .doc("Claims of dynamic resource allocation. Kamaji does not make the claims themselves."),
    );
    object(name, all)
}

/// What is limited and requested, of a container or of a volume.
pub fn limits_and_requests() -> Vec<Attribute> {
    vec![
        quantities("limits").json("limits").doc("Upper bounds: `{ cpu = \"500m\", memory = \"1Gi\" }`."),
        quantities("requests")
            .json("requests")
            .doc("What is reserved: `{ cpu = \"100m\", memory = \"256Mi\" }`. Equal to `limits` if left out."),
    ]
}
