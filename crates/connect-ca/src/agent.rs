//! Certificates of agents and the authority that signs them: what the commands `tls ca create` and `tls cert create` make.

use crate::{issuer::Authority, key_text, root::CaError};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, NameConstraints, PublicKeyData as _,
    SanType, SerialNumber,
};
use sha2::{Digest as _, Sha256};
use std::net::{IpAddr, Ipv4Addr};
use time::OffsetDateTime;
use types::SecretToken;

const DAY_S: i64 = 86_400;
/// 2.5.4.9
const STREET: [u64; 4] = [2, 5, 4, 9];
/// 2.5.4.17
const POSTAL_CODE: [u64; 4] = [2, 5, 4, 17];

/// A certificate and its key, both PEM.
#[derive(Clone, Debug)]
pub struct Issued {
    /// `CERTIFICATE`
    pub cert_pem: String,
    /// `EC PRIVATE KEY`
    pub key_pem: SecretToken,
}

/// An authority to be made.
#[derive(Clone, Copy, Debug)]
pub struct AgentCa<'a> {
    /// Domain of the datacenters, `consul`.
    pub domain: &'a str,
    /// Common name; a name with the serial number when empty.
    pub common_name: &'a str,
    /// Adds the name `spiffe://<id>.<domain>` unless empty.
    pub cluster_id: &'a str,
    /// Allow only the domain, `localhost` and these names.
    pub name_constraints: Option<&'a [String]>,
    /// Days of validity.
    pub days: i64,
    /// Random serial number.
    pub serial: u128,
    /// Unix seconds.
    pub now: i64,
}

/// Whom a certificate is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// A server.
    Server,
    /// A client agent.
    Client,
    /// The command line.
    Cli,
}

impl Role {
    /// First label of its name.
    pub fn label(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
            Self::Cli => "cli",
        }
    }
}

/// A certificate to be made.
#[derive(Clone, Copy, Debug)]
pub struct AgentCert<'a> {
    /// For whom.
    pub role: Role,
    /// Datacenter.
    pub datacenter: &'a str,
    /// Domain.
    pub domain: &'a str,
    /// Node name of a server, adds `<node>.server.<dc>.<domain>` unless empty.
    pub node: &'a str,
    /// Further names; none of them for the command line.
    pub dns_names: &'a [String],
    /// Further addresses; none of them for the command line.
    pub addresses: &'a [String],
    /// Days of validity.
    pub days: i64,
    /// Random serial number.
    pub serial: u128,
    /// Unix seconds.
    pub now: i64,
}

/// Why there is no certificate. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AgentCertError {
    /// The key file.
    #[error("failed to parse the CA key: no EC, RSA or Ed25519 private key in PEM form")]
    Key,
    /// The certificate file.
    #[error("failed to parse the CA: no certificate in PEM form")]
    Ca,
    /// The two do not belong together.
    #[error("failed to create certificate: the CA's certificate is of another key than the one given")]
    Pair,
    /// A name that we could not repeat to the byte.
    #[error(
        "failed to create certificate: the CA's name has parts that are not UTF-8, printable or IA5 text"
    )]
    CaName,
    /// An address that is none.
    #[error("failed to parse certificate: additional IP address {0:?} is not an address")]
    Address(String),
    /// Library and times.
    #[error("failed to create certificate: {0}")]
    Certificate(#[from] CaError),
}

impl From<rcgen::Error> for AgentCertError {
    fn from(e: rcgen::Error) -> Self {
        Self::Certificate(e.into())
    }
}

/// Makes an authority with `key`, which is of P-256.
///
/// # Errors
/// [`CaError`] for a time out of range, a domain that is no name, a key of another kind.
pub fn agent_ca(key: &KeyPair, ca: &AgentCa<'_>) -> Result<Issued, CaError> {
    let mut params = frame(key, ca.now, ca.days, ca.serial)?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, DnValue::PrintableString("US".try_into()?));
    name.push(DnType::StateOrProvinceName, "CA");
    name.push(DnType::LocalityName, "San Francisco");
    name.push(DnType::CustomDnType(STREET.to_vec()), "101 Second Street");
    name.push(DnType::CustomDnType(POSTAL_CODE.to_vec()), "94105");
    name.push(DnType::OrganizationName, "HashiCorp Inc.");
    let common = match ca.common_name {
        "" => format!("Consul Agent CA {}", ca.serial),
        given => given.to_owned(),
    };
    name.push(DnType::CommonName, common);
    params.distinguished_name = name;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages =
        vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    if !ca.cluster_id.is_empty() {
        let id = format!("spiffe://{}.{}", ca.cluster_id, ca.domain);
        params.subject_alt_names = vec![SanType::URI(id.try_into()?)];
    }
    if let Some(more) = ca.name_constraints {
        let names = more.iter().map(String::as_str).chain([ca.domain, "localhost"]);
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: names.map(|n| GeneralSubtree::DnsName(n.to_owned())).collect(),
            excluded_subtrees: Vec::new(),
        });
    }
    issued(&params.self_signed(key)?, key)
}

/// Makes a certificate of an agent with `key`, which is of P-256, signed by the authority of the two PEM texts.
///
/// # Errors
/// [`AgentCertError`], whose texts are for the operator.
pub fn agent_cert(
    key: &KeyPair,
    ca_pem: &str,
    ca_key_pem: &str,
    cert: &AgentCert<'_>,
) -> Result<Issued, AgentCertError> {
    let authority = Authority::read(ca_pem, ca_key_pem)?;
    let AgentCert { role, datacenter, domain, node, .. } = *cert;
    let own = format!("{}.{datacenter}.{domain}", role.label());
    let mut params = frame(key, cert.now, cert.days, cert.serial)?;
    params.use_authority_key_identifier_extension = true;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, own.as_str());
    params.distinguished_name = name;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = match role {
        Role::Server => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
        Role::Client => vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth],
        Role::Cli => Vec::new(),
    };
    let further = role != Role::Cli;
    let mut names: Vec<String> = if further { cert.dns_names.to_vec() } else { Vec::new() };
    if role == Role::Server && !node.is_empty() {
        names.push(format!("{node}.{own}"));
    }
    names.extend([own, "localhost".to_owned()]);
    for name in names {
        params.subject_alt_names.push(SanType::DnsName(name.try_into()?));
    }
    if further {
        for text in cert.addresses {
            let address: IpAddr = text.parse().map_err(|_bad| AgentCertError::Address(text.clone()))?;
            params.subject_alt_names.push(SanType::IpAddress(address));
        }
        params.subject_alt_names.push(SanType::IpAddress(Ipv4Addr::LOCALHOST.into()));
    }
    let made = params.signed_by(key, &authority.issuer)?;
    if !authority.is_named_by(made.der()) {
        return Err(AgentCertError::CaName);
    }
    Ok(issued(&made, key)?)
}

/// Times, serial number and key id, which all have.
fn frame(key: &KeyPair, now: i64, days: i64, serial: u128) -> Result<CertificateParams, CaError> {
    let time = |s: i64| {
        OffsetDateTime::from_unix_timestamp(s).map_err(|e| CaError::Config(format!("time out of range: {e}")))
    };
    let mut params = CertificateParams::default();
    params.not_before = time(now)?;
    params.not_after = time(now.saturating_add(days.saturating_mul(DAY_S)))?;
    // RFC 5280 takes four digits of a year.
    if params.not_after.year() > 9999 {
        return Err(CaError::Config("time out of range: it ends after the year 9999".into()));
    }
    params.serial_number = Some(SerialNumber::from(serial.to_be_bytes().to_vec()));
    params.key_identifier_method = KeyIdMethod::PreSpecified(Sha256::digest(key.der_bytes()).to_vec());
    Ok(params)
}

fn issued(cert: &rcgen::Certificate, key: &KeyPair) -> Result<Issued, CaError> {
    let key_pem = key_text::write(key)
        .ok_or_else(|| CaError::Config("keys of agents are of the curve P-256".into()))?;
    Ok(Issued { cert_pem: key_text::pem("CERTIFICATE", cert.der()), key_pem: SecretToken::new(key_pem) })
}

#[cfg(test)]
mod tests;
