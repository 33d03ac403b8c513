//! `dig`, every record type.

use super::agent::{Agent, installed};
use anyhow::{Context, Result, ensure};
use std::process::Command;

/// What `dig` shows of an answer.
struct Reply {
    status: String,
    flags: String,
    text: String,
    answer: Vec<Row>,
    authority: Vec<Row>,
    additional: Vec<Row>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Row {
    name: String,
    kind: String,
    data: String,
}

impl Agent {
    fn dig(&self, arguments: &str) -> Result<Reply> {
        let mut command = Command::new("dig");
        // Not what stands in somebody's .digrc.
        command.args(["-r", "@127.0.0.1", "-p", &self.dns.to_string(), "+time=20", "+tries=2"]);
        let ran = command.args(arguments.split_whitespace()).output()?;
        let text = String::from_utf8(ran.stdout)?;
        ensure!(ran.status.success(), "dig {arguments}: {text}");
        let after = |mark: &str, end: char| {
            let rest = text.split_once(mark).map(|(_, rest)| rest.split(end).next().unwrap_or_default());
            rest.map(|r| r.trim().to_owned()).with_context(|| format!("no {mark} in {text}"))
        };
        let rows = |section: &str| {
            let lines = text.split_once(&format!(";; {section} SECTION:\n")).map_or("", |(_, rest)| rest);
            lines.lines().take_while(|l| !l.is_empty()).filter_map(Row::read).collect()
        };
        Ok(Reply {
            status: after("status: ", ',')?,
            flags: after("flags: ", ';')?,
            answer: rows("ANSWER"),
            authority: rows("AUTHORITY"),
            additional: rows("ADDITIONAL"),
            text,
        })
    }
}

impl Row {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (name, _ttl, _class, kind) = (words.next()?, words.next()?, words.next()?, words.next()?);
        Some(Self { name: name.to_owned(), kind: kind.to_owned(), data: words.collect::<Vec<_>>().join(" ") })
    }
}

impl Reply {
    /// The data of answers of a kind, sorted.
    fn data(&self, kind: &str) -> Vec<&str> {
        data(&self.answer, kind)
    }
}

fn data<'a>(rows: &'a [Row], kind: &str) -> Vec<&'a str> {
    let mut out: Vec<_> = rows.iter().filter(|r| r.kind == kind).map(|r| r.data.as_str()).collect();
    out.sort_unstable();
    out
}

#[test]
fn every_record_type() -> Result<()> {
    if !installed("dig", "-v") {
        return Ok(());
    }
    let agent = Agent::start("")?;
    for way in ["+notcp", "+tcp"] {
        let ask = |arguments: &str| agent.dig(&format!("{way} {arguments}"));

        let a = ask("web.service.consul A")?;
        assert_eq!((a.status.as_str(), a.flags.as_str()), ("NOERROR", "qr aa rd"));
        assert_eq!(a.data("A"), ["127.0.0.2", "127.0.0.3"]);
        assert!(a.answer.iter().all(|r| r.name == "web.service.consul."));
        assert_eq!(ask("v2.web.service.dc1.consul A")?.data("A"), ["127.0.0.3"]);
        assert_eq!(ask("one.node.consul A")?.data("A"), ["127.0.0.1"]);
        assert_eq!(ask("7f000002.addr.consul A")?.data("A"), ["127.0.0.2"]);
        // The question is answered in the case that it came in.
        assert_eq!(ask("WEB.Service.consul A")?.answer[0].name, "WEB.Service.consul.");

        assert_eq!(ask("six.service.consul AAAA")?.data("AAAA"), ["2001:db8::6"]);
        let no_data = ask("six.service.consul A")?;
        assert_eq!((no_data.status.as_str(), no_data.answer.len()), ("NOERROR", 0));
        assert_eq!(data(&no_data.authority, "SOA").len(), 1);

        let targets = ["1 1 8080 7f000002.addr.dc1.consul.", "1 1 8081 7f000003.addr.dc1.consul."];
        for name in ["web.service.consul", "_web._tcp.service.consul"] {
            let srv = ask(&format!("{name} SRV"))?;
            assert_eq!(srv.data("SRV"), targets);
            assert_eq!(data(&srv.additional, "A"), ["127.0.0.2", "127.0.0.3"]);
        }
        assert_eq!(ask("_web._v1.service.consul SRV")?.data("SRV"), targets[..1]);

        assert!(ask("one.node.consul TXT")?.data("TXT").contains(&"\"rack=r1\""));
        let any = ask("one.node.consul ANY")?;
        assert_eq!(any.data("A"), ["127.0.0.1"]);
        assert!(!any.data("TXT").is_empty());

        assert_eq!(ask("-x 127.0.0.1")?.data("PTR"), ["one.node.dc1.consul."]);
        assert_eq!(ask("-x 127.0.0.2")?.data("PTR"), ["web.service.dc1.consul."]);
        assert_eq!(ask("-x 2001:db8::6")?.data("PTR"), ["six.service.dc1.consul."]);

        let soa = ask("consul SOA")?;
        let fields: Vec<&str> = soa.data("SOA")[0].split(' ').collect();
        assert_eq!(fields[..2], ["ns.consul.", "hostmaster.consul."]);
        assert_eq!(fields[3..], ["3600", "600", "86400", "0"]);
        let ns = ask("consul NS")?;
        assert_eq!(ns.data("NS"), ["one.node.dc1.consul."]);
        assert_eq!(data(&ns.additional, "A"), ["127.0.0.1"]);

        for name in ["none.service.consul", "broken.service.consul", "none.node.consul", "odd.consul"] {
            let missing = ask(&format!("{name} A"))?;
            assert_eq!((missing.status.as_str(), missing.answer.len()), ("NXDOMAIN", 0), "{name}");
            assert_eq!(data(&missing.authority, "SOA").len(), 1, "{name}");
        }
        assert_eq!(ask("example.com A")?.status, "REFUSED");
    }
    Ok(())
}

#[test]
fn sizes_and_extensions() -> Result<()> {
    if !installed("dig", "-v") {
        return Ok(());
    }
    let agent = Agent::start("dns_config { enable_truncate = true }")?;
    for n in 0..60 {
        agent.register(&serde_json::json!({
            "Name": "many", "ID": format!("many-{n}"), "Address": format!("127.0.1.{n}"), "Port": 9000 + n,
        }))?;
    }
    let all = || agent.dig("+tcp many.service.consul SRV").ok().filter(|r| r.answer.len() == 60);
    tests::cluster::wait_for("all instances in DNS", all)?;

    // Without EDNS a few answers; with it, what the client takes.
    let size = |reply: &Reply| -> Result<usize> {
        let size = reply.text.split_once(";; MSG SIZE  rcvd: ").context("no size")?.1;
        Ok(size.split_whitespace().next().unwrap_or_default().parse()?)
    };
    let plain = agent.dig("+notcp +ignore +noedns many.service.consul SRV")?;
    assert!(!plain.text.contains("OPT PSEUDOSECTION"));
    assert!(size(&plain)? <= 512, "{}", plain.text);
    assert!(plain.flags.split(' ').any(|f| f == "tc"), "{}", plain.flags);
    assert_eq!(plain.answer.len(), 3);
    let wide = agent.dig("+notcp +ignore +bufsize=4096 many.service.consul SRV")?;
    assert!(size(&wide)? <= 4096);
    assert!(wide.answer.len() > plain.answer.len(), "{}", wide.text);
    let whole = agent.dig("+notcp +ignore +bufsize=30000 many.service.consul SRV")?;
    assert_eq!((whole.answer.len(), whole.flags.as_str()), (60, "qr aa rd"), "{}", whole.text);
    assert!(whole.text.contains("; EDNS: version: 0, flags:; udp: 30000"), "{}", whole.text);
    // dig itself turns to TCP when an answer is cut.
    assert_eq!(agent.dig("+noedns many.service.consul SRV")?.answer.len(), 60);
    // The client's subnet comes back.
    let subnet = agent.dig("+subnet=10.1.0.0/16 web.service.consul A")?;
    assert!(subnet.text.contains("CLIENT-SUBNET: 10.1.0.0/16"), "{}", subnet.text);
    Ok(())
}
