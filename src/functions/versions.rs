//! `version_compare`, `kubelet_skew_ok`, `next_versions`.

use tfplugin::Value;
use tfplugin::function::{Arguments, FunctionError, Signature};
use tfplugin::schema::{Attribute, boolean, string, string_list};

use super::{Row, order, sign};
use crate::kamaji::upgrade::{Policy, Standing, of_one_minor, steps};
use crate::kamaji::version::{self, KubernetesVersion};

pub(super) static COMPARE: Row = Row::new(
    "version_compare",
    || {
        Signature::new(
            "Compares two Kubernetes versions.",
            "Compares two Kubernetes versions by their meaning: `v1.9.0` is less than `v1.10.0`, `1.30.2` is `v1.30.2`, and a \
             pre-release comes before its release. Terraform itself compares texts only for equality.",
            vec![kubernetes_version("version").doc("A version."), kubernetes_version("other").doc("Another one.")],
            order("-1 if `version` is the older one, 0 if both are the same, 1 if it is the newer one."),
        )
    },
    |arguments| Ok(sign(read(arguments, 0)?.cmp(&read(arguments, 1)?))),
);

pub(super) static KUBELET_SKEW_OK: Row = Row::new(
    "kubelet_skew_ok",
    || {
        Signature::new(
            "Tells whether Kubernetes supports a kubelet beside an API server.",
            "Tells whether Kubernetes supports a kubelet of one version beside an API server of another: a kubelet must not be \
             newer than the API server, and at most three minor versions older (two, before v1.28). For `precondition` and \
             `check` blocks before a tenant is upgraded.",
            vec![
                string("kubelet_version").required().doc(
                    "Version of the kubelet, as in the `kubelet_version` of a node: `v1.30.2`. What a distribution adds after \
                     `+` does not count.",
                ),
                kubernetes_version("api_server_version").doc("Version of the tenant."),
            ],
            boolean("ok").doc("True if the two may work together."),
        )
    },
    |arguments| {
        let kubelet = arguments.read(0, |text| version::without_build(text).parse::<KubernetesVersion>())?;
        Ok(version::takes_kubelet(&read(arguments, 1)?, &kubelet).into())
    },
);

pub(super) static NEXT: Row = Row::new(
    "next_versions",
    || {
        Signature::new(
            "Lists the versions on the way of a tenant to a newer one.",
            "Lists the versions that a tenant goes through to reach another one: Kamaji takes one minor version at a time. It is \
             the way that `upgrade_policy = \"sequential\"` of a `kamaji_tenant_control_plane` takes in one apply. What the \
             installed Kamaji supports is not known here: the data source `kamaji_versions` asks it.",
            vec![
                kubernetes_version("version").doc("The version that the tenant has."),
                kubernetes_version("target").doc("The version that it is to have; not of a lower minor version."),
            ],
            string_list("versions").doc("What to set one after the other, `target` last. Empty if the tenant has it."),
        )
        .variadic(kubernetes_version("patches").doc(
            "Releases to take on the way, at most one of each minor version; otherwise it is the first, such as `v1.31.0`.",
        ))
    },
    next,
);

fn next(arguments: &Arguments) -> Result<Value, FunctionError> {
    let (installed, target) = (read(arguments, 0)?, read(arguments, 1)?);
    if installed == target {
        return Ok(Value::List(Vec::new()));
    }
    let mut patches: Vec<KubernetesVersion> = Vec::new();
    for index in 2..2 + arguments.from(2).len() {
        let patch = read(arguments, index)?;
        if let Some(one) = patches.iter().find(|one| one.release() == patch.release()) {
            return Err(FunctionError::from(of_one_minor(one, &patch)).at(index));
        }
        patches.push(patch);
    }
    let standing = Standing { requested: installed.clone(), installed: Some(installed) };
    let way = steps(&standing, &target, Policy::Sequential, &patches);
    let way = way.map_err(|problem| FunctionError::from(problem).at(1))?;
    Ok(Value::strings(way.iter().map(ToString::to_string)))
}

fn kubernetes_version(name: &'static str) -> Attribute {
    string(name).required().rule(version::validator())
}

fn read(arguments: &Arguments, index: usize) -> Result<KubernetesVersion, FunctionError> {
    arguments.read(index, str::parse)
}
