use super::*;

#[test]
fn every_pattern_is_unique_and_reachable() {
    let router = Router::new();
    let mut seen = std::collections::BTreeSet::new();
    for r in TABLE {
        assert!(seen.insert(r.pattern), "{} twice", r.pattern);
        assert!(r.pattern.starts_with('/') && !r.on.is_empty(), "{}", r.pattern);
        assert!(r.pattern.bytes().filter(|b| *b == b'/').count() <= SLASHES_MAX, "{}", r.pattern);
        let Target::Route { route, tail } = router.find(r.pattern) else { panic!("{} is lost", r.pattern) };
        assert_eq!((route.pattern, tail), (r.pattern, ""));
        if r.pattern.ends_with('/') {
            let below = format!("{}x//y", r.pattern);
            let Target::Route { route, tail } = router.find(&below) else { panic!("{below} is lost") };
            assert_eq!((route.pattern, tail), (r.pattern, "x//y"));
        }
        for (verb, _) in r.on {
            assert!(r.handler(&Method::from_bytes(verb.as_str().as_bytes()).unwrap()).is_some());
        }
        assert!(r.handler(&Method::HEAD).is_none() && r.handler(&Method::PATCH).is_none());
    }
}

#[test]
fn every_documented_endpoint_is_there() {
    let router = Router::new();
    // Paths with their methods, in the order that `Allow` shows.
    let documented = include_str!("endpoints.txt");
    let mut n = 0;
    for line in documented.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let (path, methods) = line.split_once(' ').unwrap();
        let Target::Route { route, .. } = router.find(path) else { panic!("no route for {path}") };
        assert_eq!(route.allow(), format!("OPTIONS,{methods}"), "{path}");
        n += 1;
    }
    assert!(n > 100);
}

#[test]
fn routes_that_are_gone_stay_gone() {
    let router = Router::new();
    for path in [
        "/v1",
        "/v1/",
        "/v1/nope",
        "/v1/agent/self/",
        "/v1/acl/list",
        "/v1/acl/rules/translate",
        "/v1/agent/connect/proxy/x",
        "/v1/operator/license",
        "/",
    ] {
        assert!(matches!(router.find(path), Target::None), "{path}");
    }
    assert!(matches!(router.find("/v1/kv"), Target::AddSlash));
    let many = format!("/v1/{}", "a/".repeat(4000));
    assert!(matches!(router.find(&many), Target::None));
}

#[test]
fn paths_are_cleaned() {
    for (dirty, cleaned) in [
        ("/v1//catalog/nodes", "/v1/catalog/nodes"),
        ("/v1/catalog/../status/leader", "/v1/status/leader"),
        ("/v1/kv/a/./b/", "/v1/kv/a/b/"),
        ("/../..", "/"),
        ("//", "/"),
    ] {
        assert_eq!(clean(dirty).as_deref(), Some(cleaned), "{dirty}");
    }
    for path in ["/", "/v1/kv/a.b/..c", "/v1/kv/", "/v1/kv/%2Fx"] {
        assert_eq!(clean(path), None, "{path}");
    }
}
