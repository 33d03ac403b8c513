use super::{super::COMMAND, *};
use std::net::IpAddr;

fn interfaces() -> Vec<IfAddr> {
    let one = |name: &str, ip: &str| IfAddr {
        name: name.to_owned(),
        ip: ip.parse::<IpAddr>().unwrap(),
        bits: 24,
        up: true,
        broadcast: true,
        loopback: name == "lo",
        point_to_point: false,
        multicast: true,
        default_route: name == "eth0",
    };
    vec![one("lo", "127.0.0.1"), one("eth0", "10.1.2.3")]
}

fn plan(args: &[&str]) -> Result<Plan, String> {
    let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
    Plan::from_flags(&Parsed::parse(COMMAND.flags, &args).unwrap(), &interfaces())
}

fn listens(plan: &Plan) -> Vec<String> {
    plan.listen.iter().map(ToString::to_string).collect()
}

#[test]
fn the_whole_form() {
    let p = plan(&[
        "-service=gw",
        "-expose-servers",
        "-address",
        "127.0.0.1:9100",
        "-wan-address",
        "{{ GetInterfaceIP \"eth0\" }}:9100",
        "-deregister-after-critical=1h",
    ])
    .unwrap();
    assert_eq!(listens(&p), ["10.1.2.3:9100", "127.0.0.1:9100"]);
    assert_eq!(
        p.registration.unwrap(),
        json!({
            "Kind": "mesh-gateway", "ID": "gw", "Name": "gw", "Address": "127.0.0.1", "Port": 9100,
            "TaggedAddresses": {
                "lan": { "Address": "127.0.0.1", "Port": 9100 }, "wan": { "Address": "10.1.2.3", "Port": 9100 }
            },
            "Meta": { "consul-wan-federation": "1" },
            "Proxy": { "Config": {
                "envoy_gateway_no_default_bind": true, "envoy_gateway_bind_tagged_addresses": true
            } },
            "Check": {
                "Name": "mesh-gateway listening", "TCP": "127.0.0.1:9100", "Interval": "10s",
                "DeregisterCriticalServiceAfter": "1h", "Status": "passing"
            },
        })
    );
}

#[test]
fn defaults_and_overrides() {
    let p = plan(&[]).unwrap();
    assert_eq!((p.service.as_str(), listens(&p)), ("mesh-gateway", vec!["0.0.0.0:8443".to_owned()]));
    let r = p.registration.unwrap();
    assert_eq!(
        (&r["Port"], &r["Check"]["TCP"], &r["TaggedAddresses"]),
        (&json!(8443), &json!("127.0.0.1:8443"), &json!({}))
    );
    assert!(r.get("Meta").is_none());
    assert_eq!(listens(&plan(&["-address", "127.0.0.1"]).unwrap()), ["127.0.0.1:8443"]);
    assert_eq!(listens(&plan(&["-address", ":9000"]).unwrap()), ["0.0.0.0:9000"]);
    // Behind address translation the WAN address is not one of this host.
    let p = plan(&["-address", "127.0.0.1:9000", "-wan-address", "gw.example:443"]).unwrap();
    assert_eq!(listens(&p), ["127.0.0.1:9000"]);
    let p = plan(&[
        "-address",
        "10.9.9.9:9000",
        "-bind-address",
        "a=127.0.0.1:1",
        "-bind-address",
        "b=0.0.0.0:2",
    ])
    .unwrap();
    assert_eq!(listens(&p), ["0.0.0.0:2", "127.0.0.1:1"]);
    let config = &p.registration.unwrap()["Proxy"]["Config"];
    assert_eq!(config["envoy_gateway_bind_addresses"]["b"], json!({ "Address": "0.0.0.0", "Port": 2 }));
}

/// `lo` has no address for others; everything is listened on, and the node's address is the gateway's.
#[test]
fn an_interface_without_an_address_for_others() {
    let args = [
        "-address",
        "{{ GetInterfaceIP \"lo\" }}:9100",
        "-wan-address",
        "{{ GetInterfaceIP \"eth0\" }}:9100",
    ];
    let p = plan(&args).unwrap();
    assert_eq!(listens(&p), ["0.0.0.0:9100"]);
    assert!(p.warnings[0].contains("listening on all addresses of this host, port 9100"), "{:?}", p.warnings);
    let r = p.registration.unwrap();
    assert_eq!((&r["Address"], &r["TaggedAddresses"]["wan"]["Address"]), (&json!(""), &json!("10.1.2.3")));
    let e = plan(&["-wan-address", "{{ GetInterfaceIP \"lo\" }}:9100"]).unwrap_err();
    assert!(e.contains("no address that others can reach"), "{e}");
}

#[test]
fn mistakes_say_what_to_do() {
    for (args, text) in [
        (
            &["-address", "db.example"][..],
            "-address \"db.example\": there is no port; write host:port, such as db.example:8443",
        ),
        (&["-address", "127.0.0.1:"], "the port must be a number from 1 to 65535"),
        (&["-address", "127.0.0.1:70000"], "the port must be a number from 1 to 65535"),
        (&["-wan-address", "fd00::zz"], "there is no port; write host:port, such as 10.0.0.1:8443"),
        (&["-address", "0.0.0.0:1"], "others cannot connect to it"),
        (
            &["-address", "{{ GetInterfaceIP \"eth9\" }}:1"],
            "the template gives no address on this host, whose addresses are: lo 127.0.0.1, eth0 10.1.2.3",
        ),
        (&["-wan-address", "{{ GetInterfaceIP }}:1"], "-wan-address: unable to"),
        (&["-wan-address", ":1"], "name the host that other datacenters connect to"),
        (
            &["-address", "10.9.9.9:1"],
            "The LAN address \"10.9.9.9\" will not be bindable. Either set a bindable address or override the bind addresses with -bind-address",
        ),
        (&["-bind-address", "127.0.0.1:1"], "write name=ip:port"),
        (&["-bind-address", "a=db.example:1"], "write ip:port"),
        (&["-expose-servers", "-address", "127.0.0.1:1"], "'-expose-servers' needs '-wan-address'"),
        (&["-deregister-after-critical", "x"], "write a duration such as 6h"),
    ] {
        let e = plan(args).unwrap_err();
        assert!(e.contains(text), "{args:?}: {e}");
    }
}

#[test]
fn the_gateway_that_an_agent_has() {
    let read = |body: Value, name| Plan::from_agent(body.to_string().as_bytes(), name, &interfaces());
    let gw = |id: &str| {
        json!({ "Kind": "mesh-gateway", "ID": id, "Service": id, "Address": "127.0.0.1", "Port": 9100,
            "Meta": { "consul-wan-federation": "1" },
            "TaggedAddresses": { "wan": { "Address": "10.1.2.3", "Port": 443 } } })
    };
    let p = read(json!({ "a": gw("a"), "web": { "Kind": "", "Service": "web" } }), None).unwrap();
    assert_eq!(listens(&p), ["10.1.2.3:443", "127.0.0.1:9100"]);
    assert!(p.expose_servers && p.registration.is_none());
    let two = json!({ "a": gw("a"), "b": gw("b") });
    assert!(
        read(two.clone(), None)
            .unwrap_err()
            .contains("More than one mesh-gateway service registered with this agent: a, b")
    );
    assert_eq!(read(two, Some("b")).unwrap().id, "b");
    assert!(
        read(json!({}), None).unwrap_err().starts_with("No mesh-gateway services registered with this agent")
    );
}
