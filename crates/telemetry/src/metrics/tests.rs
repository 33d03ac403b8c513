use super::*;
use runtime::TestClock;
use std::{sync::Arc, time::Duration};

const START: u64 = 1_700_000_000_000;

fn registry(config: MetricsConfig) -> (Metrics, Arc<TestClock>) {
    let clock = Arc::new(TestClock::at(START));
    (Metrics::new(config, Arc::clone(&clock) as Arc<dyn runtime::WallClock>), clock)
}

fn named() -> MetricsConfig {
    MetricsConfig { hostname: Some("box".into()), ..MetricsConfig::default() }
}

#[test]
fn shows_the_last_complete_interval() {
    let (m, clock) = registry(named());
    let (c, s) = (m.counter("dns.domain_query", &[("node", "n1")]), m.sample("raft.commitTime", &[]));
    c.incr();
    c.incr();
    c.add(4.0);
    for v in [1.0, 2.0, 3.0, 4.0] {
        s.record(v);
    }
    let first = m.display();
    assert_eq!(first.timestamp, "2023-11-14 22:13:20 +0000 UTC");
    assert_eq!(first.counters[0].sum, 6.0, "the filling interval is shown while there is no other");
    c.incr();
    clock.advance_ms(10_000);
    c.incr();
    let shown = m.display();
    assert_eq!(shown.timestamp, "2023-11-14 22:13:20 +0000 UTC");
    let count = &shown.counters[0];
    assert_eq!((count.name.as_str(), count.count, count.sum), ("consul.dns.domain_query", 5, 8.0));
    assert_eq!((count.rate, count.min, count.max), (0.8, 1.0, 4.0));
    let sample = &shown.samples[0];
    assert_eq!((sample.mean, sample.count), (2.5, 4));
    assert!((sample.stddev - 1.290_994).abs() < 1e-5);
    clock.advance_ms(30_000);
    assert!(m.display().counters.is_empty(), "an interval in which nothing happened is empty");
}

#[test]
fn gauges_carry_the_host_and_stay() {
    let (m, clock) = registry(named());
    let g = m.gauge("raft.peers", &[]);
    assert!(!m.display().gauges.iter().any(|g| g.name.ends_with("peers")), "not before it is set");
    g.set(3.0);
    clock.advance_ms(60_000);
    let shown = m.display();
    assert!(shown.gauges.iter().any(|g| g.name == "consul.box.raft.peers" && g.value == 3.0));
    assert!(shown.gauges.iter().any(|g| g.name == "consul.box.runtime.alloc_bytes" && g.value > 0.0));
    let (bare, _) = registry(MetricsConfig { hostname: None, prefix: "p".into(), ..named() });
    bare.gauge("x", &[]).set(1.0);
    assert!(bare.display().gauges.iter().any(|g| g.name == "p.x"));
}

#[test]
fn json_has_the_api_names_and_plain_integers() {
    let (m, _) = registry(named());
    m.counter("a", &[("k", "v")]).incr();
    let json = serde_json::to_string(&m.display()).unwrap();
    assert!(json.contains(
        r#"{"Name":"consul.a","Count":1,"Rate":0.1,"Sum":1,"Min":1,"Max":1,"Mean":1,"Stddev":0,"Labels":{"k":"v"}}"#
    ));
    assert!(json.contains(r#""Points":[]"#));
}

#[test]
fn filter_takes_the_longest_prefix() {
    let rules = ["+consul.raft.apply", "-consul.raft", "", "bare"];
    let (f, bad) = PrefixFilter::parse("consul", &rules, true);
    assert!(f.allows("consul.raft.apply.x") && !f.allows("consul.raft.peers") && f.allows("consul.dns"));
    assert!(!f.allows("consul.rpc.server.call"));
    assert_eq!(bad, [BadRule::Empty, BadRule::NoSign("bare".into())]);
    let (f, _) = PrefixFilter::parse("consul", &["+consul.rpc.server.call"], false);
    assert!(f.allows("consul.rpc.server.call") && !f.allows("consul.dns"));
    let (m, _) = registry(named());
    m.counter("raft.x", &[]).incr();
    m.set_filter(PrefixFilter::parse("consul", &["-consul.raft"], true).0);
    assert!(m.display().counters.is_empty());
}

#[test]
fn a_full_registry_records_nothing_more_and_says_so() {
    let (m, _) = registry(MetricsConfig { max_series: 6, ..named() });
    m.counter("one", &[]).incr();
    m.counter("two", &[]).incr();
    m.counter("one", &[]).incr();
    let shown = m.display();
    assert_eq!(
        shown.counters.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(),
        ["consul.metrics.series_refused", "consul.one"]
    );
}

#[test]
fn prometheus_text_counts_since_start() {
    let (m, clock) =
        registry(MetricsConfig { prometheus_retention: Duration::from_secs(60), hostname: None, ..named() });
    let (c, s) = (m.counter("dns.query", &[("type", "a\"b")]), m.sample("http.GET.v1-kv", &[]));
    c.incr();
    clock.advance_ms(10_000);
    m.tick();
    c.incr();
    for _ in 0..100 {
        s.record(8.0);
    }
    m.gauge("raft.peers", &[]).set(2.0);
    let text = m.prometheus();
    assert!(
        text.contains("# TYPE consul_dns_query counter\nconsul_dns_query{type=\"a\\\"b\"} 2\n"),
        "{text}"
    );
    assert!(text.contains("consul_raft_peers 2\n"));
    assert!(text.contains("consul_http_GET_v1_kv_sum 800\nconsul_http_GET_v1_kv_count 100\n"));
    let median =
        text.lines().find_map(|l| l.strip_prefix("consul_http_GET_v1_kv{quantile=\"0.5\"} ")).unwrap();
    assert!((median.parse::<f64>().unwrap() / 8.0 - 1.0).abs() < 0.1, "{median}");
}

#[test]
fn handles_are_shared_between_threads() {
    let (m, _) = registry(named());
    let (c, g) = (m.counter("n", &[]), m.gauge("g", &[]));
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                for _ in 0..1000 {
                    c.incr();
                    g.add(1.0);
                }
            });
        }
    });
    assert_eq!(m.display().counters[0].count, 4000);
    assert_eq!(g.get(), 4000.0);
}
