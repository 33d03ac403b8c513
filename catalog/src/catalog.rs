//! Nodes, services and checks: the tables and how a write changes them.
//!
//! Rows are kept twice on purpose. A node's row holds its services and checks, which is what writes and anti-entropy look
//! at; groups hold ready-made instances for each service name, which is what readers ask for. `edit` keeps both in step.

mod checks;
mod deregister;
mod edit;
mod group;
mod labels;
mod nodes;
mod rebuild;
mod register;
mod services;
mod tables;

pub(crate) use deregister::deregister;
pub(crate) use edit::{Broken, Edit};
pub(crate) use group::{Group, Instance};
pub(crate) use rebuild::Rebuild;
pub(crate) use register::{register, row_tenancy};
pub(crate) use tables::{Catalog, NodeRow, NodeTable, RowKey, ServiceTable};
