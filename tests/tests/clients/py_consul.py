"""Uses an agent as programs with py-consul do. Arguments: the agent's HTTP port."""

import sys
import threading
import time

import consul

c = consul.Consul(host="127.0.0.1", port=int(sys.argv[1]))


def eventually(what, ready, limit=60):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        found = ready()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("did not happen: " + what)


# Status and agent.
assert ":" in eventually("a leader", c.status.leader)
assert len(c.status.peers()) == 1
me = c.agent.self()["Config"]["NodeName"]
assert [m["Name"] for m in c.agent.members()] == [me]
eventually("the own node in the catalog", lambda: any(n["Node"] == me for n in c.catalog.nodes()[1]))

# A service of the agent, seen by a blocked query.
index, nodes = c.health.service("py", passing=True)
assert nodes == []
seen = {}


def watch():
    at = index
    end = time.monotonic() + 60
    while time.monotonic() < end:
        at, nodes = c.health.service("py", passing=True, index=at, wait="30s")
        if nodes:
            seen["nodes"], seen["index"] = nodes, at
            return


watcher = threading.Thread(target=watch)
watcher.start()
assert c.agent.service.register("py", service_id="py-1", address="127.0.0.7", port=7777, tags=["a", "b"], check=consul.Check.ttl("1h"))
assert c.agent.services()["py-1"]["Port"] == 7777
assert c.agent.check.ttl_pass("service:py-1", notes="well") is True
watcher.join(90)
assert int(seen["index"]) > int(index), seen
service = seen["nodes"][0]["Service"]
assert (service["ID"], service["Address"], service["Port"], service["Tags"]) == ("py-1", "127.0.0.7", 7777, ["a", "b"]), service

# Its check through its states.
for change, state in [(c.agent.check.ttl_warn, "warning"), (c.agent.check.ttl_fail, "critical"), (c.agent.check.ttl_pass, "passing")]:
    change("service:py-1", notes=state)
    eventually(state, lambda: [k["Output"] for k in c.health.checks("py")[1] if k["Status"] == state] == [state])
assert "service:py-1" in [k["CheckID"] for k in c.health.node(me)[1]]
assert "service:py-1" in [k["CheckID"] for k in c.health.state("passing")[1]]
assert c.agent.check.register("free", consul.Check.ttl("1h"), check_id="free-1")
assert c.agent.checks()["free-1"]["Status"] == "critical"
assert c.agent.check.deregister("free-1")

# The catalog.
assert "dc1" in c.catalog.datacenters()
assert sorted(c.catalog.services()[1]["py"]) == ["a", "b"]
assert [s["ServiceID"] for s in c.catalog.service("py", tag="a")[1]] == ["py-1"]
assert c.catalog.service("py", tag="zzz")[1] == []
assert c.catalog.register("outside", "127.0.0.8", service={"Service": "ext", "ID": "ext-1", "Port": 5})
assert sorted(n["Node"] for n in c.catalog.nodes()[1]) == sorted([me, "outside"])
assert [n["Node"] for n in c.catalog.nodes(node_meta={"rack": "r1"})[1]] == [me]
assert c.catalog.service("ext")[1][0]["Address"] == "127.0.0.8"
assert "ext-1" in c.catalog.node("outside")[1]["Services"]
assert c.catalog.deregister("outside")
assert c.catalog.node("outside")[1] is None

# Maintenance takes the service out, and back.
assert c.agent.service.maintenance("py-1", "true", "cleaning")
eventually("out", lambda: c.health.service("py", passing=True)[1] == [])
assert c.agent.service.maintenance("py-1", "false")
eventually("back", lambda: len(c.health.service("py", passing=True)[1]) == 1)

# Keys and values, and a blocked query on one.
assert c.kv.get("py/none")[1] is None
assert c.kv.put("py/a", "one", flags=3) is True
index, row = c.kv.get("py/a")
assert (row["Value"], row["Flags"]) == (b"one", 3), row
assert c.kv.put("py/a", "two", cas=0) is False
assert c.kv.put("py/a", "two", cas=row["ModifyIndex"]) is True
assert c.kv.put("py/b/c", b"\x00\xff") is True
assert c.kv.get("py/", keys=True)[1] == ["py/a", "py/b/c"]
assert c.kv.get("py/", keys=True, separator="/")[1] == ["py/a", "py/b/"]
assert [r["Value"] for r in c.kv.get("py/", recurse=True)[1]] == [b"two", b"\x00\xff"]
index, _row = c.kv.get("py/a")
writer = threading.Timer(0.5, lambda: c.kv.put("py/a", "three"))
writer.start()
began = time.monotonic()
later, row = c.kv.get("py/a", index=index, wait="60s")
assert row["Value"] == b"three" and int(later) > int(index), (row, later, index)
assert time.monotonic() - began < 55
writer.join()
later, row = c.kv.get("py/a", index=later, wait="100ms")
assert row["Value"] == b"three"
assert c.kv.delete("py/", recurse=True) is True
assert c.kv.get("py/", recurse=True)[1] is None

# Sessions, a lock, and its number as a fencing token.
mine = c.session.create("mine", behavior="release", ttl=10, lock_delay=1)
other = c.session.create("other")
assert c.kv.put("py/lock", "mine", acquire=mine) is True
assert c.kv.put("py/lock", "other", acquire=other) is False
assert c.kv.get("py/lock")[1]["LockIndex"] == 1
assert c.session.renew(mine)["ID"] == mine
assert {s["ID"] for s in c.session.list()[1]} >= {mine, other}
assert c.kv.put("py/lock", "free", release=mine) is True
assert c.kv.put("py/lock", "other", acquire=other) is True
assert c.kv.get("py/lock")[1]["LockIndex"] == 2
assert c.session.destroy(mine) and c.session.info(mine)[1] is None
try:
    c.session.renew(mine)
    raise AssertionError("renewed what is gone")
except consul.NotFound:
    pass

# A transaction takes effect as a whole.
import base64  # noqa: E402

value = base64.b64encode(b"t").decode()
results = c.txn.put([{"KV": {"Verb": "set", "Key": "py/t", "Value": value}}, {"KV": {"Verb": "get", "Key": "py/t"}}])
assert results["Results"][1]["KV"]["Value"] == value, results

# An event, and a prepared query.
fired = c.event.fire("py-event", "payload")
eventually("the event", lambda: [e for e in c.event.list(name="py-event")[1] if e["ID"] == fired["ID"]])
query = c.query.create("py", name="find-py", onlypassing=True)
assert c.query.execute("find-py")["Nodes"][0]["Service"]["ID"] == "py-1"
assert c.query.delete(query["ID"])
assert [n["Node"] for n in c.coordinate.nodes()[1]] in ([], [me])

assert c.agent.service.deregister("py-1")
eventually("gone", lambda: c.catalog.service("py")[1] == [])
print("all done")
