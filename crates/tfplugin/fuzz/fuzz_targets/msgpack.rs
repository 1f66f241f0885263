//! The value codec: a type constraint as Terraform writes it, a line feed, and the msgpack of a value.
//!
//! Whatever is read must come back the same through both codecs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tfplugin::value::{Type, decode, encode, from_json, parse_json, to_json};

fuzz_target!(|input: &[u8]| {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return };
    let Ok(constraint) = parse_json(&input[..end]) else { return };
    let Ok(ty) = Type::from_json(&constraint) else { return };
    assert_eq!(Type::from_json(&ty.to_json()).as_ref(), Ok(&ty));

    let Ok(value) = decode(&input[end + 1..], &ty) else { return };
    assert_eq!(decode(&encode(&value, &ty), &ty).as_ref(), Ok(&value));
    // JSON has no unknown values and no infinities; a state has neither.
    let _ = from_json(&to_json(&value, &ty), &ty);
});
