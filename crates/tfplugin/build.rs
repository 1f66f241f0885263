//! Generates the gRPC messages and services from `proto/` with a compiler written in Rust: no `protoc` needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let proto = "../../proto";
    println!("cargo:rerun-if-changed={proto}");
    let files = protox::compile(["tfplugin6/tfplugin6.proto", "goplugin/goplugin.proto", "otlp/otlp.proto"], [proto])?;
    tonic_prost_build::configure()
        // The client side serves the protocol tests, which play Terraform against the built binary.
        .build_client(true)
        .build_transport(false)
        .generate_default_stubs(true)
        .compile_fds(files)?;
    Ok(())
}
