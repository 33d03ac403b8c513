//! JSON shapes of the public HTTP API.
