use super::*;
use proptest::prelude::*;

fn addr(name: &str, ip: &str, bits: u8) -> IfAddr {
    let ip: IpAddr = ip.parse().unwrap();
    IfAddr {
        name: name.to_owned(),
        ip,
        bits,
        up: true,
        broadcast: !ip.is_loopback(),
        loopback: ip.is_loopback(),
        point_to_point: false,
        multicast: !ip.is_loopback(),
        default_route: name == "eth0",
    }
}

fn host() -> Vec<IfAddr> {
    vec![
        addr("lo", "127.0.0.1", 8),
        addr("lo", "::1", 128),
        addr("eth1", "192.168.7.9", 24),
        addr("eth0", "10.1.2.3", 16),
        addr("eth0", "2a00:1450::5", 64),
        addr("eth0", "fe80::1", 64),
        addr("wan0", "93.184.216.34", 24),
    ]
}

fn ok(t: &str) -> String {
    expand(t, &host()).unwrap()
}

fn err(t: &str) -> String {
    expand(t, &host()).unwrap_err().to_string()
}

#[test]
fn addresses_by_function() {
    assert_eq!(ok("{{ GetPrivateIP }}"), "10.1.2.3");
    assert_eq!(ok("{{ GetPrivateIPs }}"), "10.1.2.3 192.168.7.9");
    assert_eq!(ok("{{GetPublicIP}}"), "2a00:1450::5");
    assert_eq!(ok("{{ GetInterfaceIP \"eth0\" }}"), "10.1.2.3");
    assert_eq!(ok("{{ GetInterfaceIP `^eth\\d$` }}"), "192.168.7.9");
    assert_eq!(ok("{{ GetInterfaceIP \"lo\" }}"), "");
    assert_eq!(ok("{{ GetInterfaceIPs \"^lo$\" }}"), "127.0.0.1 ::1");
}

#[test]
fn pipelines() {
    assert_eq!(
        ok("{{ GetPrivateInterfaces | include \"network\" \"10.0.0.0/8\" | attr \"address\" }}"),
        "10.1.2.3"
    );
    assert_eq!(
        ok(
            "{{ GetAllInterfaces | include \"name\" \"^eth\" | include \"flags\" \"forwardable|up\" | sort \"+name\" | limit 1 | join \"address\" \" \" }}"
        ),
        "10.1.2.3"
    );
    assert_eq!(
        ok(
            "{{ GetAllInterfaces | exclude \"rfc\" \"1918|6890\" | sort \"-type\" | join \"address\" \",\" }}"
        ),
        "2a00:1450::5,93.184.216.34"
    );
    assert_eq!(
        ok(
            "{{ GetDefaultInterfaces | include \"type\" \"IPv4\" | math \"network\" \"+4\" | attr \"string\" }}"
        ),
        "10.1.0.4/16"
    );
    assert_eq!(
        ok(
            "{{ GetDefaultInterfaces | include \"type\" \"IPv4\" | math \"network\" \"-2\" | attr \"address\" }}"
        ),
        "10.1.255.254"
    );
    assert_eq!(
        ok("{{ . | include \"type\" \"ipv4\" | unique \"name\" | offset -1 | attr \"name\" }}"),
        "wan0"
    );
    assert_eq!(ok("{{ (GetAllInterfaces | include \"size\" \"24\") | attr \"netmask\" }}"), "255.255.255.0");
    assert_eq!(ok("a {{- /* note */}} b {{ \"c\" -}}  d"), "a b cd");
    assert_eq!(ok("no template"), "no template");
}

#[test]
fn attributes() {
    let of = |name: &str| {
        ok(&format!(
            "{{{{ GetInterfaceIP \"x\" }}}}{{{{ GetAllInterfaces | include \"name\" \"eth1\" | attr {name:?} }}}}"
        ))
    };
    assert_eq!(of("broadcast"), "192.168.7.255");
    assert_eq!(of("first_usable"), "192.168.7.1");
    assert_eq!(of("last_usable"), "192.168.7.254");
    assert_eq!(of("hex"), "c0a80709");
    assert_eq!(of("octets"), "192 168 7 9");
    assert_eq!(of("size"), "256");
    assert_eq!(of("uint32"), "3232237321");
    assert_eq!(of("network"), "192.168.7.0/24");
    assert_eq!(of("type"), "IPv4");
    assert_eq!(of("flags"), "up|broadcast|multicast");
}

#[test]
fn errors_name_the_place() {
    assert_eq!(
        err("{{ GetAllInterfaces | attr \"bogus\" }}"),
        "unable to execute sockaddr input \"{{ GetAllInterfaces | attr \\\"bogus\\\" }}\": template: sockaddr.Parse:1:22: executing \"sockaddr.Parse\" at <attr \"bogus\">: error calling attr: unsupported attribute name \"bogus\""
    );
    assert!(err("{{ GetAllInterfaces | limit \"x\" }}").contains(
        "sockaddr.Parse:1:28: executing \"sockaddr.Parse\" at <\"x\">: expected integer; found \"x\""
    ));
    assert!(
        err("{{ GetAllInterfaces | sort \"x\" | attr \"name\" }}")
            .contains("error calling sort: unknown sort type: \"x\"")
    );
    assert!(err("{{ Nope }}").ends_with("template: sockaddr.Parse:1: function \"Nope\" not defined"));
    assert!(err("{{ GetPrivateIP").contains("unclosed action"));
    assert!(err("{{ }}").contains("missing value for command"));
    assert!(
        err("{{ GetAllInterfaces | include \"name\" \"(\" | attr \"name\" }}")
            .contains("error calling include")
    );
    assert!(err("{{ attr \"name\" }}").contains("wrong number of args for attr: want 2 got 1"));
    assert!(
        expand("{{ GetDefaultInterfaces }}", &[])
            .unwrap_err()
            .to_string()
            .contains("No default interface found")
    );
}

proptest! {
    #[test]
    fn any_text_is_expanded_or_refused(t in ".{0,60}", inner in "[ -~]{0,40}") {
        let _ = expand(&t, &host());
        let _ = expand(&format!("{{{{ {inner} }}}}"), &host());
    }
}
