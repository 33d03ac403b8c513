use super::*;
use std::os::unix::net::UnixListener;

const MEMBERS: &str = "GET /v1/agent/members?segment=_all";

#[test]
fn settings_that_cannot_be_used_say_so_before_any_request() {
    for (env, args, text) in [
        (&[][..], &["members", "-http-addr", "ftp://x"][..], "Unknown protocol scheme: ftp"),
        (
            &[],
            &["members", "-token-file", "nofile"],
            "Error loading token file nofile : open nofile: no such file or directory",
        ),
        (
            &[("CONSUL_HTTP_TOKEN_FILE", "nofile")],
            &["members"],
            "Error loading token file nofile : open nofile: no such file or directory",
        ),
        (
            &[("CONSUL_HTTP_SSL", "true")],
            &["members", "-ca-file", "nofile"],
            "Error loading CA File: open nofile",
        ),
    ] {
        let ran = run_with(env, args, "");
        assert_eq!((ran.code, ran.out.as_str()), (1, ""));
        assert!(ran.err.starts_with(&format!("Error connecting to Consul agent: {text}")), "{}", ran.err);
    }
}

#[test]
fn an_absent_agent_is_named_with_advice() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let addr = format!("127.0.0.1:{port}");
    let ran = run_with(&[("CONSUL_HTTP_ADDR", &addr)], &["members"], "");
    let expected = format!(
        "Error retrieving members: Get \"http://{addr}/v1/agent/members?segment=_all\": dial tcp {addr}: connect: connection refused\n"
    );
    assert!(ran.err.starts_with(&expected), "{}", ran.err);
    assert!(ran.err.contains("Is the agent running?") && ran.err.contains(&addr));
    assert_eq!(ran.code, 1);
    let ran = run_with(&[("CONSUL_HTTP_ADDR", "unix:///nonexistent.sock")], &["members"], "");
    assert!(
        ran.err.contains("dial unix /nonexistent.sock: connect: no such file or directory"),
        "{}",
        ran.err
    );
}

#[test]
fn a_refused_token_brings_advice_and_is_not_shown() {
    let fake = Fake::start(&[(MEMBERS, 403, "Permission denied: x\n")]);
    let ran = fake.run(&["members", "-token", "s3cret"]);
    assert!(
        ran.err
            .starts_with("Error retrieving members: Unexpected response code: 403 (Permission denied: x)\n")
    );
    assert!(ran.err.contains("-token") && !ran.err.contains("s3cret"));
    assert!(fake.last().contains("x-consul-token: s3cret"));
}

#[test]
fn token_order_basic_auth_and_prefix() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("t");
    std::fs::write(&file, "from-file\n").unwrap();
    let file = file.to_str().unwrap();
    let fake = Fake::start(&[("GET /base/v1/agent/members?segment=_all", 200, "[]")]);
    let addr = format!("http://{}/base/", fake.addr);
    let base = [("CONSUL_HTTP_ADDR", addr.as_str()), ("CONSUL_HTTP_AUTH", "u:p")];
    let with = |extra: &[(&'static str, &'static str)], args: &[&str]| {
        let env: Vec<_> = base.iter().copied().chain(extra.iter().copied()).collect();
        assert_eq!(run_with(&env, args, "").code, 2);
        fake.last()
    };
    assert!(with(&[("CONSUL_HTTP_TOKEN", "env")], &["members"]).contains("x-consul-token: env\r"));
    assert!(with(&[("CONSUL_HTTP_TOKEN", "env")], &["members", "-token=flag"]).contains("token: flag\r"));
    let seen = with(&[("CONSUL_HTTP_TOKEN", "env")], &["members", "-token=flag", "-token-file", file]);
    assert!(seen.contains("x-consul-token: from-file\r") && seen.contains("authorization: Basic dTpw\r"));
}

#[test]
fn plain_http_behind_https_is_explained() {
    let fake = Fake::start(&[]);
    let addr = format!("https://{}", fake.addr);
    let ran = run_with(&[("CONSUL_HTTP_ADDR", &addr)], &["members"], "");
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("Error retrieving members: "), "{}", ran.err);
    assert!(!ran.err.contains("panicked"));
}

#[test]
fn unix_sockets_work() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buf = [0; 1024];
        let n = stream.read(&mut buf).unwrap();
        assert!(buf[..n].starts_with(b"GET /v1/agent/members?segment=_all HTTP/1.1"));
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]").unwrap();
    });
    let addr = format!("unix://{}", path.display());
    assert_eq!(run_with(&[("CONSUL_HTTP_ADDR", &addr)], &["members"], "").code, 2);
}

#[test]
fn an_unreadable_boolean_is_only_a_warning() {
    let fake = Fake::start(&[(MEMBERS, 200, "[]")]);
    let addr = fake.addr.to_string();
    let ran = run_with(&[("CONSUL_HTTP_ADDR", &addr), ("CONSUL_HTTP_SSL", "maybe")], &["members"], "");
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("could not parse CONSUL_HTTP_SSL"));
}
