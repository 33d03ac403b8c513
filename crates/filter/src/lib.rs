//! Filter expressions over records.
