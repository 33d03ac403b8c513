//! From results of a probe to a status.

use types::{
    definition::CheckDefinition,
    record::status::{CRITICAL, PASSING, WARNING},
};

/// Counts consecutive results and says which status they amount to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Thresholds {
    passing: i64,
    warning: i64,
    critical: i64,
    successes: i64,
    failures: i64,
}

impl Thresholds {
    /// The thresholds of a definition; 0 needs one result, and `failures_before_warning` 0 means "as critical".
    pub fn new(c: &CheckDefinition) -> Self {
        let critical = c.failures_before_critical;
        let warning = if c.failures_before_warning == 0 { critical } else { c.failures_before_warning };
        Self { passing: c.success_before_passing, warning, critical, successes: 0, failures: 0 }
    }

    /// Takes a result; `None` keeps the status as it is.
    pub fn observe(&mut self, result: &'static str) -> Option<&'static str> {
        if result == PASSING {
            self.failures = 0;
            self.successes = self.successes.saturating_add(1);
            return (self.successes >= self.passing).then_some(PASSING);
        }
        self.successes = 0;
        self.failures = self.failures.saturating_add(1);
        if self.failures >= self.critical {
            Some(if result == WARNING { WARNING } else { CRITICAL })
        } else if self.failures >= self.warning {
            Some(WARNING)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(c: &CheckDefinition, results: &[&'static str]) -> Vec<Option<&'static str>> {
        let mut t = Thresholds::new(c);
        results.iter().map(|r| t.observe(r)).collect()
    }

    #[test]
    fn without_thresholds_every_result_counts() {
        let c = CheckDefinition::default();
        assert_eq!(
            run(&c, &[PASSING, WARNING, CRITICAL, PASSING]),
            [Some(PASSING), Some(WARNING), Some(CRITICAL), Some(PASSING)]
        );
    }

    #[test]
    fn consecutive_results_are_needed() {
        let c =
            CheckDefinition { success_before_passing: 2, failures_before_critical: 3, ..Default::default() };
        assert_eq!(
            run(&c, &[CRITICAL, CRITICAL, PASSING, CRITICAL, CRITICAL, CRITICAL, PASSING, PASSING]),
            [None, None, None, None, None, Some(CRITICAL), None, Some(PASSING)]
        );
    }

    #[test]
    fn warning_comes_before_critical() {
        let c =
            CheckDefinition { failures_before_warning: 1, failures_before_critical: 3, ..Default::default() };
        assert_eq!(run(&c, &[CRITICAL, CRITICAL, CRITICAL]), [Some(WARNING), Some(WARNING), Some(CRITICAL)]);
    }
}
