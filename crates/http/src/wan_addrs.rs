//! `translate_wan_addrs`: what another datacenter answers is shown with the addresses that reach it from here.

use std::{collections::BTreeMap, sync::Arc};
use types::{
    Str,
    query::QueryResult,
    record::{Node, NodeService, ServiceAddress},
};

/// Tags of a service's address, the first that is there counts.
const SERVICE_TAGS: [&str; 3] = ["wan", "wan_ipv4", "wan_ipv6"];

/// The same rows with their WAN addresses, where they have some.
pub(crate) fn translate(mut result: QueryResult) -> QueryResult {
    match &mut result {
        QueryResult::Nodes(nodes) => nodes.iter_mut().for_each(node),
        QueryResult::ServiceNodes(rows) => {
            for row in rows {
                node(&mut row.node);
                service(&mut row.service);
            }
        }
        QueryResult::ServiceHealth(rows) => {
            for row in rows {
                node(&mut row.node);
                service(&mut row.service);
            }
        }
        QueryResult::NodeServices(Some((of, services))) => {
            node(of);
            services.iter_mut().for_each(service);
        }
        _ => {}
    }
    result
}

fn node(row: &mut Arc<Node>) {
    let wan = row.tagged_addresses.as_ref().and_then(|tagged| tagged.get("wan")).cloned();
    if let Some(wan) = wan.filter(|wan| !wan.is_empty() && *wan != row.address) {
        Arc::make_mut(row).address = wan;
    }
}

fn service(row: &mut Arc<NodeService>) {
    let of = |tagged: &BTreeMap<Str, ServiceAddress>| {
        SERVICE_TAGS.iter().find_map(|tag| tagged.get(*tag)).cloned()
    };
    let Some(wan) = row.tagged_addresses.as_ref().and_then(of).filter(|wan| !wan.address.is_empty()) else {
        return;
    };
    let row = Arc::make_mut(row);
    row.address = wan.address;
    if wan.port != 0 {
        row.port = wan.port;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::record::{CheckServiceNode, Map};

    #[test]
    fn rows_show_the_address_that_reaches_them_from_afar() {
        let tagged =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| (Str::new(k), Str::new(v))).collect::<Map>();
        let node = Node {
            address: "10.0.0.1".into(),
            tagged_addresses: Some(tagged(&[("lan", "10.0.0.1"), ("wan", "198.51.100.1")])),
            ..Node::default()
        };
        let far = ServiceAddress { address: "198.51.100.2".into(), port: 9000 };
        let service = NodeService {
            port: 80,
            tagged_addresses: Some(BTreeMap::from([(Str::new("wan_ipv4"), far)])),
            ..NodeService::default()
        };
        let row = CheckServiceNode { node: Arc::new(node), service: Arc::new(service), checks: vec![] };
        let plain = CheckServiceNode { node: Arc::default(), service: Arc::default(), checks: vec![] };
        let QueryResult::ServiceHealth(rows) =
            translate(QueryResult::ServiceHealth(vec![row, plain.clone()]))
        else {
            panic!("rows")
        };
        assert_eq!(rows[0].node.address, "198.51.100.1");
        assert_eq!((rows[0].service.address.as_str(), rows[0].service.port), ("198.51.100.2", 9000));
        assert_eq!(rows[1], plain, "what has no such address stays");
    }
}
