use super::*;

const TWO: &str = r#"[
 {"Name":"c1","Addr":"10.0.0.2","Port":8301,"Status":4,"Tags":{"role":"node","build":"1.21.4:abc","vsn":"2","dc":"dc1"}},
 {"Name":"s1","Addr":"fd00::1","Port":8301,"Status":1,"Tags":{"role":"consul","build":"1.21.4","vsn":"2","dc":"dc1"}},
 {"Name":"z","Addr":"10.0.0.3","Port":1,"Status":1,"Tags":null}]"#;

#[test]
fn members_in_columns() {
    let fake = Fake::start(&[("GET /v1/agent/members?segment=_all", 200, TWO)]);
    let ran = fake.run(&["members"]);
    assert_eq!(
        ran.out,
        "Node  Address         Status  Type     Build   Protocol  DC   Partition  Segment\n\
         s1    [fd00::1]:8301  alive   server   1.21.4  2         dc1  default    <all>\n\
         c1    10.0.0.2:8301   failed  client   1.21.4  2         dc1  default    <default>\n\
         z     10.0.0.3:1      alive   unknown                                    \n"
    );
    assert_eq!(fake.run(&["members", "-status", "^left$"]).code, 2);
    let ran = fake.run(&["members", "-detailed", "-status=failed"]);
    assert!(
        ran.out.ends_with("ap=default,build=1.21.4:abc,dc=dc1,role=node,segment=<default>,vsn=2\n"),
        "{}",
        ran.out
    );
    assert!(fake.run(&["members", "-status", "("]).err.starts_with("Failed to compile status regexp"));
}

#[test]
fn catalog_lists() {
    let nodes = r#"[{"ID":"aaaaaaaa-1","Node":"n1","Address":"10.0.0.1","Datacenter":"dc1","TaggedAddresses":{"wan":"w","lan":"l"},"Meta":{"b":"2","a":"1"}}]"#;
    let instance = r#"[{"ID":"bbbb-1","Node":"n2","Address":"10.0.0.2","Datacenter":"dc1","NodeMeta":{},"ServiceMeta":{}},{"ID":"bbbb-1","Node":"n2","Address":"10.0.0.2","Datacenter":"dc1"}]"#;
    let fake = Fake::start(&[
        ("GET /v1/catalog/nodes", 200, nodes),
        ("GET /v1/catalog/nodes?near=_agent&node-meta=a%3Ab&stale=", 200, "[]"),
        ("GET /v1/catalog/service/web%20x", 200, instance),
        ("GET /v1/catalog/services", 200, r#"{"web":["b","a"],"consul":[]}"#),
        ("GET /v1/catalog/node/n1?dc=dc2", 200, r#"{"Services":{"w-1":{"Service":"web","Tags":["a"]}}}"#),
        ("GET /v1/catalog/node/zz", 200, "null"),
        ("GET /v1/catalog/datacenters", 200, r#"["dc2","dc1"]"#),
    ]);
    assert_eq!(
        fake.run(&["catalog", "nodes"]).out,
        "Node  ID        Address   DC\nn1    aaaaaaaa  10.0.0.1  dc1\n"
    );
    assert!(fake.run(&["catalog", "nodes", "-detailed"]).out.ends_with("dc1  lan=l, wan=w     a=1, b=2\n"));
    let none = fake.run(&["catalog", "nodes", "-near", "_agent", "-node-meta", "a=b", "-stale"]);
    assert_eq!((none.code, none.out.as_str()), (0, ""));
    assert!(none.err.starts_with("No nodes match the given query - try expanding your search."));
    assert_eq!(fake.run(&["catalog", "nodes", "-service", "web x"]).out.lines().count(), 2);
    assert_eq!(fake.run(&["catalog", "services"]).out, "consul\nweb\n");
    assert_eq!(fake.run(&["catalog", "services", "-tags"]).out, "consul    \nweb       a,b\n");
    assert_eq!(fake.run(&["catalog", "services", "-node", "n1", "-datacenter=dc2"]).out, "web\n");
    assert_eq!(fake.run(&["catalog", "services", "-node", "zz"]).out, "");
    assert_eq!(fake.run(&["catalog", "datacenters"]).out, "dc2\ndc1\n");
    assert!(fake.run(&["catalog", "nodes", "x"]).err.contains("Too many arguments (expected 0, got 1)"));
    let ran = fake.run(&["catalog", "nodes", "-filter", "@@"]);
    assert!(ran.err.contains(
        "Could not process filter argument: Failed to read file: open @: no such file or directory"
    ));
}

#[test]
fn keyring_shows_pools() {
    let rings = r#"[{"WAN":true,"Datacenter":"dc1","Segment":"","Messages":{"n1.dc1":"odd"},"Keys":{"K1":1},"PrimaryKeys":{"K1":1},"NumNodes":1},
      {"WAN":false,"Datacenter":"dc1","Segment":"","Keys":{"K1":2,"K2":3},"PrimaryKeys":{"K2":3},"NumNodes":3}]"#;
    let fake = Fake::start(&[
        ("GET /v1/operator/keyring", 200, rings),
        ("POST /v1/operator/keyring?relay-factor=2", 200, ""),
        ("DELETE /v1/operator/keyring", 500, "1 error occurred:\n\t* x\n"),
    ]);
    assert_eq!(
        fake.run(&["keyring", "-list"]).out,
        "==> Gathering installed encryption keys...\n\nWAN:\n  ===> n1.dc1: odd\n  K1 [1/1]\n\ndc1 (LAN):\n  K1 [2/3]\n  K2 [3/3]\n"
    );
    assert!(fake.run(&["keyring", "-list-primary"]).out.ends_with("dc1 (LAN):\n  K2 [3/3]\n"));
    let ran = fake.run(&["keyring", "-install", "KEY=", "-relay-factor=2"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "==> Installing new gossip encryption key...\n"));
    assert!(fake.last().ends_with("\n{\"Key\":\"KEY=\"}"));
    let ran = fake.run(&["keyring", "-remove", "K"]);
    assert_eq!(ran.out, "==> Removing gossip encryption key...\n");
    assert!(ran.err.starts_with("error: Unexpected response code: 500 (1 error occurred:"));
    for (args, text) in [
        (&["keyring"][..], "Manages encryption keys used for gossip messages. Gossip encryption is"),
        (&["keyring", "-list", "-use", "x"], "Only a single action is allowed"),
        (
            &["keyring", "-list", "-relay-factor", "9"],
            "Error parsing relay factor: Relay factor must be in range: [0, 5]",
        ),
        (
            &["keyring", "-list-primary", "-local-only"],
            "Error validating local-only: local-only can only be set for list requests",
        ),
    ] {
        let ran = fake.run(args);
        assert_eq!(ran.code, 1);
        assert!(ran.err.contains(text), "{}", ran.err);
    }
}

#[test]
fn maintenance() {
    let checks = r#"{"_node_maintenance":{"Node":"n1","Notes":"why"},"_service_maintenance:web":{"Node":"n1","Notes":"r","ServiceID":"web"},"other":{"Node":"n1"}}"#;
    let fake = Fake::start(&[
        ("GET /v1/agent/checks", 200, checks),
        ("PUT /v1/agent/maintenance?enable=true&reason=two%20words", 200, ""),
        ("PUT /v1/agent/service/maintenance/web?enable=false", 200, ""),
    ]);
    assert_eq!(
        fake.run(&["maint"]).out,
        "Node:\n  Name:   n1\n  Reason: why\n\nService:\n  ID:     web\n  Reason: r\n\n"
    );
    assert_eq!(
        fake.run(&["maint", "-enable", "-reason", "two words"]).out,
        "Node maintenance is now enabled\n"
    );
    assert_eq!(
        fake.run(&["maint", "-disable", "-service", "web"]).out,
        "Service maintenance is now disabled for \"web\"\n"
    );
    assert!(fake.run(&["maint", "-reason", "x"]).err.starts_with("Reason may only be provided with -enable"));
    assert!(
        fake.run(&["maint", "-service", "x"]).err.starts_with("Service requires either -enable or -disable")
    );
}

#[test]
fn membership_changes() {
    let fake = Fake::start(&[
        ("PUT /v1/agent/join/10.0.0.1:8301?wan=1", 200, ""),
        ("PUT /v1/agent/join/bad?wan=1", 500, "no"),
        ("PUT /v1/agent/force-leave/n1?prune=1", 200, ""),
        ("PUT /v1/agent/force-leave/zz", 500, "agent: No node found with name 'zz'"),
        ("PUT /v1/agent/leave", 200, ""),
        ("PUT /v1/agent/reload", 200, ""),
    ]);
    let ran = fake.run(&["join", "-wan", "bad", "10.0.0.1:8301"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "Successfully joined cluster by contacting 1 nodes.\n"));
    assert_eq!(ran.err, "Error joining address 'bad': Unexpected response code: 500 (no)\n");
    assert!(fake.run(&["join", "-wan", "bad"]).err.contains("Failed to join any nodes."));
    let ran = fake.run(&["force-leave", "-prune", "n1"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    assert!(fake.run(&["force-leave", "zz"]).err.starts_with(
        "Error force leaving: Unexpected response code: 500 (agent: No node found with name 'zz')"
    ));
    assert_eq!(fake.run(&["leave"]).out, "Graceful leave complete\n");
    let ran = fake.run(&["leave", "extra"]);
    assert!(
        ran.code == 1 && ran.err == "Error found unexpected args: [extra]\n" && ran.out.starts_with("Usage:")
    );
    assert_eq!(fake.run(&["reload"]).out, "Configuration reload triggered\n");
}

#[test]
fn info_and_monitor() {
    let fake = Fake::start(&[
        ("GET /v1/agent/self", 200, r#"{"Stats":{"build":{"version":"x"},"agent":{"b":"2","a":"1"}}}"#),
        ("GET /v1/agent/monitor?logjson=&loglevel=INFO", 200, "a line\n"),
        ("GET /v1/agent/monitor?loglevel=bogus", 400, "Unknown log level: bogus"),
    ]);
    assert_eq!(fake.run(&["info"]).out, "agent:\n\ta = 1\n\tb = 2\nbuild:\n\tversion = x\n");
    let ran = fake.run(&["monitor", "-log-json"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.starts_with("a line\n\nRemote side ended the monitor!"), "{}", ran.out);
    assert_eq!(
        fake.run(&["monitor", "-log-level", "bogus"]).err,
        "Error starting monitor: Unexpected response code: 400 (Unknown log level: bogus)\n"
    );
}

#[test]
fn services_from_flags() {
    let fake = Fake::start(&[
        ("PUT /v1/agent/service/register", 200, ""),
        ("PUT /v1/agent/service/deregister/x", 200, ""),
        ("PUT /v1/agent/service/deregister/y", 404, "Unknown service ID \"y\"."),
    ]);
    let ran = fake.run(&[
        "services",
        "register",
        "-name",
        "web",
        "-id",
        "w1",
        "-port=80",
        "-tag",
        "a",
        "-tag",
        "b",
        "-meta",
        "k=v",
        "-tagged-address",
        "wan=1.2.3.4:90",
    ]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "Registered service: web\n"));
    let sent: serde_json::Value = serde_json::from_str(fake.last().lines().last().unwrap()).unwrap();
    assert_eq!(sent["TaggedAddresses"]["wan"], serde_json::json!({"Address": "1.2.3.4", "Port": 90}));
    assert_eq!((&sent["ID"], &sent["Port"], &sent["Tags"][1]), (&"w1".into(), &80.into(), &"b".into()));
    for (args, text) in [
        (&["register"][..], "Service registration requires at least one argument or flags."),
        (&["register", "-id", "x"], "Service registration requires at least one argument or flags."),
        (
            &["register", "-name", "p", "-id", "x", "a.hcl"],
            "Service registration requires arguments or -id, not both.",
        ),
        (
            &["register", "-name", "p", "-address", "10.0.0.1:80"],
            "Invalid Service address when using CLI flags. Use -port flag instead: address should not contain port",
        ),
        (
            &["register", "-name", "p", "-tagged-address", "wan=1.1.1.1"],
            "Invalid Tagged address: address 1.1.1.1: missing port in address",
        ),
        (&["deregister"], "Service deregistration requires at least one argument or -id."),
        (
            &["deregister", "-id", "y"],
            "Error deregistering service \"\": Unexpected response code: 404 (Unknown service ID \"y\".)",
        ),
    ] {
        let ran = fake.run(&[&["services"], args].concat());
        assert_eq!((ran.code, ran.out.as_str()), (1, ""));
        assert!(ran.err.starts_with(text), "{}", ran.err);
    }
    assert_eq!(fake.run(&["services", "deregister", "-id=x"]).out, "Deregistered service: x\n");
}

#[test]
fn kv() {
    let one = r#"[{"LockIndex":0,"Key":"a/b","Flags":7,"Value":"MQ==","CreateIndex":3,"ModifyIndex":4}]"#;
    let two = r#"[{"LockIndex":0,"Key":"a/b","Flags":0,"Value":"MQ==","CreateIndex":3,"ModifyIndex":4},
                  {"LockIndex":0,"Key":"a/c","Flags":0,"Value":null,"CreateIndex":3,"ModifyIndex":4}]"#;
    let fake = Fake::start(&[
        ("GET /v1/kv/a/b", 200, one),
        ("GET /v1/kv/a/?recurse=", 200, two),
        ("GET /v1/kv/a/?keys=&separator=%2F", 200, r#"["a/b","a/c/"]"#),
        ("PUT /v1/kv/a/b", 200, "true"),
        ("PUT /v1/kv/a/b?cas=9", 200, "false"),
        ("PUT /v1/kv/a/b?cas=0", 200, "false"),
        ("PUT /v1/kv/a/b?acquire=s", 200, "true"),
        ("DELETE /v1/kv/a/b", 200, "true"),
        ("DELETE /v1/kv/a/?recurse=", 200, "true"),
        (
            "GET /v1/kv/x?ns=default",
            400,
            "Invalid query parameter: \"ns\" - Namespaces are a Consul Enterprise feature",
        ),
    ]);
    assert_eq!(fake.run(&["kv", "get", "/a/b"]).out, "1\n");
    assert_eq!(fake.run(&["kv", "get", "-base64", "a/b"]).out, "MQ==\n");
    assert_eq!(
        fake.run(&["kv", "get", "-detailed", "a/b"]).out,
        "CreateIndex      3\nFlags            7\nKey              a/b\nLockIndex        0\nModifyIndex      4\nSession          -\nValue            1\n"
    );
    assert_eq!(fake.run(&["kv", "get", "-recurse", "a/"]).out, "a/b:1\na/c:\n");
    assert_eq!(fake.run(&["kv", "get", "-keys", "a/"]).out, "a/b\na/c/\n");
    let none = fake.run(&["kv", "get", "-recurse", "none"]);
    assert_eq!((none.code, none.out.as_str()), (0, ""));
    assert_eq!(fake.run(&["kv", "get", "none"]).err, "Error! No key exists at: none\n");
    assert_eq!(fake.run(&["kv", "put", "a/b", "v"]).out, "Success! Data written to: a/b\n");
    let addr = fake.addr.to_string();
    assert_eq!(run_with(&[("CONSUL_HTTP_ADDR", &addr)], &["kv", "put", "a/b", "-"], "in\n").code, 0);
    assert!(fake.last().ends_with("\nin\n"));
    assert_eq!(
        fake.run(&["kv", "put", "-cas", "-modify-index=9", "a/b", "v"]).err,
        "Error! Did not write to a/b: CAS failed\n"
    );
    assert_eq!(
        fake.run(&["kv", "put", "-cas", "a/b", "v"]).err,
        "Error! Did not write to a/b: CAS performed with index=0 and key already exists.\n"
    );
    assert_eq!(
        fake.run(&["kv", "put", "-acquire", "-session=s", "a/b"]).out,
        "Success! Lock acquired on: a/b\n"
    );
    assert_eq!(
        fake.run(&["kv", "put", "/a", "s"]).err,
        "Error! Failed writing data: Invalid key. Key must not begin with a '/': /a\n"
    );
    let exported = fake.run(&["kv", "export", "a/"]).out;
    assert_eq!(
        exported,
        "[\n\t{\n\t\t\"key\": \"a/b\",\n\t\t\"flags\": 0,\n\t\t\"value\": \"MQ==\"\n\t},\n\t{\n\t\t\"key\": \"a/c\",\n\t\t\"flags\": 0,\n\t\t\"value\": \"\"\n\t}\n]\n"
    );
    assert_eq!(fake.run(&["kv", "export", "none"]).out, "[]\n");
    assert_eq!(fake.run(&["kv", "import", "[{\"key\":\"b\"}]", "-prefix=a/"]).code, 1);
    assert_eq!(fake.run(&["kv", "import", "-prefix=a/", "[{\"key\":\"b\"}]"]).out, "Imported: a/b\n");
    assert!(fake.run(&["kv", "import", "{}"]).err.starts_with("Cannot unmarshal data: "));
    assert_eq!(fake.run(&["kv", "import"]).err, "Error! Missing DATA argument\n");
    assert_eq!(fake.run(&["kv", "delete", "a/b"]).out, "Success! Deleted key: a/b\n");
    assert_eq!(fake.run(&["kv", "delete", "-recurse", "a/"]).out, "Success! Deleted keys with prefix: a/\n");
    assert!(
        fake.run(&["kv", "delete", "-cas", "a/b"])
            .err
            .starts_with("Cannot delete a key that does not exist.")
    );
    assert!(fake.run(&["kv", "get", "-namespace", "default", "x"]).err.starts_with(
        "Error querying Consul agent: Unexpected response code: 400 (Invalid query parameter: \"ns\""
    ));
}

#[test]
fn round_trip_times() {
    let nodes = r#"[{"Node":"a","Coord":{"Vec":[0.0],"Error":1,"Adjustment":0,"Height":0.0001}},{"Node":"b","Coord":{"Vec":[0.0005],"Error":1,"Adjustment":0,"Height":0.0001}}]"#;
    let fake = Fake::start(&[
        ("GET /v1/coordinate/nodes", 200, nodes),
        ("GET /v1/agent/self", 200, r#"{"Config":{"NodeName":"b","Datacenter":"dc1"}}"#),
    ]);
    assert_eq!(fake.run(&["rtt", "a"]).out, "Estimated a <-> b rtt: 0.700 ms (using LAN coordinates)\n");
    assert_eq!(fake.run(&["rtt", "zz"]).err, "Could not find a coordinate for node \"zz\"\n");
    assert!(
        fake.run(&["rtt", "-wan", "a"])
            .err
            .starts_with("Node names must be specified as <node name>.<datacenter>")
    );
    assert!(fake.run(&["rtt"]).err.starts_with("One or two node names must be specified"));
}

#[test]
fn services_from_files() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let fake = Fake::start(&[
        ("PUT /v1/agent/service/register", 200, ""),
        ("PUT /v1/agent/service/deregister/h-1", 200, ""),
    ]);
    let one = write(
        "a.hcl",
        "service { name = \"h\" id = \"h-1\" port = 1 check { ttl = \"1m\" } }\nlog_level = \"INFO\"\n",
    );
    let two = write("b.json", "{\"services\":[{\"name\":\"j1\"},{\"name\":\"j2\"}]}");
    let ran = fake.run(&["services", "register", &one, &two]);
    assert_eq!(
        ran.out, "Registered service: h\nRegistered service: j1\nRegistered service: j2\n",
        "{}",
        ran.err
    );
    let first = fake.seen.lock().unwrap()[0].clone();
    let sent: serde_json::Value = serde_json::from_str(first.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&sent["ID"], &sent["Port"], &sent["Checks"][0]["TTL"]),
        (&"h-1".into(), &1.into(), &"1m0s".into())
    );
    assert_eq!(fake.run(&["services", "deregister", &one]).out, "Deregistered service: h-1\n");
    let empty = write("empty.hcl", "");
    assert_eq!((fake.run(&["services", "register", &empty]).code, 0), (0, 0));
    for (file, text) in [
        (write("bad.hcl", "service { nam = \"x\" }\n"), "Error: failed to parse "),
        (write("x.conf", ""), "Error: file "),
        (dir.path().join("none.hcl").to_str().unwrap().to_owned(), "Error: config: Open failed on "),
        (
            write("p.hcl", "service { name = \"n\" address = \"1.2.3.4:5\" }"),
            "Invalid Service address for service 'n'.",
        ),
    ] {
        let ran = fake.run(&["services", "register", &file]);
        assert_eq!(ran.code, 1);
        assert!(ran.err.starts_with(text), "{}", ran.err);
    }
}

#[test]
fn validate() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let data = format!("data_dir = \"{}\"\nbind_addr = \"127.0.0.1\"\n", dir.path().display());
    std::fs::write(path("good.hcl"), &data).unwrap();
    std::fs::write(path("bad.hcl"), "data_dirr = \"x\"").unwrap();
    std::fs::write(path("noext"), &data).unwrap();
    let ran = run(&["validate", &path("good.hcl")]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "Configuration is valid!\n"), "{}", ran.err);
    let quiet = run(&["validate", "-quiet", &path("good.hcl")]);
    assert_eq!((quiet.code, quiet.out.as_str(), quiet.err.as_str()), (0, "", ""));
    assert_eq!(run(&["validate", "-config-format=hcl", &path("noext")]).code, 0);
    for (args, text) in [
        (&["validate"][..], "Must specify at least one config file or directory"),
        (&["validate", &path("bad.hcl")], "Config validation failed: failed to parse "),
        (&["validate", &path("noext")], "Config validation failed: file "),
        (&["validate", "-config-format=xml", "x"], "-config-format must be either 'hcl' or 'json"),
    ] {
        let ran = run(args);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""));
        assert!(ran.err.starts_with(text), "{}", ran.err);
    }
}

#[test]
fn snapshots_are_shown_without_an_agent() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("s.snap");
    let state = b"a/b/c\na/b/d\nz\n";
    let meta = archive::Meta::new(7, 2, state.len() as u64, 5);
    std::fs::write(&file, archive::write(Vec::new(), &meta, 0, state.as_slice()).unwrap()).unwrap();
    let file = file.to_str().unwrap();
    let ran = run(&["snapshot", "inspect", "-kvdetails", file]);
    let expected = " ID       2-7-5\n Size     14\n Index    7\n Term     2\n Version  1\n\n \
                    Type   Count  Size\n ----   ----   ----\n KVS    3      11B\n ----   ----   ----\n Total         11B\n\n \
                    Key Name  Count  Size\n ----      ----   ----\n a/b       2      10B\n z         1      1B\n \
                    ----      ----   ----\n Total            11B\n";
    assert_eq!(ran.out, expected, "{}", ran.err);
    let ran = run(&["snapshot", "inspect", "-format=json", file]);
    assert!(
        ran.out.starts_with("{\n   \"Meta\": {\n      \"ID\": \"2-7-5\",\n      \"Size\": 14,"),
        "{}",
        ran.out
    );
    let ran = run(&["snapshot", "decode", file]);
    assert_eq!(ran.out.lines().nth(1), Some(r#"{"Data":{"Key":"a/b/c"},"Type":"KVS"}"#));
    std::fs::write(file, "nope").unwrap();
    let ran = run(&["snapshot", "inspect", file]);
    assert_eq!((ran.code, ran.err.contains("Error reading snapshot: failed to decompress")), (1, true));
}

#[test]
fn a_snapshot_gets_its_name_once_it_is_verified() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("s.snap");
    let fake = Fake::start(&[("GET /v1/snapshot", 200, "not an archive")]);
    let ran = fake.run(&["snapshot", "save", file.to_str().unwrap()]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("Error verifying snapshot file: failed to decompress"), "{}", ran.err);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "a broken file was left behind");
    std::fs::write(&file, "x").unwrap();
    let ran = fake.run(&["snapshot", "restore", file.to_str().unwrap()]);
    assert!(ran.err.starts_with("Error restoring snapshot: Unexpected response code: 404"), "{}", ran.err);
}

#[test]
fn a_recovery_asks_first() {
    let ran = run_with(&[], &["operator", "recover", "-data-dir", "/d"], "no\n");
    assert_eq!((ran.code, ran.err.trim()), (1, "Nothing was changed."));
    let ran = run_with(&[], &["operator", "recover", "-data-dir", "/d"], "yes\n");
    assert_eq!((ran.code, ran.out.contains("Recovered.")), (0, true), "{}", ran.err);
    let ran = run(&["operator", "recover", "-data-dir", "/d", "-dry-run"]);
    assert!(ran.out.contains("Last index:      9") && !ran.out.contains("Recovered"), "{}", ran.out);
    let ran = run(&["operator", "recover", "-data-dir", "/d", "-yes", "-server", "b=10.0.0.2:1"]);
    assert!(ran.err.contains("not among those that -server names"), "{}", ran.err);
}

#[test]
fn a_watch_without_a_child_shows_and_ends() {
    let pair = r#"[{"LockIndex":0,"Key":"k","Flags":0,"Value":null,"CreateIndex":5,"ModifyIndex":6}]"#;
    let fake = Fake::start(&[
        ("GET /v1/status/leader", 200, "\"x\""),
        ("GET /v1/kv/k", 200, pair),
        ("GET /v1/health/service/w?tag=a&passing=1", 200, "[]"),
    ]);
    let ran = fake.run(&["watch", "-type=key", "-key=k"]);
    assert!(ran.out.starts_with("{\n    \"Key\": \"k\",\n    \"CreateIndex\": 5,"), "{}{}", ran.out, ran.err);
    assert_eq!(fake.run(&["watch", "-type=key", "-key=other"]).out, "null\n");
    let ran = fake.run(&["watch", "-type=service", "-service=w", "-tag=a", "-passingonly=true"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "[]\n"), "{}", ran.err);
    assert!(fake.run(&["watch", "-type=nodes", "-key=x"]).err.starts_with("Invalid parameters: [key]"));
}

#[test]
fn events_are_fired_with_their_filters() {
    let fake = Fake::start(&[
        ("GET /v1/agent/self", 200, "{}"),
        ("PUT /v1/event/fire/deploy?node=n1", 200, r#"{"ID":"7"}"#),
    ]);
    assert_eq!(fake.run(&["event", "-name", "deploy", "-node", "n1", "now"]).out, "Event ID: 7\n");
    assert!(fake.run(&["event", "-name", "x", "-tag", "t"]).err.contains("without service filter"));
    assert!(
        fake.run(&["event", "-name", "x", "-node", "["])
            .err
            .starts_with("Failed to compile node filter regexp")
    );
}
