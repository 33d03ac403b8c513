//! DNS questions to answers.
//!
//! This crate owns the name grammar, the choice of addresses, the records of each kind of answer, the size rules and the
//! writing of messages. It refuses sockets, clocks and randomness of its own: the time and a seed come with every
//! question, so that the same question, rows and seed give the same bytes.
//!
//! The order of things: [`parse`] a packet, [`plan`] what to look up, turn the catalog's rows into a [`View`] (once, as long
//! as the rows do not change), and write an [`answer`]() from it. Host names that rows contain come back as
//! [`Outcome::Chase`]; the caller looks them up and asks again. Start reading with `plan.rs`.

mod address;
mod answer;
mod config;
mod encode;
mod fit;
mod name;
mod pick;
mod plan;
mod record;
mod request;
mod reverse;
mod service;
mod text;
mod view;

pub use answer::{Chased, Context, Outcome, Source, answer, chased_records};
pub use config::{DnsConfig, InvalidDomain, RecursorStrategy, ServiceTtl, SoaConfig, Zone};
pub use encode::Compressor;
pub use name::{LABEL_BYTES_MAX, Labels, NAME_BYTES_MAX, Name};
pub use plan::{Lookup, LookupKind, Plan, plan, plan_name};
pub use record::{OwnedData, OwnedRecord};
pub use request::{Edns, HEADER_BYTES, Parsed, Request, Transport, parse, rcode, rtype};
pub use view::{NodeView, ServerView, ServiceView, View};

#[cfg(test)]
mod tests;
