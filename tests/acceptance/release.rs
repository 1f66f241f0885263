//! What a stranger does with a release: takes the zip, puts it into a mirror, `init` and `apply`.

use std::path::Path;
use std::process::Command;

use crate::harness::Sandbox;
use crate::harness::cluster::run;
use crate::harness::configuration::BLUE;

/// The script that packs releases.
fn dist(directory: &Path, arguments: &[&str]) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/release/dist");
    run(Command::new(script).args(arguments).env("DIST", directory.join("dist")).env("NO_SBOM", "1"));
}

#[test]
fn the_zip_installs_from_a_filesystem_mirror_into_an_empty_home() {
    let mut sandbox = Sandbox::new("release");
    let directory = sandbox.terraform.path().to_owned();
    let [home, mirror] = ["home", "mirror"].map(|name| directory.join(name).display().to_string());
    std::fs::create_dir(&home).expect("created");
    let architecture = if cfg!(target_arch = "aarch64") { "linux_arm64" } else { "linux_amd64" };
    dist(&directory, &["pack", architecture, env!("CARGO_BIN_EXE_terraform-provider-kamaji")]);
    dist(&directory, &["finish"]);
    dist(&directory, &["mirror", &mirror]);

    // No development overrides: the mirror alone says where the provider comes from.
    let settings = format!(
        "disable_checkpoint = true\nprovider_installation {{\n  filesystem_mirror {{\n    path = {mirror:?}\n  }}\n}}\n"
    );
    sandbox.terraform.write("terraform.rc", &settings);
    sandbox.terraform.set("HOME", &home);
    sandbox.configure(&[&sandbox.tenant().with("wait_for", "\"accepted\"").hcl()]);
    sandbox.terraform.run(&["init", "-no-color", "-input=false"]).succeeds();

    let lock = std::fs::read_to_string(directory.join(".terraform.lock.hcl")).expect("init writes it");
    assert!(lock.contains(concat!("version = \"", env!("CARGO_PKG_VERSION"), "\"")), "{lock}");
    assert!(lock.contains("h1:"), "the lock file has the hash of the zip: {lock}");
    sandbox.terraform.apply().succeeds();
    assert_eq!(sandbox.terraform.resource(BLUE)["values"]["name"], "blue");
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
}
