//! Check runners and anti-entropy.
