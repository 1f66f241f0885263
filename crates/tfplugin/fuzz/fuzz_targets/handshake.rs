//! All that a start of the process reads: arguments, environment, and what the first connection sends.
//!
//! The input is lines `KEY=VALUE`; `ARGUMENT=…` stands for a command line argument, a key alone goes on with the value
//! before it (a certificate has several lines), and what follows an empty line is sent on the connection.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use tfplugin::process::fuzzing::start;

fuzz_target!(|input: &[u8]| {
    let end = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(input.len());
    let (lines, sent) = input.split_at(end);
    let mut arguments = Vec::new();
    let mut environment = BTreeMap::<String, String>::new();
    let mut last = String::new();
    for line in String::from_utf8_lossy(lines).lines() {
        match line.split_once('=').filter(|(key, _)| key.chars().all(|c| c.is_ascii_uppercase() || c == '_')) {
            Some(("ARGUMENT", value)) => arguments.push(value.to_owned()),
            Some((key, value)) => {
                last = key.to_owned();
                environment.insert(last.clone(), value.to_owned());
            }
            None => {
                if let Some(value) = environment.get_mut(&last) {
                    value.push('\n');
                    value.push_str(line);
                }
            }
        }
    }
    start(arguments, |key| environment.get(key).cloned(), sent.get(2..).unwrap_or_default());
});
