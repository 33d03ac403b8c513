//! Answers from the instances of a service.

use crate::{
    address::{Choice, Target},
    answer::Context,
    fit::Limits,
    name::Name,
    pick::Draw,
    record::{Data, Draft, NameRef, OwnedData, Rec},
    request::{Request, rtype},
    view::{Addresses, Instance, NodeAddress, ServiceView, SrvTarget},
};
use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Records that a host name adds when the client did not offer EDNS.
const CHASED_PLAIN_MAX: usize = 5;
/// Host names chased for one answer.
const HOSTS_MAX: usize = 16;

/// The address that a type asks for.
pub(crate) fn for_type(choice: &Choice, qtype: u16) -> Option<IpAddr> {
    match qtype {
        rtype::A => choice.v4.map(IpAddr::V4),
        rtype::AAAA => choice.v6.map(IpAddr::V6),
        _ => match choice.any {
            Some(Target::Ip(ip)) => Some(ip),
            _ => None,
        },
    }
}

pub(crate) fn answer<'a>(
    request: &'a Request<'_>,
    view: &'a ServiceView,
    ctx: &Context<'a>,
    limits: &Limits,
    draft: &mut Draft<'a>,
    hosts: &mut Vec<Name>,
) {
    draft.scoped = view.prepared;
    match request.qtype {
        rtype::SRV => return srv(request, view, ctx, limits, draft, hosts),
        rtype::A => addresses(
            &view.v4,
            view.sorted,
            Data::A as fn(Ipv4Addr) -> Data<'a>,
            view.ttl,
            ctx,
            limits,
            draft,
        ),
        rtype::AAAA => {
            addresses(
                &view.v6,
                view.sorted,
                Data::Aaaa as fn(Ipv6Addr) -> Data<'a>,
                view.ttl,
                ctx,
                limits,
                draft,
            );
        }
        rtype::ANY | rtype::TXT => {
            addresses(&view.any, view.sorted, Data::address, view.ttl, ctx, limits, draft);
        }
        _ => {}
    }
    if draft.answers.is_empty() && !view.hosts.is_empty() {
        let Some(i) = Draw::new(view.hosts.len(), ctx.seed).next() else { return };
        let host = &view.hosts[i];
        draft.answers.push(Rec {
            owner: NameRef::Question,
            ttl: view.ttl,
            data: Data::Cname(NameRef::whole(host)),
        });
        chase(host, request, view.ttl, ctx, hosts, |rec| draft.answers.push(rec));
    }
}

/// Different addresses in random order, no more than can be sent.
fn addresses<'a, A: Copy + Eq + std::hash::Hash>(
    list: &Addresses<A>,
    sorted: bool,
    data: impl Fn(A) -> Data<'a>,
    ttl: u32,
    ctx: &Context<'a>,
    limits: &Limits,
    draft: &mut Draft<'a>,
) {
    let total = match ctx.config.a_record_limit {
        0 => list.distinct,
        limit => list.distinct.min(limit),
    };
    let want = total.min(limits.draft_max(16));
    let mut seen = Seen::new(list.distinct < list.all.len());
    for i in Draw::unless_sorted(sorted, list.all.len(), ctx.seed) {
        if draft.answers.len() == want {
            break;
        }
        let address = list.all[i];
        if seen.first(address) {
            draft.answers.push(Rec { owner: NameRef::Question, ttl, data: data(address) });
        }
    }
    draft.total = total;
}

/// Remembers what was drawn, where there are duplicates at all.
struct Seen<T>(Option<HashSet<T>>);

impl<T: Eq + std::hash::Hash> Seen<T> {
    fn new(duplicates: bool) -> Self {
        Self(duplicates.then(HashSet::new))
    }
    fn first(&mut self, value: T) -> bool {
        self.0.as_mut().is_none_or(|set| set.insert(value))
    }
}

fn srv<'a>(
    request: &'a Request<'_>,
    view: &'a ServiceView,
    ctx: &Context<'a>,
    limits: &Limits,
    draft: &mut Draft<'a>,
    hosts: &mut Vec<Name>,
) {
    // Targets end in the domain as it was sent; for a lookup by another name (none today) in the primary one.
    let domain = ctx.zone.domain_start(request.name).map_or(ctx.zone.domain.wire(), |at| &request.name[at..]);
    let total = view.distinct_srv;
    let want = total.min(limits.draft_max(26));
    // When answers will be cut by number, only the first record of each target survives in the additional section.
    let brief = total > limits.answers;
    let mut seen = Seen::new(total < view.instances.len());
    for i in Draw::unless_sorted(view.sorted, view.instances.len(), ctx.seed) {
        if draft.answers.len() == want {
            break;
        }
        let instance = &view.instances[i];
        if seen.first(instance.identity) {
            srv_record(request, instance, domain, view.ttl, brief, ctx, draft, hosts);
        }
    }
    draft.total = total;
}

#[expect(clippy::too_many_arguments, reason = "one step of the loop above")]
fn srv_record<'a>(
    request: &Request<'_>,
    instance: &'a Instance,
    domain: &'a [u8],
    ttl: u32,
    brief: bool,
    ctx: &Context<'a>,
    draft: &mut Draft<'a>,
    hosts: &mut Vec<Name>,
) {
    let node = NameRef::Split(&instance.node, domain);
    let target = match &instance.target {
        SrvTarget::Node(_) => node,
        SrvTarget::Hex(prefix, _) => NameRef::Split(prefix, domain),
        SrvTarget::Host(name) => NameRef::whole(name),
    };
    if target.wire_len(request.name) > crate::name::NAME_BYTES_MAX {
        return;
    }
    let data = Data::Srv {
        weight: instance.weight,
        port: instance.port,
        target,
        extra: draft.additional.len() as u32,
    };
    draft.answers.push(Rec { owner: NameRef::Question, ttl, data });
    match &instance.target {
        SrvTarget::Node(NodeAddress::Ip(ip)) | SrvTarget::Hex(_, ip) => {
            draft.additional.push(Rec { owner: target, ttl, data: Data::address(*ip) });
        }
        SrvTarget::Node(NodeAddress::Host(host)) => {
            draft.additional.push(Rec { owner: target, ttl, data: Data::Cname(NameRef::whole(host)) });
            chase(host, request, ttl, ctx, hosts, |rec| draft.additional.push(rec));
        }
        SrvTarget::Host(host) => chase(host, request, ttl, ctx, hosts, |rec| draft.additional.push(rec)),
    }
    if ctx.config.enable_additional_node_meta_txt && !brief {
        draft.additional.extend(instance.txt.iter().map(|txt| Rec {
            owner: node,
            ttl,
            data: Data::Txt(txt),
        }));
    }
}

/// What was found for a host name, or the wish to look for it.
fn chase<'a>(
    host: &Name,
    request: &Request<'_>,
    ttl: u32,
    ctx: &Context<'a>,
    hosts: &mut Vec<Name>,
    mut push: impl FnMut(Rec<'a>),
) {
    let Some(found) = ctx.chased else {
        if hosts.len() < HOSTS_MAX && !hosts.contains(host) {
            hosts.push(host.clone());
        }
        return;
    };
    let max = if request.edns.is_none() { CHASED_PLAIN_MAX } else { usize::MAX };
    let records = found.get(host).into_iter().flatten().filter(|r| !matches!(r.data, OwnedData::Txt(_)));
    records.take(max).for_each(|r| push(r.borrow(Some(ttl))));
}
