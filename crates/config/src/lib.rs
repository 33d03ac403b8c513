//! Agent configuration from files and flags to one checked value.
