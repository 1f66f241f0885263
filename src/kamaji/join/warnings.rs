//! What is worth saying about a payload before a machine fails with it.

use tfplugin::schema::Problem;

use crate::kamaji::version::{KubernetesVersion, kubelet_lag, takes_kubelet};

/// What clouds take as user data, in bytes before their own encoding.
const LIMITS: &[(&str, usize)] = &[
    ("Amazon EC2", 16_384),
    ("OpenStack Nova", 49_149),
    ("Azure", 65_535),
    ("Google Cloud", 262_144),
    ("VMware guest customization", 524_288),
];

/// Whether user data of these sizes fits everywhere; sizes come with the name of their form.
///
/// # Errors
/// The largest, and the clouds that it is too large for.
pub fn check_sizes<'a>(sizes: impl IntoIterator<Item = (&'a str, usize)>) -> Result<(), Problem> {
    let Some((form, size)) = sizes.into_iter().max_by_key(|(_, size)| *size) else { return Ok(()) };
    let exceeded: Vec<String> = LIMITS
        .iter()
        .filter(|(_, limit)| size > *limit)
        .map(|(cloud, limit)| format!("{cloud} ({limit} bytes)"))
        .collect();
    if exceeded.is_empty() {
        return Ok(());
    }
    Err(Problem::new(
        "User data is large",
        format!(
            "The user data has up to {size} bytes ({form}), more than {} take. Where the image runs cloud-init, \
             `base64gzip()` makes it smaller; move extra_files elsewhere otherwise.",
            exceeded.join(", ")
        ),
    ))
}

/// Whether a worker of a version may join a tenant of a version.
///
/// # Errors
/// It is newer, or too old.
pub fn check_skew(worker: &KubernetesVersion, tenant: &KubernetesVersion) -> Result<(), Problem> {
    if takes_kubelet(tenant, worker) {
        return Ok(());
    }
    let why = if worker.release() > tenant.release() {
        "A kubelet must not be newer than the API server".to_owned()
    } else {
        format!("A kubelet may be at most {} minor releases older than the API server", kubelet_lag(tenant))
    };
    Err(Problem::new(
        "Worker and tenant versions too far apart",
        format!("{why}, but the machines have {worker} and the tenant runs {tenant}. Change kubernetes_version."),
    ))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("v1.32.4", "v1.32.0", true)]
    #[case("v1.29.0", "v1.32.0", true)]
    #[case("v1.28.0", "v1.32.0", false)]
    #[case("v1.24.9", "v1.27.0", false)]
    #[case("v1.25.0", "v1.28.0", true)]
    #[case("v1.33.0", "v1.32.0", false)]
    fn a_kubelet_follows_its_api_server(#[case] worker: &str, #[case] tenant: &str, #[case] good: bool) {
        assert_eq!(check_skew(&worker.parse().unwrap(), &tenant.parse().unwrap()).is_ok(), good);
    }

    #[test]
    fn the_clouds_that_are_too_small_are_named() {
        assert_eq!(check_sizes([("shell", 16_384), ("mime", 100)]), Ok(()));
        let problem = check_sizes([("shell", 2_000), ("mime", 50_000)]).unwrap_err();
        assert!(problem.detail.contains("50000 bytes (mime)"), "{}", problem.detail);
        assert!(problem.detail.contains("EC2") && problem.detail.contains("OpenStack"));
        assert!(!problem.detail.contains("Azure"));
    }
}
