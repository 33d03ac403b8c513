//! What the logs of servers tell of their end.

/// Lines that are shown of each log.
const SHOWN: usize = 3;
/// Parts of openraft that compare logs and votes; they end a server whose log contradicts what others have decided.
const LOGS: [&str; 4] = ["/engine/", "/progress/", "/proposer/", "/raft_state/"];

/// Lines that tell of a panic.
pub fn panics(log: &str) -> impl Iterator<Item = &str> {
    log.lines().filter(|l| l.contains("panicked")).take(SHOWN)
}

/// What consensus said before it ended because logs contradict each other.
pub fn contradiction(log: &str) -> Option<&str> {
    let mut lines = log.lines();
    let compares = |place: &str| place.contains("/openraft-") && LOGS.iter().any(|part| place.contains(part));
    lines.find(|l| l.split_once(" panicked at ").is_some_and(|(_, place)| compares(place)))?;
    // The message is on the line behind the place.
    lines.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_told_from_other_panics() {
        let log = |place: &str| {
            format!(
                "[INFO] x\n\nthread 'tokio-rt-worker' (7) panicked at {place}:104:13:\nlogs differ\nmore\n"
            )
        };
        let openraft = "/any/registry/openraft-0.10.0/src/";
        let log_of = |file| log(&format!("{openraft}{file}"));
        assert_eq!(contradiction(&log_of("progress/entry/update.rs")), Some("logs differ"));
        assert_eq!(contradiction(&log_of("raft_state/log_state_reader.rs")), Some("logs differ"));
        assert_eq!(contradiction(&log_of("network/backoff.rs")), None);
        assert_eq!(contradiction(&log("catalog/src/engine/store.rs")), None);
        assert_eq!(contradiction("[ERROR] openraft::raft: /openraft-0/src/engine/: error: panicked"), None);
        assert_eq!(panics(&log("a.rs")).count(), 1);
    }
}
