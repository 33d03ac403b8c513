// Uses an agent as programs with the npm package `consul` do. Argument: the agent's HTTP port.
const assert = require("node:assert/strict");
const { setTimeout: pause } = require("node:timers/promises");
const Consul = require("consul");

const c = new Consul({ host: "127.0.0.1", port: Number(process.argv[2]) });

async function eventually(what, ready) {
  const end = Date.now() + 60_000;
  while (Date.now() < end) {
    const found = await ready().catch(() => undefined);
    if (found) return found;
    await pause(50);
  }
  throw new Error(`did not happen: ${what}`);
}

async function main() {
  await eventually("a leader", async () => (await c.status.leader()).includes(":"));
  const me = (await c.agent.self()).Config.NodeName;
  await eventually("the own node", async () => (await c.catalog.node.list()).some((n) => n.Node === me));

  // Keys.
  assert.equal(await c.kv.set({ key: "js/a", value: "one", flags: 7 }), true);
  const row = await c.kv.get("js/a");
  assert.deepEqual([row.Value, row.Flags], ["one", 7]);
  assert.notEqual(await c.kv.set({ key: "js/a", value: "two", cas: "0" }), true);
  assert.deepEqual(await c.kv.keys("js/"), ["js/a"]);
  assert.equal(await c.kv.get("js/none"), undefined);

  // A lock.
  const mine = (await c.session.create({ name: "mine", behavior: "delete", lockdelay: "1s", ttl: "10s" })).ID;
  const other = (await c.session.create({ name: "other" })).ID;
  assert.equal(await c.kv.set({ key: "js/lock", value: "mine", acquire: mine }), true);
  assert.notEqual(await c.kv.set({ key: "js/lock", value: "other", acquire: other }), true);
  assert.equal((await c.session.renew(mine))[0].ID, mine);
  assert.equal((await c.session.info(mine)).Name ?? (await c.session.info(mine))[0].Name, "mine");
  assert.ok((await c.session.list()).length >= 2);
  assert.ok((await c.session.node(me)).length >= 2);
  await c.session.destroy(mine);
  assert.equal(await c.kv.get("js/lock"), undefined, "its behaviour is to delete");
  await eventually("the lock after its delay", () => c.kv.set({ key: "js/lock", value: "other", acquire: other }));
  await assert.rejects(() => c.session.renew(mine), /not found/);

  // A transaction: all or nothing.
  const base64 = (text) => Buffer.from(text).toString("base64");
  const set = (Key, Value) => ({ KV: { Verb: "set", Key, Value: base64(Value) } });
  const done = await c.transaction.create([set("js/t1", "1"), set("js/t2", "2")]);
  assert.equal(done.Results.length, 2);
  await assert.rejects(() => c.transaction.create([set("js/t3", "3"), { KV: { Verb: "get", Key: "js/none" } }]));
  assert.equal(await c.kv.get("js/t3"), undefined);

  // A service, seen by a watch, and a prepared query for it.
  const watch = c.watch({ method: c.health.service, options: { service: "js", passing: true }, backoffFactor: 100 });
  const seen = new Promise((resolve, reject) => {
    watch.on("change", (rows) => rows.length > 0 && resolve(rows));
    watch.on("error", reject);
  });
  await c.agent.service.register({ name: "js", id: "js-1", address: "127.0.0.9", port: 9999, tags: ["x"] });
  const rows = await seen;
  watch.end();
  assert.deepEqual([rows[0].Service.ID, rows[0].Service.Port], ["js-1", 9999]);
  const query = await c.query.create({ name: "find-js", service: { service: "js", onlypassing: true } });
  assert.equal((await c.query.execute("find-js")).Nodes[0].Service.ID, "js-1");
  await c.query.destroy(query.ID);

  // A user event.
  const fired = await c.event.fire("js-event", "payload");
  await eventually("the event", async () => (await c.event.list("js-event")).some((e) => e.ID === fired.ID));

  await c.agent.service.deregister("js-1");
  await c.kv.del({ key: "js/", recurse: true });
  assert.equal(await c.kv.get({ key: "js/", recurse: true }), undefined);
  console.log("all done");
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
