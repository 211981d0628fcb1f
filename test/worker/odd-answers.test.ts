import { env } from "cloudflare:workers";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { reconcile } from "../../src/relay/cron/pass.ts";
import { request } from "./api.ts";
import {
  FORBIDDEN,
  INTERNAL,
  ODD,
  type Odd,
  oddWorld,
  READ_ONLY,
  STUDY,
  TOO_LONG,
  UNKNOWN,
} from "./odd-mlflow.ts";

/** Answers that are no answers, to any call, and then an MLflow that is well again. */

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** After these nothing was done: they are said before. */
const REFUSALS = new Set(["429 for a year", "a refusal", "nothing of that kind"]);
const READS = ["experiments/get-by-name"];
const WRITES = ["runs/create", "runs/log-batch", "runs/set-tag", "runs/update"];
type World = Awaited<ReturnType<typeof oddWorld>>;

async function expectWhole({ streams, letters, trialRun, mlflow }: World, what: string) {
  const all = await streams();
  expect(
    all.map(({ kind, blocked, done }) => [kind, blocked, done]),
    what,
  ).toEqual([
    ["model_run", null, 1],
    ["trial", null, 1],
  ]);
  expect(await letters(), what).toEqual([]);
  expect(mlflow.runs, what).toHaveLength(2);
  const [run] = trialRun();
  expect([run?.status, run?.points.size, run?.params.get("lr")], what).toEqual(["KILLED", 4, "0.1"]);
}

const strike = async (answer: Odd, endpoint: string) => {
  const w = await oddWorld();
  await w.say(STUDY);
  let left = 2;
  w.mlflow.odd = (called) => (called === endpoint && left-- > 0 ? answer : null);
  await w.turns(30);
  expect(left, `${endpoint} is called`).toBeLessThan(2);
  await expectWhole(w, endpoint);
};

describe.each(Object.entries(ODD))("%s", (name, answer) => {
  test("to any call leaves no trace once it is over", async () => {
    for (const endpoint of [...READS, ...WRITES]) await strike(answer, endpoint);
  });

  test.skipIf(REFUSALS.has(name))("after the call was done leaves no trace either", async () => {
    for (const endpoint of WRITES) await strike({ ...answer, done: true }, endpoint);
  });
});

test("that a run is not known, said of it as often as it is asked for, buries nothing once it is over", async () => {
  const w = await oddWorld();
  await w.say(STUDY);
  let calls = 0;
  w.mlflow.odd = () => (++calls > 2 && calls < 9 ? UNKNOWN : null);
  await w.turns(30);
  await expectWhole(w, "a replica that lagged behind");
});

test("any sequence of odd answers that ends comes to the same as none", async () => {
  const odd: fc.Arbitrary<Odd | null> = fc.option(
    fc
      .tuple(fc.constantFrom(...Object.entries(ODD)), fc.boolean())
      .map(([[name, answer], done]) => ({ ...answer, done: done && !REFUSALS.has(name) })),
    { freq: 2 },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(odd, { minLength: 5, maxLength: 40 }), async (answers) => {
      const w = await oddWorld();
      await w.say(STUDY);
      const left = [...answers];
      w.mlflow.odd = () => left.shift() ?? null;
      await w.turns(100);
      await expectWhole(w, "after the storm");
    }),
    { numRuns: 12 },
  );
}, 120_000);

describe("what lasts", () => {
  test("blocks after a while, holds nobody for ever, and is over by itself with the cron", async () => {
    const w = await oddWorld();
    await w.say(STUDY);
    w.mlflow.odd = (endpoint) => (endpoint === "runs/create" ? FORBIDDEN : null);
    await w.turn();
    expect((await w.streams()).map(({ blocked }) => blocked)).toEqual([null, null]);
    for (let i = 0; i < 12; i++) await w.turn();
    expect((await w.streams())[0]).toMatchObject({ kind: "model_run", blocked: "misconfigured" });
    w.mlflow.odd = () => null;
    for (let pass = 0; pass < 2; pass++) {
      w.later(300_000);
      const poked = w.queued.length;
      await reconcile(w.deps);
      const woken = w.queued.slice(poked).map(({ body }) => body);
      for (const { id } of await w.streams())
        if (woken.some((body) => body.kind === "poke" && body.streamId === id)) await w.turn();
    }
    await expectWhole(w, "two passes later");
  });
});

describe("a database that is read only after a failover", () => {
  const isWrite = (endpoint: string) =>
    ["runs/create", "runs/log-batch", "runs/set-tag", "runs/update", "runs/delete-tag"].includes(endpoint);

  test("opens the breaker, is told by the probe from one that is well, and buries nothing", async () => {
    const w = await oddWorld({ RELAY_BREAKER_FAILURES: "3" });
    await w.say(STUDY.slice(0, 3));
    await w.turns(5);
    w.mlflow.odd = (endpoint) => (isWrite(endpoint) ? READ_ONLY : null);
    await w.say(STUDY.slice(3));
    for (let i = 0; i < 6; i++) await w.turn();
    const state = () => env.DB.prepare("select state from breakers").first<string>("state");
    expect(await state()).toBe("open");
    w.later(300_000);
    expect(await reconcile(w.deps)).toMatchObject({ probe: "open" });
    expect(await w.letters()).toEqual([]);
    w.mlflow.odd = () => null;
    w.later(300_000);
    expect(await reconcile(w.deps)).toMatchObject({ probe: "closed" });
    await w.turns(5);
    await expectWhole(w, "after the failover");
  });
});

describe("a server that asks for more patience than anybody has", () => {
  const breaker = () =>
    env.DB.prepare("select state, probe_at as probeAt, last_error as error from breakers").first<{
      state: string;
      probeAt: number;
      error: string;
    }>();

  test.each(["31536000", "Fri, 31 Dec 9999 23:59:59 GMT", "99999999999999999999"])(
    "Retry-After: %s, is probed at the relay's own pace all the same",
    async (retryAfter) => {
      const w = await oddWorld({ RELAY_BREAKER_FAILURES: "1", RELAY_BREAKER_PROBE_MAX_SECONDS: "60" });
      await w.say(STUDY);
      w.mlflow.odd = () => ({ status: 503, headers: { "retry-after": retryAfter }, body: "" });
      for (let i = 0; i < 8; i++) await w.turn();
      const open = await breaker();
      expect(open?.state).toBe("open");
      expect(open?.probeAt).toBeLessThanOrEqual(Date.now() + 60_000);
      w.mlflow.odd = () => null;
      w.later(60_000);
      await w.turns(10);
      await expectWhole(w, "once it is well");
    },
  );

  test("is probed at once at an operator's word, who is told what was found", async () => {
    const w = await oddWorld({ RELAY_BREAKER_FAILURES: "1" });
    await w.say(STUDY.slice(0, 3));
    await w.turns(5);
    vi.stubGlobal("fetch", w.mlflow.fetch);
    const ask = async () => (await request("/api/ops/breaker/probe", { method: "POST" })).body;
    w.mlflow.odd = () => INTERNAL;
    await w.say(STUDY.slice(3));
    await w.turn();
    expect(await ask()).toMatchObject({ state: "open", reads: "failed", writes: "not tried" });
    w.mlflow.odd = (endpoint) => (endpoint === "runs/set-tag" ? READ_ONLY : null);
    expect(await ask()).toMatchObject({
      state: "open",
      reads: "ok",
      writes: "failed",
      error: expect.stringContaining("read-only transaction"),
    });
    w.mlflow.odd = () => null;
    expect(await ask()).toMatchObject({ state: "closed", reads: "ok", writes: "ok", error: null });
    expect(await ask()).toMatchObject({ state: "closed", reads: "ok", writes: "ok" });
    const off = await request("/api/ops/breaker/probe", {
      method: "POST",
      bindings: { MLFLOW_ENABLED: "false" },
    });
    expect(off.status).toBe(409);
    vi.unstubAllGlobals();
  });
});

test("an operator whose probe closes the breaker is told so, though the queue does not take a message", async () => {
  const w = await oddWorld({ RELAY_BREAKER_FAILURES: "1" });
  w.mlflow.odd = () => INTERNAL;
  await w.say(STUDY);
  await w.turn();
  w.mlflow.odd = () => null;
  vi.stubGlobal("fetch", w.mlflow.fetch);
  const sendBatch = async () => {
    throw new Error("Queue sendBatch failed: Internal Server Error");
  };
  const bindings = { TRIALS: { sendBatch } };
  const { status, body } = await request("/api/ops/breaker/probe", { method: "POST", bindings });
  vi.unstubAllGlobals();
  expect([status, body]).toMatchObject([200, { state: "closed", reads: "ok", error: null }]);
});

test.each([
  ["runs/log-batch", "the rest is there"],
  ["runs/get", "it could be looked for"],
])(
  "a tag of a batch that MLflow took in part is nobody's edit: %s fails next, and the trainer changes it before %s",
  async (failing) => {
    const w = await oddWorld({ RELAY_MERGE_TAGS: "mlflow", RELAY_PARENT_RUNS: "false" });
    const says = (tags: object, n: number) =>
      w.say([
        { event: "ml.trial.start", event_id: `${n}`, occurred_at: Date.now() + n, spectral_norm: true, tags },
      ]);
    await says({}, 0);
    await w.turns(5);
    let parts = 0;
    w.mlflow.odd = (endpoint, { tags }) => {
      if (endpoint === failing && parts > 0) return { status: 429, body: "" };
      if (endpoint !== "runs/log-batch") return null;
      // With the mark of the batch, one at a time passes.
      if (tags.length > 2) return { status: 413, body: "" };
      parts++;
      return null;
    };
    await says({ a: "old", b: "old" }, 1);
    await w.turn();
    w.mlflow.odd = () => null;
    const run = w.mlflow.runs.find(({ tags }) => tags.has("thunderline_trial_id"));
    expect([run?.tags.get("a"), run?.tags.has("b")]).toEqual(["old", false]);
    await says({ a: "new" }, 2);
    w.later(60_000);
    await w.turns(10);
    expect([run?.tags.get("a"), run?.tags.get("b")]).toEqual(["new", "old"]);
    const { results } = await env.DB.prepare(
      "select field from conflicts where kind = 'tag' and field = 'a'",
    ).all();
    expect(results).toEqual([]);
  },
);

describe("an item that MLflow does not take", () => {
  const isBad = (text: string) => text === "bad";

  test.each([
    ["refused for its length", TOO_LONG],
    ["answered with an internal error for ever", INTERNAL],
  ])(
    "%s is set aside within a few turns, with a control write before it, and the rest goes on",
    async (_, answer) => {
      const w = await oddWorld();
      w.mlflow.odd = (endpoint, { metrics }) =>
        endpoint === "runs/log-batch" && metrics.some(({ key }) => isBad(key)) ? answer : null;
      await w.say([
        ...STUDY.slice(0, 5),
        { event: "ml.run.metric", metric_name: "bad", metric_value: 1, step: 1 },
        ...STUDY.slice(5),
      ]);
      await w.turns(3);
      expect(await w.letters()).toEqual([expect.stringContaining('"bad"')]);
      expect(w.trialRun()[0]).toMatchObject({ status: "KILLED" });
      expect(w.trialRun()[0]?.points.size).toBe(4);
      expect(w.trialRun()[0]?.tags.get("relay.control")).toBeDefined();
    },
  );

  test("is kept while the server takes no other write to the run", async () => {
    const w = await oddWorld();
    await w.say(STUDY.slice(0, 3));
    await w.turns(5);
    w.mlflow.odd = (endpoint, { metrics }) =>
      endpoint !== "runs/log-batch" ? null : metrics.length > 0 ? TOO_LONG : READ_ONLY;
    await w.say(STUDY.slice(3));
    for (let i = 0; i < 4; i++) await w.turn();
    expect(await w.letters()).toEqual([]);
    w.mlflow.odd = () => null;
    await w.turns(10);
    await expectWhole(w, "once it takes writes");
  });

  test("of many a handful is set aside before the server is asked again", async () => {
    const w = await oddWorld();
    w.mlflow.odd = (endpoint, { metrics }) =>
      endpoint === "runs/log-batch" && metrics.length > 0 ? TOO_LONG : null;
    await w.say(STUDY.slice(0, 2));
    await w.turns(5);
    await w.say(
      Array.from({ length: 12 }, (_, step) => ({
        event: "ml.run.metric",
        metric_name: "bad",
        metric_value: 1,
        step,
      })),
    );
    await w.turns(5);
    const controls = w.mlflow.calls.filter(({ asked }) =>
      asked.tags.some(({ key }) => key === "relay.control"),
    );
    expect([(await w.letters()).length, controls.length]).toEqual([12, 3]);
    expect(new Set(controls.map(({ asked }) => asked.tags[0]?.value)).size, "each writes something new").toBe(
      3,
    );
  });
});
