//! Records of an answer while it is made. They borrow from the question and from the view, so that making one costs no
//! allocation.

use crate::{name::Name, request::rtype};
use smallvec::SmallVec;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A name as two pieces: labels that we know in advance, and the rest, often a piece of the question.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NameRef<'a> {
    /// The name of the question.
    Question,
    /// Labels without the root, then a complete name.
    Split(&'a [u8], &'a [u8]),
}

impl<'a> NameRef<'a> {
    pub fn whole(name: &'a Name) -> Self {
        Self::Split(&[], name.wire())
    }
    pub fn wire_len(&self, question: &[u8]) -> usize {
        match self {
            Self::Question => question.len(),
            Self::Split(a, b) => a.len() + b.len(),
        }
    }
    pub fn same(&self, other: &Self, question: &[u8]) -> bool {
        let ((a, b), (c, d)) = (self.pieces(question), other.pieces(question));
        a.len() + b.len() == c.len() + d.len() && a.iter().chain(b).eq(c.iter().chain(d))
    }
    fn pieces<'q>(&'q self, question: &'q [u8]) -> (&'q [u8], &'q [u8]) {
        match self {
            Self::Question => (&[], question),
            Self::Split(a, b) => (a, b),
        }
    }
    pub fn to_name(self, question: &[u8]) -> Name {
        let (a, b) = self.pieces(question);
        let mut wire: SmallVec<[u8; 64]> = SmallVec::from_slice(a);
        wire.extend_from_slice(b);
        Name::from_wire(&wire)
    }
}

/// Timers and serial of an SOA.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SoaData<'a> {
    pub domain: &'a Name,
    pub serial: u32,
    pub config: crate::config::SoaConfig,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Data<'a> {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Cname(NameRef<'a>),
    Ptr(NameRef<'a>),
    Ns(NameRef<'a>),
    Srv {
        weight: u16,
        port: u16,
        target: NameRef<'a>,
        /// Where this answer's additional records begin.
        extra: u32,
    },
    Soa(SoaData<'a>),
    /// Complete record data: character strings with their lengths.
    Txt(&'a [u8]),
}

impl Data<'_> {
    pub fn address(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::A(ip),
            IpAddr::V6(ip) => Self::Aaaa(ip),
        }
    }
    pub fn rtype(&self) -> u16 {
        match self {
            Self::A(_) => rtype::A,
            Self::Aaaa(_) => rtype::AAAA,
            Self::Cname(_) => rtype::CNAME,
            Self::Ptr(_) => rtype::PTR,
            Self::Ns(_) => rtype::NS,
            Self::Srv { .. } => rtype::SRV,
            Self::Soa(_) => rtype::SOA,
            Self::Txt(_) => rtype::TXT,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Rec<'a> {
    pub owner: NameRef<'a>,
    pub ttl: u32,
    pub data: Data<'a>,
}

pub(crate) type Section<'a> = SmallVec<[Rec<'a>; 8]>;

/// An answer before it is fitted and written.
#[derive(Debug, Default)]
pub(crate) struct Draft<'a> {
    pub rcode: u8,
    pub authoritative: bool,
    pub answers: Section<'a>,
    pub authority: Section<'a>,
    pub additional: Section<'a>,
    /// Distinct answers that there would have been.
    pub total: usize,
    /// Not subject to the size rules (reverse answers).
    pub untrimmed: bool,
    /// Without the OPT record (refusals).
    pub no_edns: bool,
    /// The answer may depend on the client's subnet.
    pub scoped: bool,
}

/// A record on its own, kept while host names are chased.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnedRecord {
    /// Owner.
    pub owner: Name,
    /// TTL, seconds.
    pub ttl: u32,
    /// Data.
    pub data: OwnedData,
}

/// Data of an [`OwnedRecord`]: what a chased name can yield.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OwnedData {
    /// Address.
    Address(IpAddr),
    /// Alias.
    Cname(Name),
    /// Record data of a TXT.
    Txt(Box<[u8]>),
}

impl OwnedRecord {
    pub(crate) fn borrow(&self, ttl: Option<u32>) -> Rec<'_> {
        let data = match &self.data {
            OwnedData::Address(ip) => Data::address(*ip),
            OwnedData::Cname(name) => Data::Cname(NameRef::whole(name)),
            OwnedData::Txt(txt) => Data::Txt(txt),
        };
        Rec { owner: NameRef::whole(&self.owner), ttl: ttl.unwrap_or(self.ttl), data }
    }
}
