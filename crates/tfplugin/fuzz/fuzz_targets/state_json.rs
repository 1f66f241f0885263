//! The state codec: a type constraint as Terraform writes it, a line feed, and a state in JSON.
//!
//! Whatever is read must come back the same through both codecs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tfplugin::value::{Type, decode, encode, from_json, parse_json, to_json};

fuzz_target!(|input: &[u8]| {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return };
    let Ok(constraint) = parse_json(&input[..end]) else { return };
    let Ok(ty) = Type::from_json(&constraint) else { return };

    let Ok(json) = parse_json(&input[end + 1..]) else { return };
    let Ok(value) = from_json(&json, &ty) else { return };
    assert!(value.is_wholly_known());
    let text = to_json(&value, &ty).to_string();
    let json = parse_json(text.as_bytes()).expect("what is written is JSON");
    assert_eq!(from_json(&json, &ty).as_ref(), Ok(&value));
    assert_eq!(decode(&encode(&value, &ty), &ty).as_ref(), Ok(&value));
});
