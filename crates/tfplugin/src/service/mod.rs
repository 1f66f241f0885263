//! The RPCs: wire message → trait call → wire message.
