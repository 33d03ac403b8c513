//! Filter expressions over records: the `filter=` of the HTTP API.
//!
//! [`Filter::compile`] parses an expression and checks it against a record type: unknown selectors, operators that do not fit
//! the field, values of the wrong type and bad regular expressions are errors then, never later. [`Filter::matches`] looks at
//! one record. [`apply_to`] picks the record type that belongs to a query's rows.
//!
//! The crate knows nothing of queries, tokens and JSON. Start with `records`, which lists what can be selected from each type.
//!
//! Rules that surprise: a list of structures matches when any of its elements does, whatever the operator, so that
//! `Checks.Status != passing` asks for one check that does not pass; under a missing map key `==`, `in` and `is not empty` are
//! false and everything else, `matches` included, is true.

mod compile;
mod parse;
mod records;
mod rows;
mod schema;
mod test;

pub use rows::apply_to;
pub use schema::{Record, Selectable};

use compile::Condition;
use std::{fmt, marker::PhantomData};

/// Longest expression, bytes.
pub const EXPRESSION_BYTES_MAX: usize = 16 << 10;
/// Deepest nesting of parentheses and `not`.
pub const NESTING_MAX: usize = 64;
/// Largest compiled regular expression, bytes.
pub const REGEX_BYTES_MAX: usize = 1 << 20;

/// Why an expression was refused. `Display` is what follows `Failed to create boolean expression evaluator: `.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FilterError {
    /// Longer than [`EXPRESSION_BYTES_MAX`].
    #[error("the expression is longer than {EXPRESSION_BYTES_MAX} bytes")]
    TooLong,
    /// Nested deeper than [`NESTING_MAX`].
    #[error("the expression is nested deeper than {NESTING_MAX} levels")]
    TooDeep,
    /// Not an expression.
    #[error("1:{column}: {expected}")]
    Syntax {
        /// Where, in bytes from 1.
        column: usize,
        /// What was expected there.
        expected: &'static str,
    },
    /// There is no such field.
    #[error("Selector {0:?} is not valid")]
    Selector(String),
    /// The field has no such operator.
    #[error("Invalid match operator {operator:?} for selector {selector:?}")]
    Operator {
        /// The operator's words.
        operator: &'static str,
        /// The selector.
        selector: String,
    },
    /// The value cannot be one of the field's.
    #[error("Failed to convert value {value:?} for selector {selector:?} to {wanted}")]
    Value {
        /// The value.
        value: String,
        /// The selector.
        selector: String,
        /// Type of the field.
        wanted: &'static str,
    },
    /// Not a regular expression, or too large a one.
    #[error("Failed to compile regular expression {0:?}")]
    Regex(String),
}

/// A compiled expression over records of type `T`.
pub struct Filter<T> {
    condition: Condition,
    record: PhantomData<fn(&T)>,
}

impl<T> fmt::Debug for Filter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.condition).finish()
    }
}

impl<T: Selectable> Filter<T> {
    /// Parses `expression` and checks it against the record type. An expression of blanks only is an error; that an empty
    /// one means "no filter" is for the caller to know.
    ///
    /// # Errors
    /// Syntax, unknown selectors, operators that do not fit, values of the wrong type, bad regular expressions.
    pub fn compile(expression: &str) -> Result<Self, FilterError> {
        let parsed = parse::parse(expression)?;
        Ok(Self { condition: Condition::compile(&parsed, T::schema())?, record: PhantomData })
    }

    /// Whether `record` is kept.
    pub fn matches(&self, record: &T) -> bool {
        self.condition.holds(record)
    }
}

#[cfg(test)]
mod tests;
