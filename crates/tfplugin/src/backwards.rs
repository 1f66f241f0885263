//! Protobuf, written from its end.
//!
//! The length of a message stands before it. Who begins at the end knows it when it is written, and puts every byte at
//! its place once, however deep messages are in each other.

use prost::Message;
use prost::bytes::Bytes;

/// Fields, the last one first. Numbers of fields are less than 16: their keys are a byte.
pub(crate) struct Backwards {
    /// What is written stands at its end.
    room: Vec<u8>,
    /// Where it begins.
    start: usize,
}

/// Wire types.
const VARINT: u8 = 0;
const LEN: u8 = 2;

impl Backwards {
    /// With room for what is written at once. It becomes memory where it is written to, and not before.
    pub(crate) fn new() -> Self {
        const AT_FIRST: usize = 1 << 20;
        Self { room: vec![0; AT_FIRST], start: AT_FIRST }
    }

    /// The message, its first byte first.
    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::from(self.room).slice(self.start..)
    }

    /// A field with the message that is written by `content`.
    pub(crate) fn message(&mut self, field: u8, content: impl FnOnce(&mut Self)) {
        let end = self.written();
        content(self);
        self.key(field, self.written() - end);
    }

    /// A field with a text, which is left out if it is empty.
    pub(crate) fn text(&mut self, field: u8, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        copy(self.reserve(text.len()), text);
        self.key(field, text.len());
    }

    /// A field with a number of less than 128, which is left out if it is 0.
    pub(crate) fn number(&mut self, field: u8, number: u8) {
        if number != 0 {
            self.reserve(2).copy_from_slice(&[field << 3 | VARINT, number]);
        }
    }

    /// A field with a bool, which is left out if it is false.
    pub(crate) fn flag(&mut self, field: u8, flag: bool) {
        self.number(field, flag.into());
    }

    /// The fields of a message, which go into the one that is being written.
    pub(crate) fn fields(&mut self, message: &impl Message) {
        // There is room for it.
        let _ = message.encode(&mut self.reserve(message.encoded_len()));
    }

    /// The start of a field of so many bytes.
    fn key(&mut self, field: u8, length: usize) {
        let room = self.reserve(1 + prost::length_delimiter_len(length));
        room[0] = field << 3 | LEN;
        // There is room for it.
        let _ = prost::encode_length_delimiter(length, &mut &mut room[1..]);
    }

    fn written(&self) -> usize {
        self.room.len() - self.start
    }

    /// The next so many bytes, which stand before all that are written.
    fn reserve(&mut self, bytes: usize) -> &mut [u8] {
        if bytes > self.start {
            let written = &self.room[self.start..];
            let size = (self.room.len() * 2).max(bytes + written.len());
            let mut larger = vec![0; size];
            let start = size - written.len();
            larger[start..].copy_from_slice(written);
            (self.room, self.start) = (larger, start);
        }
        self.start -= bytes;
        &mut self.room[self.start..self.start + bytes]
    }
}

/// Copies between slices of one length. Texts are short and many, and musl's `memcpy` takes a tenth of a microsecond to
/// begin; a few moves of fixed sizes, which may overlap, take none.
fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() {
        4..=7 => copy_ends::<4>(to, from),
        8..=15 => copy_ends::<8>(to, from),
        16..=31 => copy_ends::<16>(to, from),
        32..=63 => copy_ends::<32>(to, from),
        64..=127 => copy_ends::<64>(to, from),
        _ => to.copy_from_slice(from),
    }
}

/// Copies the first and the last `N` bytes, which is everything if there are at most twice as many.
fn copy_ends<const N: usize>(to: &mut [u8], from: &[u8]) {
    if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk()) {
        *to = *from;
    }
    if let (Some(to), Some(from)) = (to.last_chunk_mut::<N>(), from.last_chunk()) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::proto::tfplugin6::{FunctionError, schema};

    proptest! {
        /// Shorter and longer than the room at first, and than lengths of one and two bytes.
        #[test]
        fn what_is_written_is_what_prost_reads(
            lengths in prop::collection::vec(prop_oneof![0..40_000_usize, Just(1 << 20)], 0..4),
            version: i32,
        ) {
            let names: Vec<String> = lengths.into_iter().map(|length| "x".repeat(length)).collect();
            let mut whole = Backwards::new();
            let object = schema::Object { nesting: version, ..schema::Object::default() };
            for name in names.iter().rev() {
                whole.message(1, |attribute| {
                    attribute.message(10, |nested| nested.fields(&object));
                    attribute.text(1, name.as_bytes());
                });
            }
            let read = schema::Object::decode(whole.into_bytes()).expect("a message");
            let read: Vec<_> = read.attributes.into_iter().map(|it| (it.name, it.nested_type)).collect();
            prop_assert_eq!(read, names.into_iter().map(|name| (name, Some(object.clone()))).collect::<Vec<_>>());
        }
    }

    #[test]
    fn texts_of_every_length_are_copied_whole() {
        for length in 0..300_usize {
            let text: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).expect("small")).collect();
            let mut to = vec![0xff; length];
            copy(&mut to, &text);
            assert_eq!(to, text);
        }
    }

    #[test]
    fn fields_go_into_the_message_before_those_that_are_written() {
        let error = FunctionError { text: "x".repeat(3 << 20), function_argument: Some(7) };
        let mut whole = Backwards::new();
        whole.text(1, b"last");
        whole.fields(&error);
        let read = FunctionError::decode(whole.into_bytes()).expect("a message");
        assert_eq!((read.text.as_str(), read.function_argument), ("last", Some(7)));
    }
}
