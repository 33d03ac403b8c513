//! DNS questions to answers.
