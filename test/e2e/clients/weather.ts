import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { MlflowVersion } from "../../../scripts/lib/mlflow-install.ts";
import { FAULTS, FaultProxy } from "../../lib/fault-proxy.ts";
import { MlflowReader } from "../../lib/mlflow-read.ts";
import { until } from "../../lib/until.ts";
import { type Lab, openLab } from "../lab.ts";
import { type Content, contentOf } from "./content.ts";
import { type Noted, openStage, PARTS, type Part, type Stage } from "./stage.ts";
import { withoutClock } from "./without-clock.ts";

/** What happens around a part of a training: before it, in its middle, and after it. */
type Weather = {
  begin?: () => Promise<void>;
  middle?: () => Promise<void>;
  end?: () => Promise<void>;
};

const SLOW_MS = 200;
/** What the stock client sends again, after waits that grow to minutes. */
const RETRIED = [408, 429, 500, 502, 503, 504];
/** However busy the machine is, nobody waits so long but for MLflow, whose client's request takes 120 s to give up. */
const WAIT_MS = 60_000;
const DELIVERED_LIMIT_MS = 300_000;

/** What MLflow refuses when it comes again: its own clients see that error, too. */
const ONCE = [
  "runs/delete-tag",
  "experiments/create",
  "experiments/delete",
  "experiments/restore",
  "experiments/delete-experiment-tag",
];
const UP = "MLflow is up";

/**
 * The trainings of one version of MLflow's client in every weather, against the same trainings without a relay.
 * @param parts which of them
 */
export function describeClient(version: MlflowVersion, parts: readonly Part[] = PARTS): void {
  let lab: Lab;
  /** Between client and relay. */
  let door: FaultProxy;
  let stage: Stage;
  let direct: Stage;
  const expected = new Map<Part, { noted: Noted; content: Content }>();

  beforeAll(async () => {
    lab = await openLab();
    door = await FaultProxy.start(lab.relay.url);
    stage = await openStage(version, { uri: door.uri, token: lab.relay.token });
    direct = await openStage(version, { uri: lab.trackingUri });
    for (const part of parts) {
      const prefix = `direct/${part}`;
      const noted = await direct.play(part, prefix);
      expected.set(part, { noted, content: withoutClock(await contentOf(lab.mlflow, prefix)) });
    }
  });
  afterAll(async () => {
    await direct?.stop();
    await stage?.stop();
    await door?.stop();
    await lab?.close();
  });

  describe(`MLflow's client ${version}`, () => {
    const weathers: [string, () => Weather][] = [
      [UP, () => ({})],
      ["MLflow is away from the start", () => ({ begin: () => lab.proxy.stop() })],
      [
        "MLflow is stopped in mid-training",
        () => ({ middle: () => lab.proxy.stop(), end: () => lab.proxy.listen() }),
      ],
      [
        "MLflow is slow",
        () => ({ begin: async () => void lab.proxy.fail({}, { kind: "stall", ms: SLOW_MS }) }),
      ],
      ["the answer to every write is lost once", () => ({ begin: async () => losing(door) })],
    ];
    test.each(weathers)(
      "%s: the training neither fails nor waits, and MLflow has all of it",
      async (weather, make) => {
        const { begin, middle, end } = make();
        const from = door.calls.length;
        await begin?.();
        const noted = new Map<Part, Noted>();
        for (const part of parts) {
          noted.set(part, await stage.play(part, `${weather}/${part}`, middle ? { middle } : {}));
          await end?.();
        }
        await calm();
        const calls = door.calls.slice(from).filter(({ fault }) => fault === null);
        expect(calls.filter(({ status }) => status === null || RETRIED.includes(status))).toEqual([]);
        expect(calls.filter(({ ms }) => (ms ?? WAIT_MS) >= WAIT_MS)).toEqual([]);
        await delivered();
        for (const part of parts) await isAsDirect(part, `${weather}/${part}`, noted.get(part));
      },
    );

    test.runIf(parts.includes("fluent"))(
      "a run that ended goes on by either of its ids, also while MLflow is away",
      async () => {
        const parent = async (experiment: string) => {
          const runs = await lab.mlflow.runs(experiment);
          return runs.find(({ name }) => name === "parent");
        };
        const [here, there] = [await parent(`${UP}/fluent`), await parent("direct/fluent")];
        await lab.proxy.stop();
        const ids = [here?.tags["relay.run_id"], here?.runId];
        const noted = await stage.play("resume", `${UP}/fluent`, { given: ids });
        const given = [there?.runId, there?.runId];
        expect(noted).toEqual(await direct.play("resume", "direct/fluent", { given }));
        await calm();
        await delivered();
        expect(withoutClock(await contentOf(lab.mlflow, `${UP}/fluent`))).toEqual(
          withoutClock(await contentOf(lab.mlflow, "direct/fluent")),
        );
      },
    );
  });

  async function calm(): Promise<void> {
    door.heal();
    lab.proxy.heal();
    await lab.proxy.listen();
  }

  /** MLflow has what it has of the same training without a relay, which shows the same, and so did its client read it. */
  async function isAsDirect(part: Part, prefix: string, noted: Noted | undefined): Promise<void> {
    const content = await contentOf(lab.mlflow, prefix);
    const shown = await contentOf(new MlflowReader(lab.relay.url, lab.relay.token), prefix);
    expect.soft(shown, `what the relay shows of ${part}`).toEqual(content);
    expect.soft(noted, `what ${part} read`).toEqual(expected.get(part)?.noted);
    expect.soft(withoutClock(content), `what MLflow has of ${part}`).toEqual(expected.get(part)?.content);
  }

  async function delivered(): Promise<void> {
    await lab.relay.cron();
    const behind = () => lab.relay.store.clientsBehind();
    await until(
      "everything is in MLflow",
      () => behind().length === 0,
      () => behind().join("\n"),
      DELIVERED_LIMIT_MS,
    );
  }
}

/** Of calls that are the same every second gets through with its answer. */
function losing(door: FaultProxy): void {
  const seen = new Map<string, number>();
  const isLost = ({ path, body }: { path: string; body: string }) => {
    const times = (seen.get(path + body) ?? 0) + 1;
    seen.set(path + body, times);
    return body !== "" && !ONCE.includes(path) && times % 2 === 1;
  };
  door.fail({ when: isLost }, FAULTS.cut);
}
