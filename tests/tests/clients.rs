//! Programs that people already use, against one server. A client that is not installed is skipped, and the test says so.

mod clients {
    mod agent;
    mod dig;
    mod haproxy;
    mod npm;
    mod python;
}
