//! Whole-system tests.

pub mod cluster;
pub mod federation;
pub mod golden_cli;
pub mod golden_config;
pub mod golden_http;
pub mod hostile;
pub mod process;
