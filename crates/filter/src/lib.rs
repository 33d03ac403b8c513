//! Filter expressions over records.

use std::marker::PhantomData;
use types::query::QueryResult;

/// Why an expression was refused. `Display` is what follows `Failed to create boolean expression evaluator: `.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct FilterError(String);

/// Records that can be selected from.
pub trait Selectable: 'static {}

/// A compiled expression over records of type `T`.
pub struct Filter<T> {
    record: PhantomData<fn(&T)>,
}

impl<T: Selectable> Filter<T> {
    /// Parses `expression` and checks it against the record type.
    ///
    /// # Errors
    /// Syntax, unknown selectors, operators that do not fit, values of the wrong type, bad regular expressions.
    pub fn compile(expression: &str) -> Result<Self, FilterError> {
        let _ = expression;
        Err(FilterError("not built yet".into()))
    }
    /// Whether `record` is kept.
    pub fn matches(&self, record: &T) -> bool {
        let _ = record;
        false
    }
}

/// Drops the rows of `result` that `expression` does not match; results that cannot be filtered are left as they are.
///
/// # Errors
/// As [`Filter::compile`]; `result` is then untouched.
pub fn apply_to(result: &mut QueryResult, expression: &str) -> Result<(), FilterError> {
    let _ = (result, expression);
    Ok(())
}
