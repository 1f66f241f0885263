//! What Kamaji and kubeadm mean: rules, judgements and payloads as functions of values.
//!
//! Nothing here reads a clock, a network or a file. Kubernetes objects come in as JSON, times and random bytes as
//! arguments; what is wrong goes out as a [`tfplugin::schema::Problem`].

pub mod bootstrap_token;
pub mod certificate;
pub mod datastore;
pub mod diagnosis;
pub mod duration;
pub mod join;
pub mod kubeconfig;
pub mod metadata;
pub mod names;
pub mod network;
pub mod quantity;
pub mod readiness;
pub mod release;
pub mod tenant_control_plane;
pub mod upgrade;
pub mod version;
