//! Prints how fast a health answer of 1,000 instances is encoded: `cargo run --release -p api --example encode_speed`.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a measuring tool")]

use std::{sync::Arc, time::Instant};
use types::record::{CheckServiceNode, HealthCheck, Map, Node, NodeService, RaftIndex, status};

fn rows(n: usize) -> Vec<CheckServiceNode> {
    let meta: Map =
        [("consul-network-segment".into(), "".into()), ("consul-version".into(), "1.21.4".into())].into();
    (0..n)
        .map(|i| {
            let name = format!("node-{i}");
            let index = RaftIndex { create: 100 + i as u64, modify: 200 + i as u64 };
            let check = |id: &str, service: &str| {
                Arc::new(HealthCheck {
                    node: name.as_str().into(),
                    check_id: id.into(),
                    name: "Service 'web' check".into(),
                    status: status::PASSING.into(),
                    output: "HTTP GET http://10.0.0.1/health: 200 OK Output: ok".into(),
                    service_id: service.into(),
                    service_name: service.into(),
                    index,
                    ..HealthCheck::default()
                })
            };
            CheckServiceNode {
                node: Arc::new(Node {
                    id: format!("4f1d0000-0000-4000-8000-{i:012}").into(),
                    name: name.as_str().into(),
                    address: format!("10.0.{}.{}", i / 256, i % 256).into(),
                    datacenter: "dc1".into(),
                    tagged_addresses: Some(
                        [("lan".into(), "10.0.0.1".into()), ("wan".into(), "10.0.0.1".into())].into(),
                    ),
                    meta: Some(meta.clone()),
                    index,
                    ..Node::default()
                }),
                service: Arc::new(NodeService {
                    id: format!("web-{i}").into(),
                    service: "web".into(),
                    tags: Some(vec!["v1".into(), "primary".into()]),
                    port: 8080,
                    index,
                    ..NodeService::default()
                }),
                checks: vec![check("serfHealth", ""), check("service:web", "web")],
            }
        })
        .collect()
}

fn measure(what: &str, mut f: impl FnMut() -> usize) {
    let begun = Instant::now();
    let (mut bytes, mut rounds) = (0, 0u32);
    while begun.elapsed().as_secs() < 2 {
        bytes += f();
        rounds += 1;
    }
    let s = begun.elapsed().as_secs_f64();
    println!("{what}: {:.0} MB/s, {:.0} us each", bytes as f64 / s / 1e6, s * 1e6 / f64::from(rounds));
}

fn main() {
    let rows = rows(1_000);
    measure("encode 1,000 instances", || {
        let mut out = Vec::new();
        api::encode::check_service_nodes(&mut out, &rows);
        out.len()
    });
    let mut compact = Vec::new();
    api::encode::check_service_nodes(&mut compact, &rows);
    measure("indent them", || api::encode::pretty(&compact).len());
}
