//! `core/v1 Volume`: a name and one source.

mod claim;
mod local;
mod network;
mod projected;

use tfplugin::schema::{Attribute, boolean, list_of, object, string};

use super::chosen;
use crate::kamaji::names;

/// A list of volumes.
pub fn volumes(name: &'static str) -> Attribute {
    let mut all = vec![
        string("name")
            .json("name")
            .required()
            .rule(names::dns1123_label())
            .doc("Name, unique in the pod; it must differ from those of Kamaji's own volumes."),
    ];
    all.extend(local::sources());
    all.extend(claim::sources());
    all.push(projected::source());
    all.extend(network::sources());
    list_of(name, all)
}

/// One kind of volume: which one is there is what counts.
fn source(name: &'static str, key: &'static str, doc: &'static str, members: Vec<Attribute>) -> Attribute {
    chosen(object(name, members)).json(key).doc(doc)
}

fn fs_type() -> Attribute {
    string("fs_type").json("fsType").doc("File system: `ext4`, `xfs`, …")
}

fn read_only() -> Attribute {
    boolean("read_only").json("readOnly").doc("Whether it cannot be written.")
}
