import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { emptyCore } from "../../src/domain/core.ts";
import { fold, type State } from "../../src/domain/fold.ts";
import {
  DESCRIPTION_TAG,
  MERGE_POLICIES,
  type MergePolicies,
  type MergePolicy,
  merge,
  type Sides,
  takesAnything,
} from "../../src/domain/merge.ts";
import { runStateOf } from "../../src/domain/run-state.ts";
import type { Facts, StoredEvent } from "../../src/domain/types.ts";
import type { Run, RunStatus } from "../../src/mlflow/types.ts";
import { agreedTags, sentAfter, sidesOf, takenOf } from "../../src/relay/merge/run-sides.ts";
import type { StoredSides } from "../../src/store/delivery/agreed.ts";

const all = (policy: MergePolicy): MergePolicies => ({
  name: policy,
  status: policy,
  tag: policy,
  description: policy,
});
const SEEN_AT = 100;

describe("the end of a run that has ended for both sides alike", () => {
  type Case = [base: number | null, relay: number | null, mlflow: number | null];
  const endsWith = ([base, relay, mlflow]: Case): Sides => {
    const state = { name: "n", status: "KILLED" as const, tags: new Map(), params: new Map() };
    return {
      base: { ...state, endTime: base },
      relay: { ...state, name: null, status: { value: "KILLED", at: 50 }, endTime: relay },
      mlflow: { ...state, endTime: mlflow, statusTag: null },
    };
  };

  test.each<[string, Case, "nothing" | "accepted"]>([
    ["nobody moved it", [1, 1, 1], "nothing"],
    ["the relay moved it", [1, 2, 1], "nothing"],
    ["both moved it alike", [1, 2, 2], "nothing"],
    ["MLflow has none", [1, 1, null], "nothing"],
    ["the relay says none, as of a run that it adopted", [1, null, 3], "nothing"],
    ["MLflow moved it", [1, 1, 3], "accepted"],
  ])("%s", (_, ends, outcome) => {
    for (const policy of MERGE_POLICIES) {
      const { accepted, conflicts } = merge(endsWith(ends), all(policy), SEEN_AT);
      expect(conflicts).toEqual([]);
      expect(accepted.status).toEqual(outcome === "accepted" ? { value: "KILLED", endTime: ends[2] } : null);
    }
  });

  test.each([
    ["relay", "relay"],
    ["mlflow", "mlflow"],
    ["newest", "mlflow"],
  ] as const)("both moved it: by the policy %s it is %s's", (policy, decision) => {
    const { accepted, conflicts } = merge(endsWith([1, 2, 3]), all(policy), SEEN_AT);
    expect(accepted.status).toEqual(decision === "mlflow" ? { value: "KILLED", endTime: 3 } : null);
    const both = { base: "KILLED", relay: "KILLED", mlflow: "KILLED" };
    expect(conflicts).toEqual([{ kind: "status", field: "status", ...both, decision }]);
  });
});

describe("one tag", () => {
  type Case = [base: string | null, relay: string | null, mlflow: string | null];
  const sidesWith = ([base, relay, mlflow]: Case, at = 50): Sides => {
    const tags = <T>(value: T | null) => new Map(value === null ? [] : [["k", value] as const]);
    const state = { name: "n", status: "RUNNING" as const };
    return {
      base: { ...state, endTime: null, tags: tags(base), params: new Map() },
      relay: {
        name: null,
        status: { value: "RUNNING", at: 0 },
        endTime: null,
        tags: new Map([["k", { value: relay, at }]]),
        params: new Map(),
      },
      mlflow: { ...state, endTime: null, statusTag: null, tags: tags(mlflow), params: new Map() },
    };
  };

  test.each<[string, Case, "nothing" | "accepted"]>([
    ["nobody changed it", ["a", "a", "a"], "nothing"],
    ["the relay changed it", ["a", "b", "a"], "nothing"],
    ["the relay took it away", ["a", null, "a"], "nothing"],
    ["both made the same change", ["a", "b", "b"], "nothing"],
    ["both added the same", [null, "b", "b"], "nothing"],
    ["MLflow changed it", ["a", "a", "b"], "accepted"],
    ["MLflow took it away", ["a", "a", null], "accepted"],
    ["MLflow added it", [null, null, "b"], "accepted"],
  ])("%s", (_, sides, outcome) => {
    for (const policy of MERGE_POLICIES) {
      const { accepted, conflicts } = merge(sidesWith(sides), all(policy), SEEN_AT);
      expect(conflicts).toEqual([]);
      expect([...accepted.tags]).toEqual(outcome === "accepted" ? [["k", sides[2]]] : []);
    }
  });

  test.each<[MergePolicy, number, "relay" | "mlflow"]>([
    ["relay", 50, "relay"],
    ["mlflow", 150, "mlflow"],
    ["newest", 50, "mlflow"],
    ["newest", 150, "relay"],
  ])("both changed it: policy %s, the relay's word of %d", (policy, at, decision) => {
    const { accepted, conflicts } = merge(sidesWith(["a", "b", "c"], at), all(policy), SEEN_AT);
    const conflict = { kind: "tag", field: "k", base: "a", relay: "b", mlflow: "c", decision };
    expect(conflicts).toEqual([conflict]);
    expect(accepted.tags.get("k")).toBe(decision === "mlflow" ? "c" : undefined);
  });
});

/**
 * A run on both sides, by the same functions that the relay uses: trainers' events are folded, edits in MLflow go
 * straight to the run, a pull merges, a delivery sends what differs from what was agreed on.
 */
class World {
  #state: State = { core: emptyCore, params: new Map(), tags: new Map(), metrics: new Map() };
  #seq = 0;
  #clock = 1_000;
  #agreed = new Map<string, string>();
  #sent: StoredSides["sent"] = {
    status: "RUNNING",
    endTime: null,
    runName: "first",
    statusTag: null,
    lostContactAt: null,
  };
  readonly run: { name: string; status: RunStatus; endTime: number | null; tags: Map<string, string> } = {
    name: "first",
    status: "RUNNING",
    endTime: null,
    tags: new Map(),
  };
  readonly params = new Map<string, string>();
  conflicts = 0;
  /** The values that deliveries wiped out in MLflow and that nobody had agreed on, and those that conflicts show. */
  readonly wiped: string[] = [];
  readonly recorded = new Set<string>();

  say(facts: Facts, ahead = 0): void {
    this.#clock += 10;
    this.#tell(facts, this.#clock + ahead, "ml.trial.start");
  }

  #tell(facts: Facts, occurredAt: number, type: string): void {
    const seq = ++this.#seq;
    const event: StoredEvent = { seq, id: `e${seq}`, type, occurredAt, acceptedAt: this.#clock, facts };
    this.#state = fold(this.#state, [event], []).state;
  }

  #sides(): Sides {
    const { core, tags, params } = this.#state;
    const info = { runName: this.run.name, status: this.run.status, endTime: this.run.endTime };
    const none = { runId: "r", experimentId: "0", userId: null, startTime: 0, artifactUri: null };
    const pairs = (map: ReadonlyMap<string, string>) => [...map].map(([key, value]) => ({ key, value }));
    const run: Run = {
      info: { ...none, ...info, lifecycleStage: "active" },
      data: { metrics: [], params: pairs(this.params), tags: pairs(this.run.tags) },
      inputs: { datasets: [], modelIds: [] },
      outputs: [],
    };
    return sidesOf(
      {
        core,
        sent: this.#sent,
        tags: [...tags].map(([key, { value, at }]) => ({ key, value, at })),
        params: [...params].map(([key, { value }]) => ({ key, value })),
        agreedTags: pairs(this.#agreed),
        agreedParams: [],
      },
      run,
    );
  }

  /** @returns whether there was anything to do */
  pull(policies: MergePolicies): boolean {
    this.#clock += 10;
    const sides = this.#sides();
    const merged = merge(sides, policies, this.#clock);
    this.conflicts += merged.conflicts.length;
    for (const { field, mlflow } of merged.conflicts) this.recorded.add(`${field}: ${mlflow}`);
    const known = { core: this.#state.core, over: this.#seq, seenAt: this.#clock };
    for (const { facts, occurredAt } of takenOf(sides, merged, policies, known))
      this.#tell(facts, occurredAt, "relay.mlflow");
    for (const [key, value] of agreedTags(sides, merged))
      if (value === null) this.#agreed.delete(key);
      else this.#agreed.set(key, value);
    this.#sent = sentAfter(this.#sent, sides, merged);
    return takesAnything(merged) || merged.conflicts.length > 0;
  }

  /** @returns how many values were sent */
  deliver(): number {
    let sent = 0;
    const wipe = (field: string, agreed: string | null, there: string | null, said: string | null) => {
      if (there !== agreed && there !== said) this.wiped.push(`${field}: ${there}`);
    };
    for (const [key, { value }] of this.#state.tags) {
      const agreed = this.#agreed.get(key) ?? null;
      if (value !== agreed) wipe(key, agreed, this.run.tags.get(key) ?? null, value);
      if (value !== null && agreed !== value) {
        this.run.tags.set(key, value);
        this.#agreed.set(key, value);
        sent++;
      } else if (value === null && this.#agreed.delete(key)) {
        this.run.tags.delete(key);
        sent++;
      }
    }
    const wanted = runStateOf(this.#state.core);
    const runName = wanted.runName ?? this.#sent.runName;
    if (
      wanted.status !== this.#sent.status ||
      wanted.endTime !== this.#sent.endTime ||
      runName !== this.#sent.runName
    ) {
      // A scheduled run has not ended, which is all that is said of it.
      const there = this.run.status === "SCHEDULED" ? "RUNNING" : this.run.status;
      wipe("status", this.#sent.status, there, wanted.status);
      wipe("run_name", this.#sent.runName, this.run.name, runName);
      this.run.status = wanted.status;
      this.run.endTime = wanted.endTime ?? this.run.endTime;
      this.run.name = runName;
      this.#sent = { ...this.#sent, status: wanted.status, endTime: wanted.endTime, runName };
      sent++;
    }
    return sent;
  }

  /** What each side shows of the fields that both may write. */
  views() {
    const { core, tags } = this.#state;
    const { status, runName } = runStateOf(core);
    const present = [...tags].flatMap(([key, { value }]) => (value === null ? [] : [[key, value] as const]));
    return {
      relay: { status, name: runName ?? this.#sent.runName, tags: new Map(present.sort()) },
      mlflow: { status: this.run.status, name: this.run.name, tags: new Map([...this.run.tags].sort()) },
    };
  }
}

const MLFLOW_STATUS = { succeeded: "FINISHED", failed: "FAILED", cancelled: "KILLED" } as const;

type Act = (world: World, policies: MergePolicies) => void;

const key = fc.constantFrom("a", "b", DESCRIPTION_TAG);
const word = fc.constantFrom("x", "y", "z");
const ended = fc.constantFrom("succeeded" as const, "failed" as const, "cancelled" as const);
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.tuple(key, word).map(
    ([k, v]): Act =>
      (world) =>
        world.say({ tags: { [k]: v } }),
  ),
  key.map(
    (k): Act =>
      (world) =>
        world.say({ untags: [k] }),
  ),
  word.map(
    (v): Act =>
      (world) =>
        world.say({ fields: { run_name: v } }),
  ),
  // A trainer's clock that is ahead of the relay's.
  word.map(
    (v): Act =>
      (world) =>
        world.say({ fields: { run_name: v }, tags: { a: v } }, 5_000),
  ),
  ended.map(
    (ends): Act =>
      (world) =>
        world.say({ ends }),
  ),
  fc.constant<Act>((world) => world.say({ resumes: true })),
  fc.tuple(key, word).map(
    ([k, v]): Act =>
      (world) =>
        void world.run.tags.set(k, v),
  ),
  key.map(
    (k): Act =>
      (world) =>
        void world.run.tags.delete(k),
  ),
  word.map(
    (v): Act =>
      (world) => {
        world.run.name = v;
      },
  ),
  fc.constantFrom<RunStatus>("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED").map(
    (status): Act =>
      (world) => {
        world.run.status = status;
      },
  ),
  fc.constant<Act>((world, policies) => void world.pull(policies)),
  fc.constant<Act>((world) => void world.deliver()),
);

describe("any course of edits on both sides", () => {
  const policies = fc.record({
    name: fc.constantFrom(...MERGE_POLICIES),
    status: fc.constantFrom(...MERGE_POLICIES),
    tag: fc.constantFrom(...MERGE_POLICIES),
    description: fc.constantFrom(...MERGE_POLICIES),
  });

  test("a pull and a delivery bring the sides together; after that neither has anything to do", () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 25 }), policies, (acts, chosen) => {
        const world = new World();
        for (const each of acts) each(world, chosen);
        world.pull(chosen);
        world.deliver();
        const { relay, mlflow } = world.views();
        expect({ ...mlflow, status: mlflow.status === "SCHEDULED" ? "RUNNING" : mlflow.status }).toEqual(
          relay,
        );
        expect([world.pull(chosen), world.deliver()]).toEqual([false, 0]);
      }),
      { numRuns: 2_000 },
    );
  });

  test("a delivery that looks first wipes out nothing that is not recorded", () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 25 }), policies, (acts, chosen) => {
        const world = new World();
        for (const each of acts) {
          each(world, chosen);
          world.wiped.length = 0;
          world.pull(chosen);
          world.deliver();
          expect([...world.recorded]).toEqual(expect.arrayContaining(world.wiped));
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("what is then changed in MLflow alone stands on both sides", () => {
    const edit = fc.record({ name: word, status: ended, tag: fc.option(word) });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 15 }), policies, edit, (acts, chosen, { name, status, tag }) => {
        const world = new World();
        for (const each of acts) each(world, chosen);
        world.pull(chosen);
        world.deliver();
        world.run.name = name;
        world.run.status = MLFLOW_STATUS[status];
        world.run.endTime = 7_000;
        if (tag === null) world.run.tags.delete("a");
        else world.run.tags.set("a", tag);
        world.pull(chosen);
        expect(world.deliver()).toBe(0);
        const { relay } = world.views();
        expect(relay).toMatchObject({ name, status: MLFLOW_STATUS[status] });
        expect(relay.tags.get("a") ?? null).toBe(tag);
      }),
      { numRuns: 1_000 },
    );
  });

  test("the trainer's next end stands on both sides, whatever its rank and its clock", () => {
    fc.assert(
      fc.property(
        fc.array(act, { maxLength: 15 }),
        policies,
        ended,
        ended,
        fc.integer({ min: -5_000, max: 5_000 }),
        (acts, chosen, edited, said, ahead) => {
          const world = new World();
          for (const each of acts) each(world, chosen);
          world.pull(chosen);
          world.deliver();
          world.run.status = MLFLOW_STATUS[edited];
          fc.pre(world.pull(chosen));
          world.deliver();
          world.say({ ends: said }, ahead);
          world.deliver();
          world.pull(chosen);
          const { relay, mlflow } = world.views();
          expect([relay.status, mlflow.status]).toEqual([MLFLOW_STATUS[said], MLFLOW_STATUS[said]]);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test("an edit that only one side made is never a conflict", () => {
    const trainers = fc.tuple(key, word).map(
      ([k, v]): Act =>
        (world) =>
          world.say({ tags: { [k]: v } }),
    );
    fc.assert(
      fc.property(fc.array(trainers), policies, fc.boolean(), (acts, chosen, inMlflow) => {
        const world = new World();
        for (const each of acts) {
          each(world, chosen);
          world.deliver();
          if (inMlflow) world.run.tags.set("a", `edit ${world.run.tags.get("a")}`);
          world.pull(chosen);
        }
        expect(world.conflicts).toBe(0);
      }),
    );
  });
});

describe("any three sides", () => {
  const tags = ["a", "b", "c", DESCRIPTION_TAG];
  const maybe = fc.option(fc.constantFrom("x", "y", "z"));
  const statuses = fc.constantFrom(
    "RUNNING" as const,
    "FINISHED" as const,
    "FAILED" as const,
    "KILLED" as const,
  );
  const side = fc.record({ name: word, status: statuses, tags: fc.tuple(maybe, maybe, maybe, maybe) });
  const present = (values: readonly (string | null)[]) =>
    new Map(tags.flatMap((k, n) => (values[n] == null ? [] : [[k, values[n]] as const])));

  test("every field that both changed is a conflict with both values, and no other is", () => {
    fc.assert(
      fc.property(side, side, side, fc.constantFrom(...MERGE_POLICIES), (base, relay, mlflow, policy) => {
        const said = <T>(value: T) => ({ value, at: 50 });
        const { accepted, conflicts } = merge(
          {
            base: { ...base, endTime: null, tags: present(base.tags), params: new Map() },
            relay: {
              name: said(relay.name),
              status: said(relay.status),
              endTime: null,
              tags: new Map(tags.map((k, n) => [k, said(relay.tags[n] ?? null)])),
              params: new Map(),
            },
            mlflow: {
              ...mlflow,
              tags: present(mlflow.tags),
              endTime: null,
              statusTag: null,
              params: new Map(),
            },
          },
          all(policy),
          SEEN_AT,
        );
        const fields = [
          ["name", "run_name", base.name, relay.name, mlflow.name],
          ["status", "status", base.status, relay.status, mlflow.status],
          ...tags.map((k, n) => [
            k === DESCRIPTION_TAG ? "description" : "tag",
            k,
            base.tags[n] ?? null,
            relay.tags[n] ?? null,
            mlflow.tags[n] ?? null,
          ]),
        ];
        const both = fields.filter(
          ([, , was, here, there]) => here !== was && there !== was && here !== there,
        );
        const shown = conflicts.map((c) => [c.kind, c.field, c.base, c.relay, c.mlflow]);
        expect(shown).toEqual(expect.arrayContaining(both));
        expect(shown).toHaveLength(both.length);
        // What MLflow alone changed is taken, and what the relay alone changed is left to delivery.
        for (const [n, k] of tags.entries()) {
          const [was, here, there] = [base.tags[n], relay.tags[n], mlflow.tags[n]];
          if (there === was || there === here) expect(accepted.tags.has(k)).toBe(false);
          else if (here === was) expect(accepted.tags.get(k)).toBe(there ?? null);
        }
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("the same sides", () => {
  test("in any order of their keys merge to the same", () => {
    const entries = fc.uniqueArray(fc.tuple(key, word), { selector: ([k]) => k });
    fc.assert(
      fc.property(
        entries,
        entries,
        entries,
        fc.constantFrom(...MERGE_POLICIES),
        (base, relay, mlflow, policy) => {
          const sides = (order: <T>(list: T[]) => T[]): Sides => ({
            base: {
              name: "n",
              status: "RUNNING",
              endTime: null,
              tags: new Map(order(base)),
              params: new Map(),
            },
            relay: {
              name: null,
              status: { value: "RUNNING", at: 0 },
              endTime: null,
              tags: new Map(order(relay).map(([k, value]) => [k, { value, at: 1 }])),
              params: new Map(order(relay)),
            },
            mlflow: {
              name: "n",
              status: "RUNNING",
              endTime: null,
              statusTag: null,
              tags: new Map(order(mlflow)),
              params: new Map(order(mlflow)),
            },
          });
          const result = (order: <T>(list: T[]) => T[]) => {
            const { accepted, conflicts } = merge(sides(order), all(policy), SEEN_AT);
            const byKind = (c: { kind: string; field: string }) => `${c.kind} ${c.field}`;
            return {
              tags: [...accepted.tags].sort(),
              params: [...accepted.params].sort(),
              conflicts: conflicts.toSorted((a, b) => (byKind(a) < byKind(b) ? -1 : 1)),
            };
          };
          expect(result((list) => list.toReversed())).toEqual(result((list) => list));
        },
      ),
    );
  });
});
