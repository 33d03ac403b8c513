//! Address templates (`{{ GetInterfaceIP "eth0" }}`): pure over a list of interface addresses.
//!
//! The language is the part of Go's `text/template` that addresses need: text around `{{ … }}`, pipelines, literals,
//! parentheses, comments and trim markers.

mod attr;
mod blocks;
mod filter;
mod function;
mod parse;

pub use blocks::{is_forwardable, is_private};

use std::net::IpAddr;

/// One address of one interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IfAddr {
    /// Interface name.
    pub name: String,
    /// Address.
    pub ip: IpAddr,
    /// Prefix length of its network.
    pub bits: u8,
    /// The interface is up.
    pub up: bool,
    /// It has a broadcast address.
    pub broadcast: bool,
    /// It is a loopback interface.
    pub loopback: bool,
    /// It is a point-to-point link.
    pub point_to_point: bool,
    /// It takes multicast.
    pub multicast: bool,
    /// It holds the default route.
    pub default_route: bool,
}

/// Why a template could not be expanded. `Display` is the outward text.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TemplateError {
    /// The text is not a template.
    #[error("unable to parse template {}: template: sockaddr.Parse:{line}: {what}", crate::quote(.template))]
    Parse {
        /// The template.
        template: String,
        /// Line in it.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// A function refused its input.
    #[error(
        "unable to execute sockaddr input {}: template: sockaddr.Parse:{line}:{column}: executing \"sockaddr.Parse\" at <{at}>: {what}",
        crate::quote(.template)
    )]
    Execute {
        /// The template.
        template: String,
        /// Line in it.
        line: usize,
        /// Column, from 0.
        column: usize,
        /// The part that failed.
        at: String,
        /// What is wrong.
        what: String,
    },
}

/// Expands `template`; a text without `{{` is returned as it is.
///
/// # Errors
/// [`TemplateError`].
pub fn expand(template: &str, interfaces: &[IfAddr]) -> Result<String, TemplateError> {
    if !template.contains("{{") {
        return Ok(template.to_owned());
    }
    let pieces = parse::parse(template).map_err(|(line, what)| TemplateError::Parse {
        template: template.to_owned(),
        line,
        what,
    })?;
    function::run(&pieces, interfaces).map_err(|failed| {
        let before = &template[..failed.offset.min(template.len())];
        TemplateError::Execute {
            template: template.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.len() - before.rfind('\n').map_or(0, |i| i + 1),
            at: failed.at,
            what: failed.what,
        }
    })
}

#[cfg(test)]
mod tests;
