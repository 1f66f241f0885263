//! The planning rules that every resource shares.
