//! Values as msgpack, as they travel in a `DynamicValue`.

mod decode;
mod encode;

pub use decode::decode;
pub use encode::encode;
