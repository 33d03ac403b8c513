//! Whole-system tests.

pub mod golden_cli;
pub mod golden_config;
pub mod process;
